/**
 * What we may do, found out by doing as much of it as leaves nothing behind: a transaction that is aborted.
 *
 * @module
 */

import { type KafkaClient, kafkaType } from "./client.ts";

/** What a deployment does on a cluster. */
export interface WantedRights {
  /** Topics to write to, which exist. */
  readonly topics: readonly string[];
  /** Groups to store offsets of. */
  readonly groups: readonly string[];
  /** A transactional id like those in use, and not in use: opening it fences whoever has it. */
  readonly transactionalId: string;
}

/** A right that is missing, as Kafka's ACLs name it. */
export interface MissingRight {
  /** What may not be done. */
  readonly operation: "Write" | "Read";
  /** To what kind of thing. */
  readonly resource: "Topic" | "Group" | "TransactionalId";
  /** Its name. */
  readonly name: string;
}

const TRANSACTION_MS = 10_000;

/** Which of these rights we do not have. */
export async function missingRights(
  client: KafkaClient,
  wanted: WantedRights,
): Promise<readonly MissingRight[]> {
  const { transactionalId, topics, groups } = wanted;
  const missing: MissingRight[] = [];
  /** Whether it may be done; what is neither allowed nor denied is thrown. */
  const allowed = async (right: MissingRight, action: () => Promise<unknown>) => {
    try {
      await client.retry(action);
      return true;
    } catch (error) {
      if (!kafkaType(error)?.endsWith("AUTHORIZATION_FAILED")) throw error;
      missing.push(right);
      return false;
    }
  };
  const coordinator = () => client.coordinator("transaction", transactionalId);
  let identity = { producerId: "", producerEpoch: 0 };
  const opened = await allowed(
    { operation: "Write", resource: "TransactionalId", name: transactionalId },
    async () => {
      const broker = await coordinator();
      identity = await broker.initProducerId({ transactionalId, transactionTimeout: TRANSACTION_MS });
    },
  );
  if (!opened) return missing;
  const me = { transactionalId, ...identity };
  let begun = false;
  for (const topic of topics) {
    begun = await allowed(
      { operation: "Write", resource: "Topic", name: topic },
      async () => (await coordinator()).addPartitionsToTxn({ ...me, topics: [{ topic, partitions: [0] }] }),
    ) || begun;
  }
  for (const groupId of groups) {
    begun = await allowed(
      { operation: "Read", resource: "Group", name: groupId },
      async () => (await coordinator()).addOffsetsToTxn({ ...me, groupId }),
    ) || begun;
  }
  if (begun) {
    await client.retry(async () => (await coordinator()).endTxn({ ...me, transactionResult: false }));
  }
  return missing;
}
