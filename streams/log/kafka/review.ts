/**
 * How a cluster is set up for a deployment: which rights are missing, which settings delay it. Rights are tried, in a
 * transaction that is aborted and leaves nothing behind.
 *
 * @module
 */

import type { LogRemark, LogUse } from "../log.ts";
import { type KafkaClient, kafkaType } from "./client.ts";

/** A right that is missing, as Kafka's ACLs name it. */
interface MissingRight {
  /** What may not be done. */
  readonly operation: "Write" | "Read";
  /** To what kind of thing. */
  readonly resource: "Topic" | "Group" | "TransactionalId";
  /** Its name. */
  readonly name: string;
}

const TRANSACTION_MS = 10_000;

const ACL_OPTIONS = { Topic: "--topic", Group: "--group", TransactionalId: "--transactional-id" } as const;

/** What is wrong or worth knowing; see `Log.review`. @param timestamps `message.timestamp.type` of the topic of events */
export async function review(
  client: KafkaClient,
  use: LogUse,
  timestamps: string | null,
): Promise<readonly LogRemark[]> {
  const missing = use.triesRights ? await missingRights(client, use) : [];
  const remarks: LogRemark[] = missing.map(({ operation, resource, name }) => ({
    what: `the right to ${operation} ${resource} ${name} is missing`,
    remedy: `kafka-acls.sh --add --allow-principal User:<us> --operation ${operation} ` +
      `${ACL_OPTIONS[resource]} ${use.prefix} --resource-pattern-type prefixed`,
    isProblem: true,
  }));
  if (timestamps !== "CreateTime") return remarks;
  return [...remarks, {
    what:
      `records of ${use.events} have their producers' times: behind a quiet spell the clock of a partition waits for up ` +
      "to 8 events of producers other than our servers, and lists are settled as much later (docs/explanation/state.md, The clock)",
    remedy: `kafka-configs.sh --alter --entity-type topics --entity-name ${use.events} ` +
      "--add-config message.timestamp.type=LogAppendTime, unless programs of yours need those times",
    isProblem: false,
  }];
}

/** Which rights we lack. Opens an unused transactional id: opening one in use would fence its owner. */
async function missingRights(client: KafkaClient, { topics, group }: LogUse): Promise<MissingRight[]> {
  const transactionalId = `${group}-check`;
  const missing: MissingRight[] = [];
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
  begun = await allowed(
    { operation: "Read", resource: "Group", name: group },
    async () => (await coordinator()).addOffsetsToTxn({ ...me, groupId: group }),
  ) || begun;
  if (begun) {
    await client.retry(async () => (await coordinator()).endTxn({ ...me, transactionResult: false }));
  }
  return missing;
}
