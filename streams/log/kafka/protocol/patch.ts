/**
 * The only module that touches the internals of kafkajs. The log uses kafkajs for what it does well: connections, TLS,
 * SASL, metadata and the encoding of small requests. Records, transactions and groups are modules of our own, because
 * kafkajs 2.2.4 handles them wrongly or slowly. Its defects, and how we avoid each:
 *
 * 1. *Read committed is not read committed.* Records of aborted transactions that overlap are delivered;
 *    a record whose key is four zero bytes counts as an abort. Avoided: `record_batch.ts` filters by producer, as
 *    the protocol specifies.
 * 2. *An endless loop on compacted topics.* A segment that holds only an empty batch is fetched forever. Avoided:
 *    `decodeBatches()` moves the position past every batch, with records or without.
 * 3. *The transaction manager ignores the `retry` option*, so taking over from a crashed writer takes at least
 *    300 ms. Avoided by `producer.ts`.
 * 4. *A timer fires every millisecond on each connection, forever* (and prints `TimeoutNegativeWarning`): the
 *    queue of requests looks for pending ones even when there are none. **Patched here.**
 * 5. *Each request that finds a connection closed opens it*, and all but one of the sockets are never closed. Also,
 *    while a broker is away, each failure closes the closed socket again, which adds a listener to it each time.
 *    **Patched here.**
 * 6. *A connection that is being closed counts as open*, even after its socket has been destroyed: a request then fails
 *    with a TypeError, which is not retried. **Patched here.**
 * 7. *A request that is not answered in time leaves its connection as it is*: later requests queue behind it, and
 *    metadata is requested from the silent broker. **Patched here**: the connection is dropped, so the next request
 *    goes to another broker or reopens it.
 * 8. *A login is renewed a fixed time before the session ends*, at once if sessions are shorter, as with a token about
 *    to expire: brokers refuse a second login within a second, and kafkajs keeps using the connection.
 *    **Patched here**: at least four fifths of a session are used, and a connection with a refused login is dropped.
 * 9. *One partition without a leader makes all metadata fail*, so no leader is found for other topics either.
 *    **Patched here**: such a partition has the leader -1, which is no broker, and is looked up again.
 * 10. *Only a refused connection makes it try the next broker of the list*: if the first one is frozen, or behind a proxy
 *    that closes connections, no client connects, although the others are there. **Patched here**: any failure does.
 *
 * `tests/log/kafka_faults_test.ts` holds the log to all of this on a real broker. The patch imports private files, so
 * it rejects any version of kafkajs but 2.2.4.
 */

import { Buffer } from "node:buffer";
import { hrtime } from "node:process";
import { Kafka, type KafkaConfig } from "kafkajs";
import { KafkaJSConnectionClosedError } from "kafkajs/src/errors.js";
import manifest from "kafkajs/package.json" with { type: "json" };
import Encoder from "kafkajs/src/protocol/encoder.js";
import metadataResponse from "kafkajs/src/protocol/requests/metadata/v6/response.js";
import { createErrorFromCode } from "kafkajs/src/protocol/error.js";
import NetworkConnection from "kafkajs/src/network/connection.js";
import RequestQueue from "kafkajs/src/network/requestQueue/index.js";
import { WireReader, type WireWriter } from "./wire.ts";

/** The version that the patch is for. */
const KAFKAJS = "2.2.4";

/** @throws Error when the patch is not for this version */
export function checkVersion(version: string): void {
  if (version !== KAFKAJS) {
    throw new Error(`Cannot use kafkajs ${version}: the patch is for ${KAFKAJS} only`);
  }
}

checkVersion(manifest.version);

interface Queue {
  readonly pending: readonly unknown[];
  readonly throttledUntil: number;
  scheduleCheckPendingRequests(): void;
}

const queue: Queue = RequestQueue.prototype;
const schedule = queue.scheduleCheckPendingRequests;
queue.scheduleCheckPendingRequests = function (this: Queue) {
  if (this.pending.length > 0 || this.throttledUntil > Date.now()) schedule.call(this);
};

interface Connection {
  socket: { destroy(): void } | null | undefined;
  readonly host: string;
  readonly port: number;
  /** As `process.hrtime()` returned it; `null` without a login. */
  readonly authenticatedAt: [number, number] | null;
  /** Milliseconds; 0 = for ever. */
  readonly sessionLifetime: { toString(): string };
  readonly reauthenticationThreshold: number;
  isAuthenticated(): boolean;
  isConnected(): boolean;
  connect(): Promise<unknown>;
  disconnect(): Promise<unknown>;
  send(protocol: unknown): Promise<unknown>;
  rejectRequests(error: Error): void;
}

const connection: Connection = NetworkConnection.prototype;
const { isConnected, connect, disconnect, send } = connection;
connection.isConnected = function (this: Connection) {
  return this.socket != null && isConnected.call(this);
};
/** Least share of a session that is used before the next login. */
const SESSION_SHARE = 0.8;
const connecting = new WeakMap<Connection, Promise<unknown>>();
connection.connect = function (this: Connection) {
  const opening = connecting.get(this) ?? connect.call(this).finally(() => connecting.delete(this));
  connecting.set(this, opening);
  return opening;
};
connection.disconnect = async function (this: Connection) {
  const { socket } = this;
  const done = await disconnect.call(this);
  if (this.socket === socket) this.socket = undefined;
  return done;
};
connection.isAuthenticated = function (this: Connection) {
  const { authenticatedAt, reauthenticationThreshold } = this;
  if (authenticatedAt === null) return false;
  const lifetimeMs = Number(this.sessionLifetime);
  const [seconds, nanos] = hrtime(authenticatedAt);
  const usableMs = Math.max(lifetimeMs - reauthenticationThreshold, lifetimeMs * SESSION_SHARE);
  return lifetimeMs === 0 || seconds * 1000 + nanos / 1e6 < usableMs;
};
connection.send = async function (this: Connection, protocol) {
  const { socket } = this;
  try {
    return await send.call(this, protocol);
  } catch (error) {
    const isSilent = error instanceof Error && error.name === "KafkaJSRequestTimeoutError";
    const isConfused = error instanceof Error && "type" in error && error.type === "ILLEGAL_SASL_STATE";
    // Another request may have dropped the connection already, and opened the next.
    if ((isSilent || isConfused) && socket != null && socket === this.socket) {
      const { host, port } = this;
      const why = isSilent ? "is silent" : "accepts no login now";
      this.rejectRequests(new KafkaJSConnectionClosedError(`${host}:${port} ${why}`, { host, port }));
      await this.disconnect();
      socket.destroy();
    }
    throw error;
  }
};

interface Metadata {
  readonly topicMetadata: readonly {
    readonly partitionMetadata: readonly { readonly partitionErrorCode: number }[];
  }[];
}

/** LEADER_NOT_AVAILABLE, REPLICA_NOT_AVAILABLE and LISTENER_NOT_FOUND. */
const LEADERLESS: ReadonlySet<number> = new Set([5, 9, 72]);
const metadata: { parse(data: Metadata): Promise<unknown> } = metadataResponse;
const { parse } = metadata;
metadata.parse = (data) =>
  parse({
    ...data,
    topicMetadata: data.topicMetadata.map((topic) => ({
      ...topic,
      partitionMetadata: topic.partitionMetadata.map((partition) =>
        LEADERLESS.has(partition.partitionErrorCode) ? { ...partition, partitionErrorCode: 0 } : partition
      ),
    })),
  });

/** A partition in kafkajs' requests; offsets are decimal strings there. */
export interface PartitionOffset {
  readonly partition: number;
  readonly offset: string;
}

interface ProducerIdentity {
  readonly transactionalId: string;
  readonly producerId: string;
  readonly producerEpoch: number;
}

/** A request and how to read its response, as kafkajs sends it. */
interface Protocol<Answer> {
  readonly request: {
    readonly apiKey: number;
    readonly apiVersion: number;
    readonly apiName: string;
    readonly encode: () => Promise<unknown>;
  };
  readonly response: {
    readonly decode: (payload: Uint8Array) => Promise<Answer>;
    readonly parse: (answer: Answer) => Promise<Answer>;
  };
  readonly requestTimeout?: number | undefined;
}

/** A broker of the cluster: the methods of kafkajs' own that we use. They throw errors with a `type`. */
export interface Broker {
  readonly nodeId: number;
  readonly versions: Readonly<Record<number, { readonly maxVersion: number }>>;
  readonly connectionPool: {
    readonly pool: readonly { readonly requestTimeout: number }[];
    send<Answer>(protocol: Protocol<Answer>): Promise<Answer>;
  };
  disconnect(): Promise<void>;
  metadata(topics: readonly string[]): Promise<{
    readonly brokers: readonly { readonly nodeId: number }[];
    readonly topicMetadata: readonly {
      readonly topic: string;
      readonly isInternal: boolean;
      readonly partitionMetadata: readonly {
        readonly partitionId: number;
        readonly leader: number;
        readonly replicas: readonly number[];
        readonly isr: readonly number[];
      }[];
    }[];
  }>;
  listOffsets(request: {
    readonly replicaId: -1;
    readonly isolationLevel: 0 | 1;
    readonly topics: readonly {
      readonly topic: string;
      readonly partitions: readonly { readonly partition: number; readonly timestamp: number }[];
    }[];
  }): Promise<{
    readonly responses: readonly {
      readonly topic: string;
      readonly partitions: readonly PartitionOffset[];
    }[];
  }>;
  deleteRecords(request: {
    readonly topics: readonly { readonly topic: string; readonly partitions: readonly PartitionOffset[] }[];
  }): Promise<void>;
  createTopics(request: {
    readonly topics: readonly {
      readonly topic: string;
      readonly numPartitions: number;
      readonly replicationFactor: number;
      readonly configEntries: readonly { readonly name: string; readonly value: string }[];
    }[];
    readonly validateOnly?: boolean;
    readonly timeout?: number;
  }): Promise<void>;
  describeConfigs(request: {
    readonly resources: readonly {
      readonly type: 2;
      readonly name: string;
      readonly configNames: readonly string[];
    }[];
  }): Promise<{
    readonly resources: readonly {
      readonly resourceName: string;
      readonly configEntries: readonly { readonly configName: string; readonly configValue: string }[];
    }[];
  }>;
  findGroupCoordinator(request: { readonly groupId: string; readonly coordinatorType: 0 | 1 }): Promise<{
    readonly coordinator: { readonly nodeId: number };
  }>;
  describeGroups(request: { readonly groupIds: readonly string[] }): Promise<{
    readonly groups: readonly {
      readonly members: readonly {
        readonly memberId: string;
        readonly clientHost: string;
        readonly memberAssignment: Uint8Array;
      }[];
    }[];
  }>;
  joinGroup(request: {
    readonly groupId: string;
    readonly sessionTimeout: number;
    readonly rebalanceTimeout: number;
    readonly memberId: string;
    readonly groupProtocols: readonly { readonly name: string; readonly metadata: Uint8Array }[];
  }): Promise<{
    readonly generationId: number;
    readonly leaderId: string;
    readonly memberId: string;
    readonly members: readonly { readonly memberId: string; readonly memberMetadata: Uint8Array }[];
  }>;
  syncGroup(request: {
    readonly groupId: string;
    readonly generationId: number;
    readonly memberId: string;
    readonly groupAssignment: readonly { readonly memberId: string; readonly memberAssignment: Uint8Array }[];
  }): Promise<{ readonly memberAssignment: Uint8Array }>;
  heartbeat(request: {
    readonly groupId: string;
    readonly groupGenerationId: number;
    readonly memberId: string;
  }): Promise<unknown>;
  leaveGroup(request: { readonly groupId: string; readonly memberId: string }): Promise<unknown>;
  initProducerId(request: {
    readonly transactionalId: string | undefined;
    readonly transactionTimeout: number;
  }): Promise<{ readonly producerId: string; readonly producerEpoch: number }>;
  addPartitionsToTxn(
    request: ProducerIdentity & {
      readonly topics: readonly { readonly topic: string; readonly partitions: readonly number[] }[];
    },
  ): Promise<unknown>;
  addOffsetsToTxn(request: ProducerIdentity & { readonly groupId: string }): Promise<unknown>;
  endTxn(request: ProducerIdentity & { readonly transactionResult: boolean }): Promise<unknown>;
}

/** Connections to the brokers of a cluster: one per broker for fetches, one for the rest. */
export interface Cluster {
  readonly targetTopics: Set<string>;
  readonly brokerPool: {
    findConnectedBroker(): Promise<Broker>;
    getNodeIds(): readonly string[];
    /** The newest metadata; `null` before the first. */
    readonly metadata: {
      readonly brokers: readonly { readonly nodeId: number; readonly host: string; readonly port: number }[];
    } | null;
  };
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  refreshMetadata(): Promise<void>;
  findBroker(node: { readonly nodeId: number }): Promise<Broker>;
  findControllerBroker(): Promise<Broker>;
  findTopicPartitionMetadata(topic: string): readonly {
    readonly partitionId: number;
    readonly leader: number;
  }[];
}

/** Receives how long a broker makes us wait for a quota, milliseconds. kafkajs pauses the connection for that time. */
export type Throttled = (ms: number) => void;

const throttled = new WeakMap<Broker, Throttled>();

/** Prepares the connections to a cluster, without connecting. */
export function createCluster(config: KafkaConfig, onThrottled: Throttled): Cluster {
  const kafka: object = new Kafka(config);
  const name = Object.getOwnPropertySymbols(kafka).find((symbol) =>
    symbol.description === "private:Kafka:createCluster"
  );
  if (name === undefined) throw new Error("Cannot find how kafkajs makes a cluster");
  const cluster = Reflect.get(kafka, name)({ allowAutoTopicCreation: false, metadataMaxAge: 300_000 });
  const pool = cluster.brokerPool;
  const { createBroker } = pool;
  pool.createBroker = (options: unknown): Broker => {
    const broker = createBroker(options);
    throttled.set(broker, onThrottled);
    return broker;
  };
  const connect = pool.connect.bind(pool);
  const connectToNext = async (): Promise<void> => {
    if (pool.seedBroker === undefined) await pool.createSeedBroker();
    const { seedBroker } = pool;
    try {
      await connect();
    } catch (error) {
      if (pool.seedBroker === seedBroker) await pool.createSeedBroker();
      throw error;
    }
  };
  // One at a time: of two brokers, two that fail at once would pass over the other one, time after time.
  let connecting: Promise<void> | undefined;
  pool.connect = () => connecting ??= connectToNext().finally(() => connecting = undefined);
  return cluster;
}

/** Codes that kafkajs does not know, with the codes of equivalent errors that it does. */
const SYNONYMS: Readonly<Record<number, number>> = {
  [90 /* PRODUCER_FENCED */]: 47, /* INVALID_PRODUCER_EPOCH */
};

/** kafkajs' error for a code of a broker. */
export function protocolError(code: number): Error {
  return createErrorFromCode(SYNONYMS[code] ?? code);
}

/** @throws the error of a code, unless that means success */
export function checkCode(code: number): void {
  if (code !== 0) throw protocolError(code);
}

/** Part of every answer: for how long the client may not send anything (KIP-219), milliseconds. */
export interface Throttling {
  readonly clientSideThrottleTime: number;
}

/** A request that kafkajs does not support. */
export interface RawRequest<Answer extends Throttling> {
  readonly name: string;
  readonly apiKey: number;
  readonly apiVersion: number;
  readonly body: WireWriter;
  /** Whether the response to a flexible request has a header without tags. @default {false} */
  readonly hasPlainHeader?: boolean;
  /** Reads the response, in the encoding of the request. */
  readonly decode: (reader: WireReader) => Answer;
  /** How long the broker may wait before it begins to answer, milliseconds. @default {0} */
  readonly waitMs?: number;
}

/** How long a broker has to answer, milliseconds. */
export function requestTimeoutOf({ connectionPool }: Broker): number {
  return connectionPool.pool[0]?.requestTimeout ?? NaN;
}

/** Sends a request of our own over a connection of kafkajs. */
export async function sendRaw<Answer extends Throttling>(
  broker: Broker,
  raw: RawRequest<Answer>,
): Promise<Answer> {
  const { name: apiName, apiKey, apiVersion, waitMs = 0, hasPlainHeader = false } = raw;
  const { bytes, isFlexible } = raw.body;
  const encoded = new Encoder(bytes.length)
    .writeBuffer(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length));
  const decode = (payload: Uint8Array) => {
    const reader = new WireReader(payload, isFlexible);
    if (isFlexible && !hasPlainHeader) reader.tags();
    return raw.decode(reader);
  };
  try {
    const answer = await broker.connectionPool.send<Answer>({
      request: { apiKey, apiVersion, apiName, encode: () => Promise.resolve(encoded) },
      response: {
        decode: (payload) => Promise.try(decode, payload),
        parse: (answer) => Promise.resolve(answer),
      },
      requestTimeout: requestTimeoutOf(broker) + waitMs,
    });
    const { clientSideThrottleTime: ms } = answer;
    if (ms > 0) throttled.get(broker)?.(ms);
    return answer;
  } catch (error) {
    // As kafkajs does after its own requests, so that the next one connects again.
    if (error instanceof Error && error.name === "KafkaJSConnectionClosedError") await broker.disconnect();
    throw error;
  }
}
