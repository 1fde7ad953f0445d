/**
 * How a cluster is set up for a deployment: which rights are missing, which settings delay it, what has too few copies.
 * Rights are tried, in a transaction that is aborted and leaves nothing behind.
 *
 * @module
 */

import type { LogRemark, LogUse } from "../log.ts";
import { type KafkaClient, kafkaType } from "./client.ts";
import type { Broker } from "./protocol/patch.ts";

/** A right that is missing, as Kafka's ACLs name it. */
interface MissingRight {
  /** What may not be done. */
  readonly operation: "Write" | "Read";
  /** To what kind of thing. */
  readonly resource: "Topic" | "Group" | "TransactionalId";
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
  remarks.push(...await copiesOf(client, use.topics));
  if (timestamps !== "CreateTime") return remarks;
  return [...remarks, {
    what:
      `records of ${use.events} have their producers' times: after a quiet spell, a partition's clock waits for up ` +
      "to 8 events of producers other than our servers, and lists are settled that much later (docs/explanation/state.md, The clock)",
    remedy: `kafka-configs.sh --alter --entity-type topics --entity-name ${use.events} ` +
      "--add-config message.timestamp.type=LogAppendTime, unless programs of yours need those times",
    isProblem: false,
  }];
}

/** How often a topic is held. */
export interface TopicCopies {
  readonly topic: string;
  /** Brokers that are to hold each partition, of the one with the fewest. */
  readonly copies: number;
  /** Brokers that have all of it, of the one with the fewest. */
  readonly inSync: number;
  /** Brokers that must have a write before it counts; `null` = we may not ask. */
  readonly needed: number | null;
}

/** What a cluster of several brokers could bear better. @param brokers how many there are */
export function remarksOnCopies(topics: readonly TopicCopies[], brokers: number): LogRemark[] {
  if (brokers < 2) return [];
  const remarks: LogRemark[] = [];
  const remark = (
    isMeant: (topic: TopicCopies) => boolean,
    what: string,
    remedy: string,
    isProblem = false,
  ) => {
    const names = topics.filter(isMeant).map(({ topic }) => topic);
    if (names.length > 0) remarks.push({ what: `${what}: ${names.join(", ")}`, remedy, isProblem });
  };
  const alter = "kafka-configs.sh --alter --entity-type topics --entity-name <topic> --add-config";
  const reassign = "kafka-reassign-partitions.sh with three brokers for each partition; " +
    "`kafka.replicationFactor`, or default.replication.factor of the brokers, for topics to come";
  remark(({ copies }) => copies < 2, `on only one of ${brokers} brokers, and lost with it`, reassign, true);
  remark(
    ({ inSync, needed }) => inSync < (needed ?? 1),
    "cannot be written to, because too few brokers are in sync",
    "start the brokers that are away",
    true,
  );
  remark(
    ({ copies, inSync, needed }) => inSync < copies && inSync >= (needed ?? 1),
    "not in sync on all of its brokers",
    "start the brokers that are away, or wait until they have caught up",
  );
  remark(
    ({ copies, needed }) => copies > 1 && needed !== null && needed >= copies,
    "cannot be written to while one broker is away",
    `${alter} min.insync.replicas=<one less than its replicas>`,
  );
  remark(
    ({ copies, needed }) => copies > 2 && needed === 1,
    "acknowledged by a single broker, and may be lost with it",
    `${alter} min.insync.replicas=2`,
  );
  return remarks;
}

/** Kafka's own topics, in which positions and transactions are. */
const INTERNAL = ["__consumer_offsets", "__transaction_state"];
const TOPIC = 2;
const NEEDED = "min.insync.replicas";

async function copiesOf(client: KafkaClient, names: readonly string[]): Promise<LogRemark[]> {
  return await client.retry(async () => {
    const broker = await client.any();
    // Of all, since Kafka's own may not be there yet.
    const { brokers, topicMetadata } = await broker.metadata([]);
    const wanted = new Set([...names, ...INTERNAL]);
    const found = topicMetadata.filter(({ topic }) => wanted.has(topic));
    const needed = await neededOf(broker, found.map(({ topic }) => topic));
    const topics = found.map(({ topic, partitionMetadata }) => ({
      topic,
      copies: Math.min(...partitionMetadata.map(({ replicas }) => replicas.length)),
      inSync: Math.min(...partitionMetadata.map(({ isr }) => isr.length)),
      needed: needed.get(topic) ?? null,
    }));
    return remarksOnCopies(topics, brokers.length);
  });
}

async function neededOf(broker: Broker, names: readonly string[]): Promise<ReadonlyMap<string, number>> {
  if (names.length === 0) return new Map();
  try {
    const { resources } = await broker.describeConfigs({
      resources: names.map((name) => ({ type: TOPIC, name, configNames: [NEEDED] })),
    });
    return new Map(resources.map(({ resourceName, configEntries: [entry] }) => [
      resourceName,
      Number(entry?.configValue ?? NaN),
    ]));
  } catch (error) {
    if (kafkaType(error)?.endsWith("AUTHORIZATION_FAILED")) return new Map();
    throw error;
  }
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
