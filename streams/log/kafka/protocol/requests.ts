/**
 * Requests that kafkajs makes badly or not at all.
 *
 * @module
 */

import type { Bounds, NewRecord } from "../../log.ts";
import { type Broker, checkCode, sendRaw } from "./patch.ts";
import type { AbortedTransaction } from "./record_batch.ts";
import { WireReader, WireWriter } from "./wire.ts";

/** Waiting for the answer may take this long beyond what the broker was told to wait. */
const NETWORK_MS = 30_000;
/** How long a broker waits for the replicas of a batch. */
export const PRODUCE_TIMEOUT_MS = 30_000;
/** How long we wait for it. */
export const PRODUCE_WAIT_MS = PRODUCE_TIMEOUT_MS + NETWORK_MS;
const READ_COMMITTED = 1;
const LATEST = -1;
const EARLIEST = -2;
const ALL_REPLICAS = -1;

/** Names a partition of a topic. */
export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

/** A record and the partition that it goes to. */
export interface PlacedRecord {
  readonly record: NewRecord;
  readonly partition: number;
}

/** Where to fetch from. */
export interface FetchFrom extends TopicPartition {
  /** The topic's id, which the name may not be that of any more; `null` to go by the name. */
  readonly topicId: string | null;
  readonly offset: number;
  /** The broker brings one batch at least, however large. */
  readonly maxBytes: number;
}

/** What was fetched of a partition. */
export interface Fetched extends TopicPartition {
  /** Kafka's error code; 0 is none. */
  readonly errorCode: number;
  /** Offset below which every transaction has ended; -1 when unknown. */
  readonly stableEnd: number;
  readonly aborted: readonly AbortedTransaction[];
  /** Record batches; the last one may be cut off. */
  readonly bytes: Uint8Array;
}

/** The first version of Fetch that names topics by their ids, with Kafka 3.1. */
export const FETCH_BY_ID = 13;
/** Codes of a topic id that the broker does not know, or knows as another topic's. */
const ID_CODES: readonly number[] = [100, 103];

/** Whether a fetched partition is of a topic that is gone, or not known to the broker yet. */
export function isUnknownId({ errorCode }: Pick<Fetched, "errorCode">): boolean {
  return ID_CODES.includes(errorCode);
}

/**
 * Fetches committed records (and the aborted ones, with a list to tell them by): by the ids of topics, where all have one,
 * so that nothing is read of another topic that has got the name. Fetch 13, or 11.
 */
export async function fetchBatches(
  broker: Broker,
  partitions: readonly FetchFrom[],
  limits: { readonly waitMs: number; readonly maxBytes: number },
): Promise<readonly Fetched[]> {
  const isById = partitions.every(({ topicId }) => topicId !== null);
  const { fetched } = await sendRaw(broker, {
    name: "Fetch",
    apiKey: 1,
    apiVersion: isById ? FETCH_BY_ID : 11,
    body: isById ? fetchById(partitions, limits) : fetchByName(partitions, limits),
    timeoutMs: limits.waitMs + NETWORK_MS,
    decode: (payload) => isById ? fetchedById(payload, partitions) : fetchedByName(payload),
  });
  return fetched;
}

function fetchHead(
  body: WireWriter,
  { waitMs, maxBytes }: { readonly waitMs: number; readonly maxBytes: number },
): WireWriter {
  return body.int32(-1).int32(waitMs).int32(1).int32(maxBytes).int8(READ_COMMITTED).int32(0).int32(-1);
}

function fetchByName(
  partitions: readonly FetchFrom[],
  limits: { readonly waitMs: number; readonly maxBytes: number },
): Uint8Array {
  const body = fetchHead(new WireWriter(), limits);
  byTopic(body, partitions, ({ partition, offset, maxBytes }) => {
    body.int32(partition).int32(-1).int64(offset).int64(-1).int32(maxBytes);
  });
  return body.int32(0).string("").bytes;
}

function fetchById(
  partitions: readonly FetchFrom[],
  limits: { readonly waitMs: number; readonly maxBytes: number },
): Uint8Array {
  // Behind the tags of its header, which kafkajs does not write.
  const body = fetchHead(new WireWriter().uvarint(0), limits);
  const topics = Map.groupBy(partitions, ({ topicId }) => topicId ?? "");
  body.uvarint(topics.size + 1);
  for (const [id, own] of topics) {
    body.raw(Uint8Array.fromHex(id)).uvarint(own.length + 1);
    for (const { partition, offset, maxBytes } of own) {
      body.int32(partition).int32(-1).int64(offset).int32(-1).int64(-1).int32(maxBytes).uvarint(0);
    }
    body.uvarint(0);
  }
  return body.uvarint(1).compactString("").uvarint(0).bytes;
}

function fetchedByName(payload: Uint8Array) {
  const reader = new WireReader(payload);
  const clientSideThrottleTime = reader.int32();
  checkCode(reader.int16());
  reader.int32();
  const fetched = reader.array(() => {
    const topic = reader.string() ?? "";
    return reader.array(() => fetchedPartition(reader, topic));
  });
  return { clientSideThrottleTime, fetched: fetched.flat() };
}

function fetchedById(payload: Uint8Array, partitions: readonly FetchFrom[]) {
  const reader = new WireReader(payload);
  reader.tags();
  const clientSideThrottleTime = reader.int32();
  checkCode(reader.int16());
  reader.int32();
  const fetched = reader.compactArray(() => {
    const id = reader.take(16)?.toHex();
    const topic = partitions.find(({ topicId }) => topicId === id)?.topic ?? "";
    const own = reader.compactArray(() => {
      const partition = reader.int32();
      const errorCode = reader.int16();
      reader.int64();
      const stableEnd = reader.int64();
      reader.int64();
      const aborted = reader.compactArray(() => {
        const transaction = { producerId: reader.int64(), firstOffset: reader.int64() };
        reader.tags();
        return transaction;
      });
      reader.int32();
      const bytes = reader.take(reader.uvarint() - 1) ?? new Uint8Array();
      reader.tags();
      return { topic, partition, errorCode, stableEnd, aborted, bytes };
    });
    reader.tags();
    return own;
  });
  return { clientSideThrottleTime, fetched: fetched.flat() };
}

function fetchedPartition(reader: WireReader, topic: string): Fetched {
  const partition = reader.int32();
  const errorCode = reader.int16();
  reader.int64();
  const stableEnd = reader.int64();
  reader.int64();
  const aborted = reader.array(() => ({ producerId: reader.int64(), firstOffset: reader.int64() }));
  reader.int32();
  const bytes = reader.take(reader.int32()) ?? new Uint8Array();
  return { topic, partition, errorCode, stableEnd, aborted, bytes };
}

/** The range of a partition that readers of committed records can read. */
export async function partitionBounds(broker: Broker, { topic, partition }: TopicPartition): Promise<Bounds> {
  const [start, end] = await Promise.all([EARLIEST, LATEST].map(async (timestamp) => {
    const topics = [{ topic, partitions: [{ partition, timestamp }] }];
    const { responses } = await broker.listOffsets({ replicaId: -1, isolationLevel: READ_COMMITTED, topics });
    return Number(responses[0]?.partitions[0]?.offset);
  }));
  return { start: start ?? NaN, end: end ?? NaN };
}

/** A batch for a partition. */
export interface Produce extends TopicPartition {
  readonly batch: Uint8Array;
}

/** What became of a batch. */
export interface Produced extends TopicPartition {
  /** Kafka's error code; 0 is none. */
  readonly errorCode: number;
  /** Offset of the batch's first record. */
  readonly offset: number;
}

/** Writes batches, one a partition, and waits until all replicas have them. Produce 7. */
export async function produce(
  broker: Broker,
  transactionalId: string | null,
  batches: readonly Produce[],
): Promise<readonly Produced[]> {
  const size = batches.reduce((sum, { batch }) => sum + batch.length + 300, 300);
  const body = new WireWriter(size)
    .string(transactionalId)
    .int16(ALL_REPLICAS)
    .int32(PRODUCE_TIMEOUT_MS);
  byTopic(body, batches, ({ partition, batch }) => {
    body.int32(partition).int32(batch.length).raw(batch);
  });
  const { produced } = await sendRaw(broker, {
    name: "Produce",
    apiKey: 0,
    apiVersion: 7,
    body: body.bytes,
    timeoutMs: PRODUCE_WAIT_MS,
    decode(payload) {
      const reader = new WireReader(payload);
      const produced = reader.array(() => {
        const topic = reader.string() ?? "";
        return reader.array(() => {
          const result = {
            topic,
            partition: reader.int32(),
            errorCode: reader.int16(),
            offset: reader.int64(),
          };
          reader.int64();
          reader.int64();
          return result;
        });
      });
      return { produced: produced.flat(), clientSideThrottleTime: reader.int32() };
    },
  });
  return produced;
}

/**
 * The committed offset of a group, or `null` when there is none. Fails with UNSTABLE_OFFSET_COMMIT while a
 * transaction that moves it has not ended: an older client would be told the offset of before. OffsetFetch 7.
 */
export async function stableOffset(
  broker: Broker,
  group: string,
  { topic, partition }: TopicPartition,
): Promise<number | null> {
  const body = new WireWriter()
    .uvarint(0) // tags of the header, which kafkajs does not write
    .compactString(group)
    .uvarint(2)
    .compactString(topic)
    .uvarint(2)
    .int32(partition)
    .uvarint(0)
    .int8(1)
    .uvarint(0);
  const { offset } = await sendRaw(broker, {
    name: "OffsetFetch",
    apiKey: 9,
    apiVersion: 7,
    body: body.bytes,
    decode(payload) {
      const reader = new WireReader(payload);
      reader.tags();
      const clientSideThrottleTime = reader.int32();
      const offsets = reader.compactArray(() => {
        reader.text(reader.uvarint() - 1);
        const partitions = reader.compactArray(() => {
          reader.int32();
          const offset = reader.int64();
          reader.int32();
          reader.text(reader.uvarint() - 1);
          checkCode(reader.int16());
          reader.tags();
          return offset;
        });
        reader.tags();
        return partitions;
      });
      checkCode(reader.int16());
      return { clientSideThrottleTime, offset: offsets.flat()[0] ?? -1 };
    },
  });
  return offset < 0 ? null : offset;
}

/** Writes an array of topics, each with an array of its partitions. */
function byTopic<Item extends TopicPartition>(
  body: WireWriter,
  items: readonly Item[],
  write: (item: Item) => void,
): void {
  const topics = Map.groupBy(items, ({ topic }) => topic);
  body.int32(topics.size);
  for (const [topic, partitions] of topics) {
    body.string(topic).int32(partitions.length);
    for (const item of partitions) write(item);
  }
}
