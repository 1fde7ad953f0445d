/** Requests that kafkajs gets wrong or does not support, and helpers for others. */

import type { Bounds, NewRecord, Place } from "../../log.ts";
import { type Broker, checkCode, requestTimeoutOf, sendRaw } from "./patch.ts";
import { type EpochEnd, type EpochRun, UNKNOWN_EPOCH } from "./leader_epochs.ts";
import type { AbortedTransaction } from "./record_batch.ts";
import { type WireReader, WireWriter } from "./wire.ts";

/** Share of the request timeout for which a leader may wait for replicas: in vain, if it is cut off from them. */
const REPLICATION_SHARE = 0.5;
const READ_UNCOMMITTED = 0;
const READ_COMMITTED = 1;
const LATEST = -1;
const EARLIEST = -2;
const ALL_REPLICAS = -1;
const ID_BYTES = 16;

/** A record and the partition that it goes to. */
export interface PlacedRecord {
  readonly record: NewRecord;
  readonly partition: number;
}

/** Where to fetch from. */
export interface FetchFrom extends Place {
  /** The topic's id, so that a later topic of the same name is not read; `null` = by name only. */
  readonly topicId: string | null;
  readonly offset: number;
  /** Epoch of the record before it, with which brokers check that they have that record; by id only. */
  readonly epochBefore: number;
  /** Epoch of the leader that is to answer. @default {any} */
  readonly leaderEpoch?: number;
  /** The broker returns at least one batch, however large. */
  readonly maxBytes: number;
}

export interface Fetched extends Place {
  /** Kafka's error code; 0 is none. */
  readonly errorCode: number;
  /** Offset below which every transaction has ended; -1 when unknown. */
  readonly stableEnd: number;
  readonly aborted: readonly AbortedTransaction[];
  /** Record batches; the last one may be cut off. */
  readonly bytes: Uint8Array;
  /** If the broker lacks the record before the position: the last epoch up to that record's that it has. */
  diverging?: EpochEnd;
}

/** The first version of Fetch that identifies topics by id, in Kafka 3.1. */
export const FETCH_BY_ID = 13;
const FETCH_BY_NAME = 11;
const OFFSET_OUT_OF_RANGE = 1;
/** Tag of the end of an epoch, in the response to a Fetch. */
const DIVERGING_EPOCH = 0;
/** Codes for a topic id that the broker does not know, or that does not match. */
const ID_CODES: readonly number[] = [100, 103];

/** Whether a broker lacks records before the position, or has others, or dropped those from there on. */
export function isAtOdds({ errorCode, diverging }: Pick<Fetched, "errorCode" | "diverging">): boolean {
  return errorCode === OFFSET_OUT_OF_RANGE || diverging !== undefined;
}

/** Whether the topic of a fetched partition no longer exists, or the broker does not know it yet. */
export function isUnknownId({ errorCode }: Pick<Fetched, "errorCode">): boolean {
  return ID_CODES.includes(errorCode);
}

/**
 * Fetches committed records, and aborted ones with a list of their transactions. If all topics have ids, they are
 * fetched by id, so that no later topic of the same name is read: by Fetch 13, which is flexible; otherwise by 11.
 */
export async function fetchBatches(
  broker: Broker,
  partitions: readonly FetchFrom[],
  limits: { readonly waitMs: number; readonly maxBytes: number },
): Promise<readonly Fetched[]> {
  const { waitMs, maxBytes } = limits;
  const isById = partitions.every(({ topicId }) => topicId !== null);
  const body = new WireWriter(256, isById)
    .int32(-1).int32(waitMs).int32(1).int32(maxBytes).int8(READ_COMMITTED).int32(0).int32(-1);
  const topics = Map.groupBy(partitions, ({ topic, topicId }) => isById ? topicId ?? "" : topic);
  body.list([...topics], ([topic, own]) => {
    if (isById) body.raw(Uint8Array.fromHex(topic));
    else body.name(topic);
    body.list(own, ({ partition, offset, epochBefore, leaderEpoch = UNKNOWN_EPOCH, maxBytes }) => {
      body.int32(partition).int32(leaderEpoch).int64(offset);
      if (isById) body.int32(epochBefore);
      body.int64(-1).int32(maxBytes);
    });
  });
  body.list([], () => {}).name("").end();
  const { fetched } = await sendRaw(broker, {
    name: "Fetch",
    apiKey: 1,
    apiVersion: isById ? FETCH_BY_ID : FETCH_BY_NAME,
    body,
    waitMs,
    decode(reader) {
      const clientSideThrottleTime = reader.int32();
      checkCode(reader.int16());
      reader.int32();
      const fetched = reader.list(() => {
        const id = isById ? reader.take(ID_BYTES)?.toHex() : undefined;
        const topic = isById ? partitions.find(({ topicId }) => topicId === id)?.topic : reader.name();
        return reader.list(() => fetchedPartition(reader, topic ?? ""), noteDivergence);
      });
      return { clientSideThrottleTime, fetched: fetched.flat() };
    },
  });
  return fetched;
}

function fetchedPartition(reader: WireReader, topic: string): Fetched {
  const partition = reader.int32();
  const errorCode = reader.int16();
  reader.int64();
  const stableEnd = reader.int64();
  reader.int64();
  const aborted = reader.list(() => ({ producerId: reader.int64(), firstOffset: reader.int64() }));
  reader.int32();
  const bytes = reader.blob() ?? new Uint8Array();
  return { topic, partition, errorCode, stableEnd, aborted, bytes };
}

function noteDivergence(fetched: Fetched, tag: number, field: WireReader): void {
  if (tag !== DIVERGING_EPOCH) return;
  const epoch = field.int32();
  fetched.diverging = { epoch, end: field.int64() };
}

/** The range of a partition that readers of committed records can read. */
export async function partitionBounds(broker: Broker, place: Place): Promise<Bounds> {
  const [start, end] = await Promise.all([
    offsetAt(broker, place, EARLIEST),
    offsetAt(broker, place, LATEST),
  ]);
  return { start, end };
}

/** The first offset of a partition whose record has a time of `timestamp` or later; `null` = none. */
export async function offsetSince(broker: Broker, place: Place, timestamp: number): Promise<number | null> {
  const offset = await offsetAt(broker, place, timestamp);
  return offset < 0 ? null : offset;
}

async function offsetAt(
  broker: Broker,
  { topic, partition }: Place,
  timestamp: number,
): Promise<number> {
  const topics = [{ topic, partitions: [{ partition, timestamp }] }];
  const { responses } = await broker.listOffsets({ replicaId: -1, isolationLevel: READ_COMMITTED, topics });
  return Number(responses[0]?.partitions[0]?.offset);
}

/** Ends of partitions that a broker leads, in any order: for readers of committed records, or of all. */
export async function endsOf(
  broker: Broker,
  places: readonly Place[],
  committed: boolean,
): Promise<readonly (Place & { readonly end: number })[]> {
  const topics = [...Map.groupBy(places, ({ topic }) => topic)].map(([topic, own]) => ({
    topic,
    partitions: own.map(({ partition }) => ({ partition, timestamp: LATEST })),
  }));
  const isolationLevel = committed ? READ_COMMITTED : READ_UNCOMMITTED;
  const { responses } = await broker.listOffsets({ replicaId: -1, isolationLevel, topics });
  return responses.flatMap(({ topic, partitions }) =>
    partitions.map(({ partition, offset }) => ({ topic, partition, end: Number(offset) }))
  );
}

export interface Produce extends Place {
  readonly batch: Uint8Array;
}

/** The result for a batch. */
export interface Produced extends Place {
  /** Kafka's error code; 0 is none. */
  readonly errorCode: number;
  /** Offset of the batch's first record. */
  readonly offset: number;
}

/**
 * Writes batches, one per partition, and waits until all replicas have them. Produce 7; 12, which is flexible, adds the
 * partitions to an implicit transaction.
 */
export async function produce(
  broker: Broker,
  transactionalId: string | null,
  batches: readonly Produce[],
  apiVersion: 7 | 12 = 7,
): Promise<readonly Produced[]> {
  const isFlexible = apiVersion === 12;
  const size = batches.reduce((sum, { batch }) => sum + batch.length + 300, 300);
  const body = new WireWriter(size, isFlexible)
    .name(transactionalId).int16(ALL_REPLICAS).int32(requestTimeoutOf(broker) * REPLICATION_SHARE);
  writeTopics(body, batches, ({ partition, batch }) => body.int32(partition).blob(batch));
  const { produced } = await sendRaw(broker, {
    name: "Produce",
    apiKey: 0,
    apiVersion,
    body: body.end(),
    decode(reader) {
      const produced = readTopics(reader, (topic) => {
        const result = {
          topic,
          partition: reader.int32(),
          errorCode: reader.int16(),
          offset: reader.int64(),
        };
        reader.int64();
        reader.int64();
        if (isFlexible) {
          reader.list(() => {
            reader.int32();
            reader.name();
          });
          reader.name();
        }
        return result;
      });
      return { produced, clientSideThrottleTime: reader.int32() };
    },
  });
  return produced;
}

/**
 * The committed offset of a group and the epoch of the record before it, or `null` when there is none. Fails with
 * UNSTABLE_OFFSET_COMMIT until a transaction that moves it has ended: an older version would return the previous
 * offset. OffsetFetch 7.
 */
export async function stableOffset(
  broker: Broker,
  group: string,
  { topic, partition }: Place,
): Promise<Pick<EpochRun, "epoch"> & { readonly offset: number } | null> {
  const body = new WireWriter(256, true).name(group);
  body.list([topic], () => {
    body.name(topic).compactCount(1).int32(partition);
  });
  const { stored } = await sendRaw(broker, {
    name: "OffsetFetch",
    apiKey: 9,
    apiVersion: 7,
    body: body.int8(1).end(),
    decode(reader) {
      const clientSideThrottleTime = reader.int32();
      const [stored] = readTopics(reader, () => {
        reader.int32();
        const [offset, epoch] = [reader.int64(), reader.int32()];
        reader.name();
        checkCode(reader.int16());
        return { offset, epoch };
      });
      checkCode(reader.int16());
      return { clientSideThrottleTime, stored };
    },
  });
  return stored === undefined || stored.offset < 0 ? null : stored;
}

/** Writes an array of topics, each with an array of its partitions. */
export function writeTopics<Item extends { readonly topic: string }>(
  body: WireWriter,
  items: readonly Item[],
  write: (item: Item) => void,
): void {
  body.list([...Map.groupBy(items, ({ topic }) => topic)], ([topic, partitions]) => {
    body.name(topic).list(partitions, write);
  });
}

/** Reads an array of topics, each with an array of its partitions. */
export function readTopics<Item>(reader: WireReader, read: (topic: string) => Item): Item[] {
  return reader.list(() => {
    const topic = reader.name() ?? "";
    return reader.list(() => read(topic));
  }).flat();
}
