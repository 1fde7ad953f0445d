/**
 * Requests of transactions that kafkajs does not support: offsets with epochs (KIP-320), and those of implicit
 * transactions, of whose partitions and groups brokers learn from the writes themselves (KIP-890, `transaction.version`
 * 2, the default in Kafka 4). All are flexible.
 */

import type { GroupOffset } from "../../log.ts";
import { UNKNOWN_EPOCH } from "./leader_epochs.ts";
import { type Broker, checkCode, sendRaw } from "./patch.ts";
import { readTopics, writeTopics } from "./requests.ts";
import { WireWriter } from "./wire.ts";

const ANY_GENERATION = -1;
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
      reader.tags((tag, field) => {
        if (tag !== FINALIZED_FEATURES) return;
        field.list(() => {
          const name = field.name();
          const newest = field.int16();
          field.int16();
          if (name === feature) level = newest;
        });
      });
      return { clientSideThrottleTime, level };
    },
  });
  return level;
}

/** Stores offsets of a group, with their epochs. TxnOffsetCommit 3; 5 adds the group to an implicit transaction. */
export async function storeInTransaction(
  broker: Broker,
  owner: TransactionOwner,
  group: string,
  offsets: readonly GroupOffset[],
  apiVersion: 3 | 5 = 5,
): Promise<void> {
  const body = new WireWriter(256, true)
    .name(owner.transactionalId)
    .name(group)
    .int64(Number(owner.producerId))
    .int16(owner.producerEpoch)
    .int32(ANY_GENERATION)
    .name("")
    .compactCount(-1);
  writeTopics(body, offsets, ({ partition, offset, epoch = UNKNOWN_EPOCH }) => {
    body.int32(partition).int64(offset).int32(epoch).name("");
  });
  await sendRaw(broker, {
    name: "TxnOffsetCommit",
    apiKey: 28,
    apiVersion,
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
