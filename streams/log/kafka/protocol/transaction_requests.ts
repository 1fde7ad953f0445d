/**
 * Requests of implicit transactions, which kafkajs does not support: brokers learn of partitions and groups from the
 * writes themselves (KIP-890, `transaction.version` 2, the default in Kafka 4). All are flexible.
 *
 * @module
 */

import type { GroupOffset } from "../../log.ts";
import { type Broker, checkCode, sendRaw } from "./patch.ts";
import { readTopics, writeTopics } from "./requests.ts";
import { WireReader, WireWriter } from "./wire.ts";

const ANY_GENERATION = -1;
const UNKNOWN_EPOCH = -1;
const FINALIZED_FEATURES = 2;

export interface TransactionOwner {
  readonly transactionalId: string;
  readonly producerId: string;
  readonly producerEpoch: number;
}

/** The finalized level of a feature in the cluster, 0 for none. ApiVersions 3. */
export async function finalizedLevel(broker: Broker, feature: string): Promise<number> {
  const { level } = await sendRaw(broker, {
    name: "ApiVersions",
    apiKey: 18,
    apiVersion: 3,
    body: new WireWriter(256, true).name("meander").name("1").end(),
    // As in every ApiVersions response, so that any client can read it.
    hasPlainHeader: true,
    decode(reader) {
      checkCode(reader.int16());
      reader.list(() => reader.take(6));
      const clientSideThrottleTime = reader.int32();
      let level = 0;
      for (let count = reader.uvarint(); count > 0; count--) {
        const tag = reader.uvarint();
        const field = new WireReader(reader.take(reader.uvarint()) ?? new Uint8Array(), true);
        if (tag !== FINALIZED_FEATURES) continue;
        field.list(() => {
          const name = field.name();
          const newest = field.int16();
          field.int16();
          if (name === feature) level = newest;
        });
      }
      return { clientSideThrottleTime, level };
    },
  });
  return level;
}

/** Stores offsets of a group, which adds the group to the transaction. TxnOffsetCommit 5. */
export async function storeInTransaction(
  broker: Broker,
  owner: TransactionOwner,
  group: string,
  offsets: readonly GroupOffset[],
): Promise<void> {
  const body = new WireWriter(256, true)
    .name(owner.transactionalId)
    .name(group)
    .int64(Number(owner.producerId))
    .int16(owner.producerEpoch)
    .int32(ANY_GENERATION)
    .name("")
    .compactCount(-1);
  writeTopics(body, offsets, ({ partition, offset }) => {
    body.int32(partition).int64(offset).int32(UNKNOWN_EPOCH).name("");
  });
  await sendRaw(broker, {
    name: "TxnOffsetCommit",
    apiKey: 28,
    apiVersion: 5,
    body: body.end(),
    decode(reader) {
      const clientSideThrottleTime = reader.int32();
      readTopics(reader, () => {
        reader.int32();
        checkCode(reader.int16());
      });
      return { clientSideThrottleTime };
    },
  });
}

/**
 * Ends a transaction. EndTxn 5.
 *
 * @returns The owner of the next transaction: the epoch is new, and sequence numbers begin at 0
 */
export async function endTransaction(
  broker: Broker,
  { transactionalId, ...owner }: TransactionOwner,
  committed: boolean,
): Promise<TransactionOwner> {
  const { producerId, producerEpoch } = await sendRaw(broker, {
    name: "EndTxn",
    apiKey: 26,
    apiVersion: 5,
    body: new WireWriter(256, true)
      .name(transactionalId)
      .int64(Number(owner.producerId))
      .int16(owner.producerEpoch)
      .int8(committed ? 1 : 0)
      .end(),
    decode(reader) {
      const clientSideThrottleTime = reader.int32();
      checkCode(reader.int16());
      return { clientSideThrottleTime, producerId: `${reader.int64()}`, producerEpoch: reader.int16() };
    },
  });
  return { transactionalId, producerId, producerEpoch };
}
