/**
 * Finds the broker for a request, and retries while brokers come and go.
 *
 * @module
 */

import type { KafkaConfig } from "kafkajs";
import { reasonOf } from "../../../src/values/reason.ts";
import { ignore } from "../ignore.ts";
import { pause } from "../pause.ts";
import { LogError } from "../log.ts";
import { type Broker, type Cluster, createCluster, type Throttled } from "./protocol/patch.ts";

const FIRST_PAUSE_MS = 2;
const LONGEST_PAUSE_MS = 1000;
const PAUSE_GROWTH = 1.6;
const METADATA_MS = 10_000;
/** How long a transaction may take to end before we look for another coordinator. */
const ENDING_MS = 1000;
/** A refresh already under way may have been too early for a topic; the second is not. */
const MAX_REFRESHES = 2;
/** OffsetFetch 7, which can wait for stable offsets, came with Kafka 2.5. */
const NEEDED_VERSION = { api: 9, version: 7, kafka: "2.5" };
const COORDINATORS = { group: 0, transaction: 1 } as const;

export type CoordinatorKind = keyof typeof COORDINATORS;

/** Connections to a cluster. */
export class KafkaClient implements AsyncDisposable {
  readonly #cluster: Cluster;
  readonly #retryMs: number;
  readonly #coordinators = new Map<string, number>();
  /** Longest time for which the known leaders are trusted, milliseconds. */
  readonly #maxAgeMs: number;
  #refreshedAt = -Infinity;
  readonly #closing = new AbortController();
  /** Operations that use the connections; a request after these have closed would open them again. */
  readonly #running = new Set<Promise<unknown>>();

  /** Makes a client that is not connected yet. @param onThrottled told how long brokers make it wait for a quota */
  constructor(config: KafkaConfig, retryMs: number, onThrottled: Throttled = () => {}) {
    // We retry ourselves: kafkajs would go on after the log was closed.
    this.#cluster = createCluster({ ...config, retry: { retries: 0 } }, onThrottled);
    this.#retryMs = retryMs;
    this.#maxAgeMs = config.requestTimeout ?? METADATA_MS;
  }

  /** Aborted when the client closes. */
  get closing(): AbortSignal {
    return this.#closing.signal;
  }

  /** @throws Error when no broker can be reached in time, refuses the login, or is too old */
  async connect(): Promise<void> {
    // At the start such an error is permanent; later, certificates may be in the middle of being replaced.
    await this.retry(() => this.#cluster.connect(), (error) => isPassing(error) && !isUntrusted(error));
    const { versions } = await this.any();
    const { api, version, kafka } = NEEDED_VERSION;
    if ((versions[api]?.maxVersion ?? 0) < version) {
      throw new Error(`Cannot use this Kafka cluster: its brokers are older than ${kafka}`);
    }
  }

  /** Any connected broker. */
  any(): Promise<Broker> {
    return this.#cluster.brokerPool.findConnectedBroker();
  }

  /** The broker that creates topics. */
  async controller(): Promise<Broker> {
    await this.#cluster.refreshMetadata();
    return await this.#cluster.findControllerBroker();
  }

  /** The broker that leads a partition. @throws LogError `unknown-topic` when there is no such partition */
  async leader(topic: string, partition: number): Promise<Broker> {
    return await this.#cluster.findBroker({ nodeId: await this.leaderId(topic, partition) });
  }

  /** The node that leads a partition, looked up at intervals: a leader that is cut off still answers reads. */
  async leaderId(topic: string, partition: number): Promise<number> {
    if (performance.now() - this.#refreshedAt > this.#maxAgeMs) {
      ignore(this.once(() => this.#refreshMetadata()), "there are leaders that we know");
    }
    for (let tries = 0;; tries++) {
      const partitions = this.#partitions(topic);
      const found = partitions.find(({ partitionId }) => partitionId === partition);
      if (found !== undefined) return found.leader;
      if (tries > MAX_REFRESHES) { // also where others are known: a topic may get more
        throw new LogError("unknown-topic", `Cannot find ${topic}/${partition}: it is gone`);
      }
      await this.#refreshMetadata(topic).catch((error) => {
        throw isUnknownTopic(error) ? about(`find topic ${topic}`, error) : error;
      });
    }
  }

  /** The known partitions of a topic; empty before the first metadata. */
  #partitions(topic: string): ReturnType<Cluster["findTopicPartitionMetadata"]> {
    try {
      return this.#cluster.findTopicPartitionMetadata(topic);
    } catch {
      return []; // nothing is known of any topic yet
    }
  }

  node(nodeId: number): Promise<Broker> {
    return this.#cluster.findBroker({ nodeId });
  }

  /** The broker that coordinates a group or a transactional id. */
  async coordinator(kind: CoordinatorKind, id: string): Promise<Broker> {
    const key = `${kind}/${id}`;
    const known = this.#coordinators.get(key);
    if (known !== undefined) return await this.#cluster.findBroker({ nodeId: known });
    const broker = await this.any();
    const asked = { groupId: id, coordinatorType: COORDINATORS[kind] };
    const { coordinator } = await broker.findGroupCoordinator(asked).catch((error) => {
      throw about(`find the coordinator of ${kind} ${id}`, error);
    });
    this.#coordinators.set(key, coordinator.nodeId);
    return await this.#cluster.findBroker(coordinator);
  }

  /** Forgets leaders and coordinators, and fetches metadata. */
  async refresh(): Promise<void> {
    this.#coordinators.clear();
    await this.#refreshMetadata();
  }

  async #refreshMetadata(...topics: readonly string[]): Promise<void> {
    const { targetTopics } = this.#cluster;
    this.#refreshedAt = performance.now();
    for (const topic of topics) {
      // kafkajs refuses all topics where one is unknown, whoever asked for it: no such one may become a target.
      if (!targetTopics.has(topic)) await (await this.any()).metadata([topic]);
      targetTopics.add(topic);
    }
    ignore(
      this.once(() => this.#meetOne()),
      "there are brokers that answer, or the request says that there is none",
    );
    try {
      await this.#cluster.refreshMetadata();
    } catch (error) {
      if (!isUnknownTopic(error)) throw error;
      await this.#forgetUnknown();
      if (topics.some((topic) => !targetTopics.has(topic))) throw error;
      await this.#cluster.refreshMetadata();
    }
  }

  /** Leaves out target topics that were deleted or hidden from us. */
  async #forgetUnknown(): Promise<void> {
    const { targetTopics } = this.#cluster;
    const broker = await this.any();
    await Promise.all([...targetTopics].map(async (topic) => {
      await broker.metadata([topic]).catch((error) => {
        if (isUnknownTopic(error)) targetTopics.delete(topic);
      });
    }));
  }

  /**
   * Connects to a random broker, for later refreshes. They ask a connected broker, and if the only one is cut off from
   * the others, it names the old leaders for ever.
   */
  async #meetOne(): Promise<void> {
    const nodes = this.#cluster.brokerPool.getNodeIds();
    const node = nodes[Math.floor(Math.random() * nodes.length)];
    if (node !== undefined) await this.node(Number(node));
  }

  /**
   * Retries until it succeeds, fails for good, or time is up (it then rejects as the last attempt did).
   *
   * @param isTransient errors after which to retry
   */
  retry<Result>(
    operation: () => Promise<Result>,
    isTransient: (error: unknown) => boolean = isPassing,
  ): Promise<Result> {
    return this.once(() => this.#retry(operation, isTransient));
  }

  /** Runs an operation that uses the connections; they stay open until it has ended. */
  async once<Result>(operation: () => Promise<Result>): Promise<Result> {
    this.throwIfClosed();
    const running = operation();
    this.#running.add(running);
    try {
      return await running;
    } catch (error) {
      throw logErrorOf(error);
    } finally {
      this.#running.delete(running);
    }
  }

  async #retry<Result>(
    operation: () => Promise<Result>,
    isTransient: (error: unknown) => boolean,
  ): Promise<Result> {
    const began = performance.now();
    const until = began + this.#retryMs;
    for (let pause = FIRST_PAUSE_MS;; pause = Math.min(pause * PAUSE_GROWTH, LONGEST_PAUSE_MS)) {
      this.throwIfClosed();
      try {
        return await operation();
      } catch (error) {
        this.throwIfClosed();
        if (!isTransient(error) || performance.now() + pause > until) throw error;
        await this.pause(pause);
        // A transaction that is still ending says nothing about the brokers, unless it does not end: a coordinator that
        // is cut off from the others says so for ever.
        if (kafkaType(error) !== "CONCURRENT_TRANSACTIONS" || performance.now() - began > ENDING_MS) {
          await ignore(this.refresh(), "the next attempt reports it");
        }
      }
    }
  }

  /** Waits; rejects with a LogError `closed` as soon as the client closes. */
  async pause(ms: number): Promise<void> {
    await pause(ms, this.closing);
    this.throwIfClosed();
  }

  /** @throws LogError `closed` when the client is closing */
  throwIfClosed(): void {
    if (this.closing.aborted) throw new LogError("closed", "Cannot use the log: it is closed");
  }

  /** Closes the connections once the brokers have answered what they were asked. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    await Promise.allSettled(this.#running);
    await this.#cluster.disconnect();
  }
}

const PASSING_NAMES: ReadonlySet<string> = new Set([
  "KafkaJSConnectionError",
  "KafkaJSConnectionClosedError",
  "KafkaJSRequestTimeoutError",
  "KafkaJSBrokerNotFound",
  "KafkaJSLockTimeout",
  "KafkaJSMetadataNotLoaded",
  "KafkaJSTopicMetadataNotLoaded",
]);
const PASSING_TYPES: ReadonlySet<string> = new Set([
  "CORRUPT_MESSAGE",
  "LEADER_NOT_AVAILABLE",
  "NOT_LEADER_FOR_PARTITION",
  "REQUEST_TIMED_OUT",
  "BROKER_NOT_AVAILABLE",
  "REPLICA_NOT_AVAILABLE",
  "NETWORK_EXCEPTION",
  "GROUP_LOAD_IN_PROGRESS",
  "GROUP_COORDINATOR_NOT_AVAILABLE",
  "NOT_COORDINATOR_FOR_GROUP",
  "NOT_ENOUGH_REPLICAS",
  "NOT_ENOUGH_REPLICAS_AFTER_APPEND",
  "NOT_CONTROLLER",
  "KAFKA_STORAGE_ERROR",
  "LISTENER_NOT_FOUND",
  "FENCED_LEADER_EPOCH",
  "UNKNOWN_LEADER_EPOCH",
  "OFFSET_NOT_AVAILABLE",
  "PREFERRED_LEADER_NOT_AVAILABLE",
  "UNSTABLE_OFFSET_COMMIT",
  "CONCURRENT_TRANSACTIONS",
  "ILLEGAL_SASL_STATE",
]);

/** Whether an error may go away by retrying. */
export function isPassing(error: unknown): boolean {
  for (const cause of causes(error)) {
    const type = typeOf(cause);
    if (type !== undefined) return PASSING_TYPES.has(type);
    if (PASSING_NAMES.has(cause.name)) return true;
  }
  return false;
}

/** Whether one side does not trust the other's certificate, which comes as a failed connection, too. */
function isUntrusted(error: unknown): boolean {
  return [...causes(error)].some(({ message }) => /certificate/i.test(message));
}

/** The same for partitions: a broker may not know yet that a topic exists, or that it leads it. */
export function isPassingForPartitions(error: unknown): boolean {
  return isPassing(error) || kafkaType(error) === "UNKNOWN_TOPIC_OR_PARTITION";
}

/** The same error, saying what it is about: kafkajs names neither topics nor ids. */
export function about(what: string, cause: unknown): Error {
  const error = new Error(`Cannot ${what}: ${reasonOf(cause)}`, { cause });
  if (cause instanceof Error) error.name = cause.name;
  return error;
}

/** An error of kafkajs as one of the log, with the same message: brokers are away, or refuse. Others stay as they are. */
export function logErrorOf(error: unknown): unknown {
  const isKafka = error instanceof Error && error.name.startsWith("KafkaJS");
  return isKafka ? new LogError("unreachable", error.message, { cause: error }) : error;
}

/** Kafka's name of an error or of one of its causes; `undefined` for other errors. */
export function kafkaType(error: unknown): string | undefined {
  for (const cause of causes(error)) {
    const type = typeOf(cause);
    if (type !== undefined) return type;
  }
  return undefined;
}

/** Whether the broker does not know a topic, or hides it. */
export function isUnknownTopic(error: unknown): boolean {
  const type = kafkaType(error);
  return type === "UNKNOWN_TOPIC_OR_PARTITION" || type === "TOPIC_AUTHORIZATION_FAILED";
}

function typeOf(error: Error): string | undefined {
  return "type" in error && typeof error.type === "string" ? error.type : undefined;
}

function* causes(error: unknown): Generator<Error> {
  for (let depth = 0; error instanceof Error && depth < 10; error = error.cause, depth++) yield error;
}
