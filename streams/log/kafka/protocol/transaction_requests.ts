/**
 * Requests of transactions whose brokers are told of partitions and groups by the writes themselves (KIP-890,
 * `transaction.version` 2, the default of Kafka 4): kafkajs does not know them.
 *
 * @module
 */

import type { GroupOffset } from "../../log.ts";
import { type Broker, checkCode, sendRaw } from "./patch.ts";
import { type Produce, PRODUCE_TIMEOUT_MS, PRODUCE_WAIT_MS, type Produced } from "./requests.ts";
import { WireReader, WireWriter } from "./wire.ts";

const ALL_REPLICAS = -1;
const ANY_GENERATION = -1;
const UNKNOWN_EPOCH = -1;
const FINALIZED_FEATURES = 2;

/** Whose a transaction is. */
export interface TransactionOwner {
  readonly transactionalId: string;
  readonly producerId: string;
  readonly producerEpoch: number;
}

/** A body of the flexible kind, behind the tags of its header, which kafkajs does not write. */
function flexible(capacity?: number): WireWriter {
  return new WireWriter(capacity).uvarint(0);
}

/** Writes an array of topics, each with an array of its partitions. */
function byTopic<Item extends { readonly topic: string }>(
  body: WireWriter,
  items: readonly Item[],
  write: (item: Item) => void,
): void {
  const topics = Map.groupBy(items, ({ topic }) => topic);
  body.uvarint(topics.size + 1);
  for (const [topic, partitions] of topics) {
    body.compactString(topic).uvarint(partitions.length + 1);
    for (const item of partitions) {
      write(item);
      body.uvarint(0);
    }
    body.uvarint(0);
  }
}

/** Reads an array of topics, each with an array of its partitions. */
function topics<Item>(reader: WireReader, read: (topic: string) => Item): Item[] {
  return reader.compactArray(() => {
    const topic = reader.text(reader.uvarint() - 1) ?? "";
    const partitions = reader.compactArray(() => {
      const item = read(topic);
      reader.tags();
      return item;
    });
    reader.tags();
    return partitions;
  }).flat();
}

/** The level of a feature that the cluster has agreed on, 0 for none. ApiVersions 3. */
export async function finalizedLevel(broker: Broker, feature: string): Promise<number> {
  const { level } = await sendRaw(broker, {
    name: "ApiVersions",
    apiKey: 18,
    apiVersion: 3,
    body: flexible().compactString("meander").compactString("1").uvarint(0).bytes,
    decode(payload) {
      // The header of this answer has no tags, so that any client can read it.
      const reader = new WireReader(payload);
      checkCode(reader.int16());
      reader.compactArray(() => {
        reader.take(6);
        reader.tags();
      });
      const clientSideThrottleTime = reader.int32();
      let level = 0;
      for (let count = reader.uvarint(); count > 0; count--) {
        const tag = reader.uvarint();
        const field = new WireReader(reader.take(reader.uvarint()) ?? new Uint8Array());
        if (tag !== FINALIZED_FEATURES) continue;
        field.compactArray(() => {
          const name = field.text(field.uvarint() - 1);
          const newest = field.int16();
          field.int16();
          field.tags();
          if (name === feature) level = newest;
        });
      }
      return { clientSideThrottleTime, level };
    },
  });
  return level;
}

/** Writes batches, one a partition, which are in the transaction by that; waits until all replicas have them. Produce 12. */
export async function produceInTransaction(
  broker: Broker,
  transactionalId: string,
  batches: readonly Produce[],
): Promise<readonly Produced[]> {
  const body = flexible(batches.reduce((sum, { batch }) => sum + batch.length + 300, 300))
    .compactString(transactionalId)
    .int16(ALL_REPLICAS)
    .int32(PRODUCE_TIMEOUT_MS);
  byTopic(body, batches, ({ partition, batch }) => {
    body.int32(partition).uvarint(batch.length + 1).raw(batch);
  });
  const { produced } = await sendRaw(broker, {
    name: "Produce",
    apiKey: 0,
    apiVersion: 12,
    body: body.uvarint(0).bytes,
    timeoutMs: PRODUCE_WAIT_MS,
    decode(payload) {
      const reader = new WireReader(payload);
      reader.tags();
      const produced = topics(reader, (topic) => {
        const result = {
          topic,
          partition: reader.int32(),
          errorCode: reader.int16(),
          offset: reader.int64(),
        };
        reader.int64();
        reader.int64();
        reader.compactArray(() => {
          reader.int32();
          reader.text(reader.uvarint() - 1);
          reader.tags();
        });
        reader.text(reader.uvarint() - 1);
        return result;
      });
      return { produced, clientSideThrottleTime: reader.int32() };
    },
  });
  return produced;
}

/** Stores offsets of a group, which is in the transaction by that. TxnOffsetCommit 5. */
export async function storeInTransaction(
  broker: Broker,
  owner: TransactionOwner,
  group: string,
  offsets: readonly GroupOffset[],
): Promise<void> {
  const body = flexible()
    .compactString(owner.transactionalId)
    .compactString(group)
    .int64(Number(owner.producerId))
    .int16(owner.producerEpoch)
    .int32(ANY_GENERATION)
    .compactString("")
    .uvarint(0);
  byTopic(body, offsets, ({ partition, offset }) => {
    body.int32(partition).int64(offset).int32(UNKNOWN_EPOCH).compactString("");
  });
  await sendRaw(broker, {
    name: "TxnOffsetCommit",
    apiKey: 28,
    apiVersion: 5,
    body: body.uvarint(0).bytes,
    decode(payload) {
      const reader = new WireReader(payload);
      reader.tags();
      const clientSideThrottleTime = reader.int32();
      topics(reader, () => {
        reader.int32();
        checkCode(reader.int16());
      });
      return { clientSideThrottleTime };
    },
  });
}

/**
 * Ends a transaction.
 *
 * @returns Whose the next one is: the epoch is new, and numbers of records begin at 0. EndTxn 5.
 */
export async function endTransaction(
  broker: Broker,
  owner: TransactionOwner,
  committed: boolean,
): Promise<TransactionOwner> {
  const body = flexible()
    .compactString(owner.transactionalId)
    .int64(Number(owner.producerId))
    .int16(owner.producerEpoch)
    .int8(committed ? 1 : 0)
    .uvarint(0);
  const { producerId, producerEpoch } = await sendRaw(broker, {
    name: "EndTxn",
    apiKey: 26,
    apiVersion: 5,
    body: body.bytes,
    decode(payload) {
      const reader = new WireReader(payload);
      reader.tags();
      const clientSideThrottleTime = reader.int32();
      checkCode(reader.int16());
      return { clientSideThrottleTime, producerId: `${reader.int64()}`, producerEpoch: reader.int16() };
    },
  });
  return { transactionalId: owner.transactionalId, producerId, producerEpoch };
}
