/**
 * Reviews how a cluster is configured for a deployment: which rights are missing, which settings harm or delay it,
 * which topics have too few copies. Rights are tested in a transaction that is aborted and leaves nothing behind.
 */

import type { LogRemark, LogUse } from "../log.ts";
import type { KafkaClient } from "./client.ts";
import { kafkaType } from "./protocol/errors.ts";
import { CLEANUP, LARGEST, settingsOf, TIMESTAMPS } from "./topics.ts";

/** A right that is missing, as Kafka's ACLs name it. */
interface MissingRight {
  readonly operation: "Write" | "Read";
  readonly resource: "Topic" | "Group" | "TransactionalId";
  readonly name: string;
}

const TRANSACTION_MS = 10_000;

const ACL_OPTIONS = { Topic: "--topic", Group: "--group", TransactionalId: "--transactional-id" } as const;

/** See `Log.review`. @param timestamps `message.timestamp.type` of the topic of events; `null` = unknown */
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
  remarks.push(...await remarksOnTopics(client, use));
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

/** How a topic is replicated. */
export interface TopicCopies {
  readonly topic: string;
  /** Number of replicas of the partition with the fewest. */
  readonly copies: number;
  /** Number of in-sync replicas of the partition with the fewest. */
  readonly inSync: number;
  /** Number of in-sync replicas that a write requires (`min.insync.replicas`); `null` = we lack the right to ask. */
  readonly needed: number | null;
}

const ALTER = "kafka-configs.sh --alter --entity-type topics --entity-name <topic> --add-config";

/** Settings of a topic that may harm a deployment. */
export interface TopicSettings {
  readonly topic: string;
  /** Whether it must not drop records by age or size. */
  readonly isKept: boolean;
  /** By name; empty if we lack the right to ask. */
  readonly settings: ReadonlyMap<string, string>;
}

/** Remarks on topics whose settings lose records that are needed, or refuse records that are written. */
export function remarksOnSettings(topics: readonly TopicSettings[]): LogRemark[] {
  const { remarks, remark } = remarksOn(topics);
  remark(
    ({ isKept, settings }) => isKept && isBounded(settings),
    "drop records by age or size, so states, positions, checkpoints or versions vanish unnoticed",
    `${ALTER} retention.ms=-1,retention.bytes=-1`,
    true,
  );
  remark(
    ({ settings }) => Number(settings.get(LARGEST) ?? Infinity) < LARGEST_BYTES,
    `limit records to less than ${
      LARGEST_BYTES >> 20
    } MiB, which versions of large models may exceed; the learner that writes one stops`,
    `${ALTER} ${LARGEST}=${LARGEST_BYTES}`,
  );
  remark(
    ({ settings }) =>
      Number(settings.get(OLDEST) ?? Infinity) < NO_BOUND_MS && settings.get(TIMESTAMPS) !== "LogAppendTime",
    "refuse records of old events, at which the task of their partition stops",
    `${ALTER} ${OLDEST}=9223372036854775807`,
    true,
  );
  return remarks;
}

/** Whether a topic drops records by age or by size. */
function isBounded(settings: ReadonlyMap<string, string>): boolean {
  const isDropping = settings.get(CLEANUP)?.includes("delete") === true;
  return isDropping && RETENTION.some((name) => Number(settings.get(name) ?? -1) >= 0);
}

/** Gathers remarks, each on the topics that it is about. */
function remarksOn<Topic extends { readonly topic: string }>(topics: readonly Topic[]) {
  const remarks: LogRemark[] = [];
  const remark = (
    isMeant: (topic: Topic) => boolean,
    what: string,
    remedy: string,
    isProblem = false,
  ) => {
    const names = topics.filter(isMeant).map(({ topic }) => topic);
    if (names.length > 0) remarks.push({ what: `${what}: ${names.join(", ")}`, remedy, isProblem });
  };
  return { remarks, remark };
}

/** Remarks on how topics are replicated. @param brokers number of brokers in the cluster */
export function remarksOnCopies(topics: readonly TopicCopies[], brokers: number): LogRemark[] {
  const { remarks, remark } = remarksOn(topics);
  remark(
    ({ copies, needed }) => (needed ?? 1) > copies,
    "can never be written to, because min.insync.replicas is above the number of replicas",
    `${ALTER} min.insync.replicas=<one less than its replicas, or 1>`,
    true,
  );
  if (brokers < 2) return remarks;
  const reassign = "kafka-reassign-partitions.sh with three brokers for each partition; " +
    "`kafka.replicationFactor`, or default.replication.factor of the brokers, for future topics";
  remark(({ copies }) => copies < 2, `on only one of ${brokers} brokers, and lost with it`, reassign, true);
  remark(
    ({ copies, inSync, needed }) => inSync < (needed ?? 1) && (needed ?? 1) <= copies,
    "cannot be written to, because too few brokers are in sync",
    "start the brokers that are down",
    true,
  );
  remark(
    ({ copies, inSync, needed }) => inSync < copies && inSync >= (needed ?? 1),
    "not in sync on all of its brokers",
    "start the brokers that are down, or wait until they have caught up",
  );
  remark(
    ({ copies, needed }) => copies > 1 && needed === copies,
    "cannot be written to while one broker is down",
    `${ALTER} min.insync.replicas=<one less than its replicas>`,
  );
  remark(
    ({ copies, needed }) => copies > 2 && needed === 1,
    "acknowledged by a single broker, and may be lost with it",
    `${ALTER} min.insync.replicas=2`,
  );
  return remarks;
}

/** Kafka's own topics, which hold group offsets and transactions. */
const INTERNAL = ["__consumer_offsets", "__transaction_state"];
const NEEDED = "min.insync.replicas";
const RETENTION = ["retention.ms", "retention.bytes"];
const OLDEST = "message.timestamp.before.max.ms";
const SETTINGS = [NEEDED, CLEANUP, ...RETENTION, LARGEST, OLDEST, TIMESTAMPS];
/** An age that no event exceeds: more than the time since 1970. */
const NO_BOUND_MS = 1e13;
/** Maximum batch size of the topics that we create. */
const LARGEST_BYTES = 8 << 20;

async function remarksOnTopics(
  client: KafkaClient,
  { topics: names, kept }: LogUse,
): Promise<LogRemark[]> {
  return await client.retry(async () => {
    const broker = await client.any();
    // Of all topics, because requesting Kafka's own by name fails while they do not exist yet.
    const { brokers, topicMetadata } = await broker.metadata([]);
    const wanted = new Set([...names, ...INTERNAL]);
    const found = topicMetadata.filter(({ topic }) => wanted.has(topic));
    const settings = await settingsOf(broker, found.map(({ topic }) => topic), SETTINGS);
    const topics = found.map(({ topic, partitionMetadata }) => ({
      topic,
      copies: Math.min(...partitionMetadata.map(({ replicas }) => replicas.length)),
      inSync: Math.min(...partitionMetadata.map(({ isr }) => isr.length)),
      needed: Number(settings.get(topic)?.get(NEEDED) ?? NaN) || null,
    }));
    const own = names.map((topic) => {
      return { topic, isKept: kept.includes(topic), settings: settings.get(topic) ?? new Map() };
    });
    return [...remarksOnCopies(topics, brokers.length), ...remarksOnSettings(own)];
  });
}

/** The rights that we lack. Opens a transactional id of its own, because opening one in use would fence its owner. */
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
