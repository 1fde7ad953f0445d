/** The topics of a cluster: their specs, and how missing ones are created. */

import { reasonOf } from "../../../src/values/reason.ts";
import { checkPartition, checkSame, checkSpec } from "../checks.ts";
import { type Cleanup, LogError, type TopicIdentity, type TopicSpec } from "../log.ts";
import type { KafkaClient } from "./client.ts";
import { isDenied, isPassing, isUnknownTopic, kafkaType } from "./protocol/errors.ts";
import type { Broker } from "./protocol/patch.ts";
import { identifyTopic } from "./protocol/identity.ts";

/** How {@linkcode KafkaTopics} creates topics. */
export interface TopicDefaults {
  /** Copies of each partition, or -1 for the cluster's default. */
  readonly replicationFactor: number;
  /** Configuration in addition to the cleanup policy. */
  readonly topicConfig: Readonly<Record<string, string>>;
}

const TOPIC_RESOURCE = 2;
export const CLEANUP = "cleanup.policy";
/** Setting for the maximum bytes of a message, which is a batch of records. */
export const LARGEST = "max.message.bytes";
const KEEPING = ["retention.ms", "segment.ms", "max.compaction.lag.ms", "delete.retention.ms"] as const;
export const TIMESTAMPS = "message.timestamp.type";
/** Brokers use values above this for no bound. */
const NO_BOUND_MS = 1e15;
const TIMEOUT_MS = 30_000;
const DENIED: ReadonlySet<string> = new Set(["TOPIC_AUTHORIZATION_FAILED", "CLUSTER_AUTHORIZATION_FAILED"]);

/** A topic as brokers describe it; settings are `undefined` if we lack the right to ask. */
interface Described {
  readonly name: string;
  readonly partitions: number;
  readonly cleanup: Cleanup | undefined;
  /** Maximum bytes of a message. */
  readonly largest: number | undefined;
  /** See `TopicIdentity.id`; absent if it was not asked. */
  readonly id?: string | null;
}

export class KafkaTopics {
  readonly #client: KafkaClient;
  readonly #defaults: TopicDefaults;
  /** Cached descriptions, which seldom change. */
  readonly #known = new Map<string, Described>();
  /** Topics that brokers have shown us: when one is denied later, that says nothing of whether it is there. */
  readonly #seen = new Set<string>();

  /** Starts with an empty cache. */
  constructor(client: KafkaClient, defaults: TopicDefaults) {
    this.#client = client;
    this.#defaults = defaults;
  }

  /** The spec of a topic, which is then cached. @throws LogError `unknown-topic`, or `unreachable` when it is denied now */
  async spec(name: string): Promise<TopicSpec> {
    this.#client.throwIfClosed();
    const known = this.#known.get(name) ?? await this.#find(name);
    if (known === undefined) {
      throw new LogError(
        "unknown-topic",
        `Cannot find topic ${name}: it does not exist, or we may not see it`,
      );
    }
    this.#known.set(name, known);
    return specOf(known);
  }

  /** The spec of a topic that has the partition. @throws LogError when it has not */
  async check(topic: string, partition: number): Promise<TopicSpec> {
    let spec = await this.spec(topic);
    if (partition >= spec.partitions) { // others may have added partitions
      this.forget(topic);
      spec = await this.spec(topic);
    }
    checkPartition(spec, partition);
    return spec;
  }

  /** Maximum bytes of a message of a cached topic; `Infinity` if unknown. */
  largest(name: string): number {
    return this.#known.get(name)?.largest ?? Infinity;
  }

  /** The id of a cached topic; `undefined` if it is not cached. */
  idOf(name: string): string | null | undefined {
    return this.#known.get(name)?.id;
  }

  /** Removes a topic from the cache. */
  forget(name: string): void {
    this.#known.delete(name);
  }

  /** Empties the cache. */
  forgetAll(): void {
    this.#known.clear();
  }

  /** The identity of the topic that has this name now, or `null`. @throws LogError `unreachable` when it is denied now */
  async identify(name: string): Promise<TopicIdentity | null> {
    const ask = async () => await identifyTopic(await this.#client.any(), name);
    return await this.#ifShown(name, () => this.#client.retry(ask)) ?? null;
  }

  /** See `Log.keepMs`. */
  async keepMs(name: string): Promise<number | null> {
    return keepMsOf(await this.#config(name, [CLEANUP, ...KEEPING]));
  }

  /** Whose time the records of a topic have: `CreateTime` or `LogAppendTime`; `null` = we lack the right to ask. */
  async timestampType(name: string): Promise<string | null> {
    return (await this.#config(name, [TIMESTAMPS])).get(TIMESTAMPS) ?? null;
  }

  /** Some settings of a topic; empty if we lack the right to ask. */
  async #config(name: string, configNames: readonly string[]): Promise<ReadonlyMap<string, string>> {
    return await this.#client.retry(async () =>
      (await settingsOf(await this.#client.any(), [name], configNames)).get(name) ?? new Map()
    );
  }

  /** The topics that we may see and whose names begin with a prefix; brokers are asked for the settings of these only. */
  async list(prefix = ""): Promise<Map<string, TopicSpec>> {
    const known = await this.#client.retry(async () => await describe(await this.#client.any(), [], prefix));
    return new Map(known.map((topic) => [topic.name, specOf(topic)]));
  }

  /**
   * Creates the topics that do not exist.
   *
   * @throws RangeError when a spec is invalid
   * @throws LogError `topic-mismatch` when one exists with another spec (none is created then), or a name is refused
   * @throws LogError `unknown-topic` with a list of the missing topics, when we may not create them
   */
  async create(topics: readonly TopicSpec[]): Promise<void> {
    this.#client.throwIfClosed();
    const missing = new Map<string, TopicSpec>();
    for (const topic of topics) {
      checkSpec(topic);
      const wanted = missing.get(topic.name);
      if (wanted !== undefined) checkSame(wanted, topic);
      missing.set(topic.name, topic);
    }
    for (const topic of topics) {
      const found = await this.#find(topic.name);
      if (found === undefined) continue;
      checkSame({ ...found, cleanup: found.cleanup ?? topic.cleanup }, topic);
      missing.delete(topic.name);
    }
    if (missing.size > 0) await this.#create([...missing.values()]);
  }

  async #create(topics: readonly TopicSpec[]): Promise<void> {
    const { replicationFactor, topicConfig } = this.#defaults;
    const request = topics.map(({ name, partitions, cleanup }) => ({
      topic: name,
      numPartitions: partitions,
      replicationFactor,
      configEntries: Object.entries({ ...topicConfig, [CLEANUP]: cleanup })
        .map(([name, value]) => ({ name, value })),
    }));
    await this.#client.retry(async () => {
      const controller = await this.#client.controller();
      try {
        await controller.createTopics({ topics: request, timeout: TIMEOUT_MS });
      } catch (error) {
        const all = error instanceof Error && "errors" in error ? error.errors : undefined;
        const errors: readonly unknown[] = Array.isArray(all) ? all : [error];
        const isDenied = errors.some((each) => DENIED.has(kafkaType(each) ?? ""));
        if (isDenied) throw this.#notAllowed(topics);
        // Another process may have created the topic first; its spec is checked below.
        const bad = errors.find((each) => kafkaType(each) !== "TOPIC_ALREADY_EXISTS");
        if (bad !== undefined) throw await this.#whyRefused(bad);
      }
    });
    for (const topic of topics) {
      const made = await this.#client.retry(async () => {
        const [known] = await describe(await this.#client.any(), [topic.name]);
        return known;
      }, (error) => isPassing(error) || isUnknownTopic(error));
      if (made !== undefined) checkSame({ ...made, cleanup: made.cleanup ?? topic.cleanup }, topic);
    }
  }

  /** Says how to create topics that we may not create. */
  #notAllowed(topics: readonly TopicSpec[]): LogError {
    const { replicationFactor, topicConfig } = this.#defaults;
    const copies = replicationFactor < 0 ? "" : ` --replication-factor ${replicationFactor}`;
    const commands = topics.map(({ name, partitions, cleanup }) => {
      const config = Object.entries({ ...topicConfig, [CLEANUP]: cleanup }).map((pair) => pair.join("="));
      const settings = config.map((one) => ` --config ${one}`).join("");
      return `\n  kafka-topics.sh --create --topic ${name} --partitions ${partitions}${copies}${settings}`;
    });
    const message =
      "Cannot create missing topics: we lack the right to. Have an administrator run this, then start again:";
    return new LogError("unknown-topic", message + commands.join(""));
  }

  /** Says which name brokers refuse, and which topic it collides with: names must differ in more than `.` and `_`. */
  async #whyRefused(error: unknown): Promise<unknown> {
    if (kafkaType(error) !== "INVALID_TOPIC_EXCEPTION") return error;
    const name = String((error as { readonly topic?: string }).topic); // as `KafkaJSCreateTopicError` has it
    const flat = (name: string) => name.replaceAll(".", "_");
    const other = [...(await this.list()).keys()].find((other) =>
      other !== name && flat(other) === flat(name)
    );
    const why = other === undefined ? "" : `: there is ${other}, which differs only in . and _`;
    return new LogError("topic-mismatch", `Cannot create topic ${name}: brokers refuse its name${why}`, {
      cause: error,
    });
  }

  async #find(name: string): Promise<Described | undefined> {
    const ask = async () => {
      const broker = await this.#client.any();
      const [described] = await describe(broker, [name]);
      return described && { ...described, id: (await identifyTopic(broker, name)).id };
    };
    try {
      return await this.#ifShown(name, () => this.#client.retry(ask));
    } catch (error) {
      if (kafkaType(error) === "INVALID_TOPIC_EXCEPTION") return undefined;
      throw error;
    }
  }

  /** What brokers say of a topic; `undefined` when there is none, or they have never shown it to us. */
  async #ifShown<T>(name: string, ask: () => Promise<T>): Promise<T | undefined> {
    try {
      const shown = await ask();
      this.#seen.add(name);
      return shown;
    } catch (error) {
      if (!isUnknownTopic(error)) throw error;
      if (!isDenied(error) || !this.#seen.has(name)) return undefined;
      throw new LogError("unreachable", `Cannot find topic ${name}: ${reasonOf(error)}`, { cause: error });
    }
  }
}

/** Describes topics by name; if none is named, all that begin with the prefix. @throws the broker's error when one is unknown */
async function describe(broker: Broker, names: readonly string[], prefix = ""): Promise<Described[]> {
  const { topicMetadata } = await broker.metadata(names);
  const topics = topicMetadata.filter(({ isInternal, topic }) => !isInternal && topic.startsWith(prefix));
  const settings = await settingsOf(broker, topics.map(({ topic }) => topic), [CLEANUP, LARGEST]);
  return topics.map(({ topic, partitionMetadata }) => {
    const own = settings.get(topic);
    const largest = own?.get(LARGEST);
    return {
      name: topic,
      partitions: partitionMetadata.length,
      cleanup: own && (own.get(CLEANUP)?.includes("compact") ? "compact" : "delete"),
      largest: largest === undefined ? undefined : Number(largest),
    };
  });
}

/** Settings of topics, by topic and name; empty if we lack the right to ask. */
export async function settingsOf(
  broker: Broker,
  topics: readonly string[],
  configNames: readonly string[],
): Promise<ReadonlyMap<string, ReadonlyMap<string, string>>> {
  if (topics.length === 0) return new Map();
  try {
    const { resources } = await broker.describeConfigs({
      resources: topics.map((name) => ({ type: TOPIC_RESOURCE, name, configNames })),
    });
    return new Map(resources.map(({ resourceName, configEntries }) => [
      resourceName,
      new Map(configEntries.map(({ configName, configValue }) => [configName, configValue])),
    ]));
  } catch (error) {
    if (DENIED.has(kafkaType(error) ?? "")) return new Map();
    throw error;
  }
}

/**
 * How long a record may stay, by the configuration of its topic. A segment receives records for `segment.ms` and is
 * dropped as a whole, once its newest record is old enough. Compaction begins at most `max.compaction.lag.ms` after a
 * record; a tombstone stays for `delete.retention.ms` after that, until the next compaction.
 */
export function keepMsOf(config: ReadonlyMap<string, string>): number | null {
  const [retention = -1, segment = NaN, lag = NaN, tombstones = NaN] = KEEPING.map((name) =>
    Number(config.get(name) ?? NaN)
  );
  const policy = config.get(CLEANUP) ?? "";
  const dropped = policy.includes("delete") && retention >= 0 ? retention + segment : Infinity;
  const compacted = policy.includes("compact") && lag < NO_BOUND_MS ? 2 * lag + tombstones : Infinity;
  const keepMs = Math.min(dropped, compacted);
  return keepMs < NO_BOUND_MS ? keepMs : null;
}

function specOf({ name, partitions, cleanup = "delete" }: Described): TopicSpec {
  return { name, partitions, cleanup };
}
