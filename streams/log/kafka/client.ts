/** Finds the broker for a request, and retries while brokers come and go. */

import { getLogger } from "@logtape/logtape";
import { type KafkaConfig, logLevel } from "kafkajs";
import { reasonOf } from "../../../src/values/reason.ts";
import { ignore } from "../ignore.ts";
import { pause } from "../pause.ts";
import { LogError, type Place } from "../log.ts";
import { saslOptions } from "./logins/login.ts";
import { tlsOptions } from "./logins/tls.ts";
import type { KafkaLogOptions } from "./options.ts";
import {
  about,
  isPassing,
  isUnknownTopic,
  isUntrusted,
  kafkaType,
  logErrorOf,
  unserved,
} from "./protocol/errors.ts";
import { type Broker, type Cluster, createCluster, type Throttled } from "./protocol/patch.ts";

const FIRST_PAUSE_MS = 2;
const LONGEST_PAUSE_MS = 1000;
const PAUSE_GROWTH = 1.6;
/** Time between two reports of what fails while it is retried. */
const TELL_MS = 30_000;
const METADATA_MS = 10_000;
/** How long a transaction may take to end before we look for another coordinator. */
const ENDING_MS = 1000;
/** Several, because a refresh that was already under way may have begun too early to include a topic. */
const MAX_REFRESHES = 3;
/** OffsetFetch 7, which can wait for stable offsets, came with Kafka 2.5. */
const NEEDED_VERSION = { api: 9, version: 7, kafka: "2.5" };
const COORDINATORS = { group: 0, transaction: 1 } as const;

export type CoordinatorKind = keyof typeof COORDINATORS;

/** Default of `requestTimeout`: with kafkajs' own default, a silent broker would mean half a minute without lists. */
const REQUEST_TIMEOUT_MS = 10_000;

/** Makes clients with the options of a log. @param onThrottled receives how long brokers make them wait for a quota */
export function clientsOf(
  { brokers, kafka = {}, retryMs }: Pick<KafkaLogOptions, "brokers" | "kafka"> & { readonly retryMs: number },
  onThrottled: Throttled,
): () => KafkaClient {
  const { ssl, sasl } = kafka;
  // One object for all clients, so that they share its tokens.
  const security = {
    ssl: typeof ssl === "object" ? tlsOptions(ssl) : ssl,
    sasl: sasl && saslOptions(sasl),
  } as Partial<KafkaConfig>;
  const config = {
    requestTimeout: REQUEST_TIMEOUT_MS,
    ...(kafka as Partial<KafkaConfig>), // its fields are kafkajs' own options
    ...security,
    logLevel: logLevel.NOTHING,
  };
  return () => new KafkaClient({ ...config, brokers: [...brokers] }, retryMs, onThrottled);
}

const logger = getLogger(["meander", "kafka"]);

/** Connections to a cluster. */
export class KafkaClient implements AsyncDisposable {
  readonly #cluster: Cluster;
  readonly #retryMs: number;
  readonly #coordinators = new Map<string, number>();
  /** Time after which the known leaders are looked up again, milliseconds. */
  readonly #maxAgeMs: number;
  #refreshedAt = -Infinity;
  /** When it last reported what fails while it is retried. */
  #toldAt = -Infinity;
  readonly #closing = new AbortController();
  /** Operations in progress; closing awaits them, because a later request would reopen a closed connection. */
  readonly #running = new Set<Promise<unknown>>();

  /** Makes a client that is not connected yet. @param onThrottled receives how long brokers make it wait for a quota */
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

  /**
   * Says why while it has to retry.
   *
   * @throws Error when no broker can be reached in time, or brokers refuse the login or are too old
   */
  async connect(): Promise<void> {
    let logged = "";
    const mayPass = (error: unknown) => {
      // At the start an error about certificates is permanent; later, they may be in the middle of being replaced.
      if (!isPassing(error) || isUntrusted(error)) return false;
      const reason = reasonOf(error);
      if (reason !== logged) logger.warn("cannot connect, trying again: {reason}", { reason });
      logged = reason;
      this.#toldAt = performance.now();
      return true;
    };
    await this.retry(() => this.#cluster.connect(), mayPass);
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

  /** The node that leads a partition; looked up at intervals, because a leader that is cut off still answers reads. */
  async leaderId(topic: string, partition: number): Promise<number> {
    if (performance.now() - this.#refreshedAt > this.#maxAgeMs) {
      ignore(this.once(() => this.#refreshMetadata()), "the known leaders are used");
    }
    for (let tries = 0;; tries++) {
      const partitions = this.#partitions(topic);
      const found = partitions.find(({ partitionId }) => partitionId === partition);
      if (found !== undefined) return found.leader;
      if (tries >= MAX_REFRESHES) { // tried even if other partitions are known, because a topic may gain some
        throw new LogError("unknown-topic", `Cannot find ${topic}/${partition}: it no longer exists`);
      }
      await this.#refreshMetadata(topic).catch((error) => {
        throw isUnknownTopic(error) ? about(`find topic ${topic}`, error) : error;
      });
    }
  }

  /** Names the partition and its leader in an error that has lasted for as long as we retry; returns others. */
  lasting(error: unknown, place: Place): unknown {
    if (!isPassing(error)) return error;
    const known = this.#partitions(place.topic).find(({ partitionId }) => partitionId === place.partition);
    const broker = this.#cluster.brokerPool.metadata?.brokers.find(({ nodeId }) => nodeId === known?.leader);
    return unserved(place, error, { triedMs: this.#retryMs, leader: known?.leader, broker });
  }

  /** The known partitions of a topic; empty before the first metadata. */
  #partitions(topic: string): ReturnType<Cluster["findTopicPartitionMetadata"]> {
    try {
      return this.#cluster.findTopicPartitionMetadata(topic);
    } catch {
      return []; // no metadata yet
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

  /** What each broker answers; `undefined` where it cannot be reached, or fails. */
  async askAll<Answer>(ask: (broker: Broker) => Promise<Answer>): Promise<(Answer | undefined)[]> {
    const asked = this.#cluster.brokerPool.getNodeIds().map(async (id) => ask(await this.node(Number(id))));
    return (await Promise.allSettled(asked)).map((outcome) =>
      outcome.status === "fulfilled" ? outcome.value : undefined
    );
  }

  /** Forgets coordinators, and fetches metadata again. */
  async refresh(): Promise<void> {
    this.#coordinators.clear();
    await this.#refreshMetadata();
  }

  async #refreshMetadata(...topics: readonly string[]): Promise<void> {
    const { targetTopics } = this.#cluster;
    this.#refreshedAt = performance.now();
    for (const topic of topics) {
      // kafkajs fails for all target topics if one of them is unknown, so an unknown topic must not become a target.
      if (!targetTopics.has(topic)) await (await this.any()).metadata([topic]);
      targetTopics.add(topic);
    }
    ignore(
      this.once(() => this.#meetOne()),
      "other brokers answer, or the request itself fails",
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

  /** Drops target topics that were deleted or hidden from us. */
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
   * Connects to a random broker, for the sake of later refreshes: these ask a connected broker, and if the only one is
   * cut off from the others, it reports the old leaders for ever.
   */
  async #meetOne(): Promise<void> {
    const nodes = this.#cluster.brokerPool.getNodeIds();
    const node = nodes[Math.floor(Math.random() * nodes.length)];
    if (node !== undefined) await this.node(Number(node));
  }

  /**
   * Retries an operation until it succeeds, fails for good, or time is up (it then rejects with the last error).
   *
   * @param isTransient errors after which to retry
   */
  retry<Result>(
    operation: () => Promise<Result>,
    isTransient: (error: unknown) => boolean = isPassing,
  ): Promise<Result> {
    return this.once(() => this.#retry(operation, isTransient));
  }

  /** Runs an operation that uses the connections, which stay open until it has ended. */
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
        if (pause === LONGEST_PAUSE_MS) this.#tell(error);
        await this.pause(pause);
        // That a transaction is still ending is no reason to refresh, unless it lasts: a coordinator that is cut off
        // from the others gives that answer for ever.
        if (kafkaType(error) !== "CONCURRENT_TRANSACTIONS" || performance.now() - began > ENDING_MS) {
          await ignore(this.refresh(), "the next attempt reports it");
        }
      }
    }
  }

  /** Reports operations that fail for longer than a change of leaders takes: their callers only wait. */
  #tell(error: unknown): void {
    const now = performance.now();
    if (now - this.#toldAt < TELL_MS) return;
    this.#toldAt = now;
    logger.warn("brokers do not serve a request, which is tried again: {reason}", {
      reason: reasonOf(error),
    });
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

  /** Closes the connections once the brokers have answered all requests. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    await Promise.allSettled(this.#running);
    await this.#cluster.disconnect();
  }
}
