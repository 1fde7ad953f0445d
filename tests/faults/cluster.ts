/**
 * Replaces `streams/log/kafka/protocol/patch.ts` in a simulated world: connections to the simulated broker instead of
 * kafkajs' to a real one. Everything above it is the product's own code.
 *
 * A connection is ordered: the broker handles its requests one after another, and one that waits holds up those behind
 * it. Requests and answers take time, get lost while the network is cut, and fail when the broker goes away.
 *
 * @module
 */

import { WireReader } from "../../streams/log/kafka/protocol/wire.ts";
import { createErrorFromCode } from "kafkajs/src/protocol/error.js";
import type * as patch from "../../streams/log/kafka/protocol/patch.ts";
import type { Broker as SimulatedBroker } from "./broker/broker.ts";
import { NODE } from "./broker/broker.ts";
import type { Reply } from "./broker/groups.ts";
import { here } from "./globals.ts";
import type { Happening, Owner, Random, World } from "./world.ts";

/** See `patch.ts`. */
export type Broker = patch.Broker;
/** See `patch.ts`. */
export type Cluster = patch.Cluster;
/** See `patch.ts`. */
export type PartitionOffset = patch.PartitionOffset;
/** See `patch.ts`. */
export type RawRequest<Answer extends patch.Throttling> = patch.RawRequest<Answer>;
/** See `patch.ts`. */
export type Throttled = patch.Throttled;
/** See `patch.ts`. */
export type Throttling = patch.Throttling;

/** The network to the broker of a world. */
export interface Network {
  readonly broker: SimulatedBroker;
  /** How long a message takes in one direction, milliseconds. */
  readonly latency: () => number;
  readonly random: Random;
  /** Whether a process cannot reach the broker now. */
  readonly isCut: (owner: Owner) => boolean;
}

const networks = new WeakMap<World, Network>();
/** As kafkajs has it. */
const REQUEST_TIMEOUT_MS = 30_000;
const CONNECTION_TIMEOUT_MS = 1000;
const SYNONYMS: Readonly<Record<number, number>> = { 90: 47 };

/** Gives a world its network. */
export function setNetwork(world: World, network: Network): void {
  networks.set(world, network);
}

/** See `patch.ts`. */
export function checkVersion(): void {}

/** See `patch.ts`. */
export function protocolError(code: number): Error {
  return createErrorFromCode(SYNONYMS[code] ?? code);
}

/** See `patch.ts`. */
export function checkCode(code: number): void {
  if (code !== 0) throw protocolError(code);
}

/** See `patch.ts`. */
export function requestTimeoutOf(): number {
  return REQUEST_TIMEOUT_MS;
}

/** See `patch.ts`. */
export async function sendRaw<Answer extends Throttling>(
  broker: Broker,
  { name, apiKey, apiVersion, body, hasPlainHeader, decode, waitMs = 0 }: RawRequest<Answer>,
): Promise<Answer> {
  const connection = (broker as unknown as { readonly connection: Connection }).connection;
  // What was written is sent immediately: the writer may reuse its buffer.
  const sent = { apiKey, apiVersion, body: body.bytes.slice() };
  const payload = await connection.ask("raw", sent, name, REQUEST_TIMEOUT_MS + waitMs) as Uint8Array;
  const reader = new WireReader(payload, body.isFlexible);
  if (body.isFlexible && !hasPlainHeader) reader.tags();
  return decode(reader);
}

/** See `patch.ts`. Connects the owner that runs now. */
export function createCluster(): Cluster {
  const world = here();
  const network = networks.get(world);
  if (network === undefined) throw new Error("Cannot connect: the world has no network");
  const connection = new Connection(world, world.current, network);
  const broker = brokerOver(connection, network.broker.isNew ? 13 : 11);
  const targetTopics = new Set<string>();
  let partitions: ReadonlyMap<string, readonly { partitionId: number; leader: number }[]> | undefined;
  return {
    targetTopics,
    brokerPool: {
      findConnectedBroker: () => Promise.resolve(broker),
      getNodeIds: () => ["1"],
      metadata: null,
    },
    connect: () => connection.ask("metadata", [], "connect").then(() => {}),
    disconnect: () => Promise.resolve(connection.close()),
    async refreshMetadata() {
      const { topicMetadata } = await broker.metadata([...targetTopics]);
      partitions = new Map(topicMetadata.map((one) => [one.topic, one.partitionMetadata]));
    },
    findBroker: () => Promise.resolve(broker),
    findControllerBroker: () => Promise.resolve(broker),
    findTopicPartitionMetadata(topic) {
      if (partitions === undefined) throw failure("KafkaJSTopicMetadataNotLoaded", "not loaded");
      return partitions.get(topic) ?? [];
    },
  };
}

const REQUESTS = [
  "metadata",
  "describeConfigs",
  "createTopics",
  "deleteRecords",
  "listOffsets",
  "findGroupCoordinator",
  "describeGroups",
  "joinGroup",
  "syncGroup",
  "heartbeat",
  "leaveGroup",
  "initProducerId",
  "addPartitionsToTxn",
  "addOffsetsToTxn",
  "endTxn",
];

function brokerOver(connection: Connection, fetch: number): Broker {
  const versions = { 1: { maxVersion: fetch }, 3: { maxVersion: 12 }, 9: { maxVersion: 9 } };
  const methods = Object.fromEntries(
    REQUESTS.map((name) => [name, (body: { readonly rebalanceTimeout?: number }) => {
      // Like kafkajs: a member that joins may have to wait for others.
      const timeoutMs = name === "joinGroup" ? (body.rebalanceTimeout ?? 0) + REQUEST_TIMEOUT_MS : undefined;
      return connection.ask(name, body, name, timeoutMs);
    }]),
  );
  return {
    nodeId: NODE,
    versions,
    connection,
    ...methods,
    disconnect: () => Promise.resolve(),
  } as unknown as Broker;
}

interface Request {
  readonly name: string;
  readonly body: unknown;
  readonly life: number;
  readonly done: (settle: () => void) => void;
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** One connection of a process. */
class Connection {
  readonly #world: World;
  readonly #owner: Owner;
  readonly #network: Network;
  /** Requests that have arrived and were not answered; the broker works on the first. */
  readonly #queue: Request[] = [];
  /** When the last request, and the last answer, arrive. */
  #sentUntil = 0;
  #answeredUntil = 0;
  #isClosed = false;

  constructor(world: World, owner: Owner, network: Network) {
    this.#world = world;
    this.#owner = owner;
    this.#network = network;
  }

  /** Sends a request to the broker. @throws like kafkajs */
  ask(name: string, body: unknown, label: string, timeoutMs = REQUEST_TIMEOUT_MS): Promise<unknown> {
    const { broker, isCut, random } = this.#network;
    const owner = this.#owner;
    return new Promise((resolve, reject) => {
      if (this.#isClosed) return reject(failure("KafkaJSConnectionClosedError", "Closed connection"));
      if (!broker.isUp || isCut(owner)) {
        // No host answers, or the host refuses at once.
        const ms = isCut(owner) ? CONNECTION_TIMEOUT_MS : 1 + 20 * random();
        this.#world.schedule(
          owner,
          ms,
          "no connection",
          () => reject(failure("KafkaJSConnectionError", "Connection refused")),
        );
        return;
      }
      let isOver = false;
      const done = (settle: () => void) => {
        if (isOver) return;
        isOver = true;
        timeout.isOff = true;
        lost.delete(request);
        settle();
      };
      const timeout: Happening = this.#world.schedule(
        owner,
        timeoutMs,
        "request timeout",
        () => done(() => reject(failure("KafkaJSRequestTimeoutError", `Request ${label} timed out`))),
      );
      const request: Request = { name, body, life: broker.life, done, resolve, reject };
      const lost = inFlight(this.#world, owner);
      lost.add(request);
      const arrival = Math.max(this.#world.now + this.#network.latency(), this.#sentUntil);
      this.#sentUntil = arrival;
      this.#world.schedule(broker.owner, arrival - this.#world.now, label, () => this.#arrive(request));
    });
  }

  close(): void {
    this.#isClosed = true;
  }

  #arrive(request: Request): void {
    const { broker, isCut } = this.#network;
    if (!broker.isUp || broker.life !== request.life || isCut(this.#owner)) return;
    // Requests of an earlier life of the broker are never answered.
    if (this.#queue[0] !== undefined && this.#queue[0].life !== broker.life) this.#queue.length = 0;
    this.#queue.push(request);
    if (this.#queue.length === 1) this.#begin();
  }

  /** Lets the broker handle the first request of the queue. */
  #begin(): void {
    const [request] = this.#queue;
    if (request === undefined) return;
    const { broker } = this.#network;
    const { name, body } = request;
    const end = (settle: () => void) => {
      if (this.#queue[0] === request) this.#queue.shift();
      this.#answer(request, settle);
      this.#begin();
    };
    const reply: Reply = Object.assign((answer: unknown) => end(() => request.resolve(answer)), {
      fail: (code: number) => end(() => request.reject(protocolError(code))),
    });
    broker.handle({ name, body, host: this.#owner.name, reply });
  }

  #answer({ done, life }: Request, settle: () => void): void {
    const { broker, isCut, latency } = this.#network;
    if (!broker.isUp || life !== broker.life || isCut(this.#owner)) return;
    const arrival = Math.max(this.#world.now + latency(), this.#answeredUntil);
    this.#answeredUntil = arrival;
    this.#world.schedule(this.#owner, arrival - this.#world.now, "answer", () => {
      if (!isCut(this.#owner)) done(settle);
    });
  }
}

const flights = new WeakMap<World, Map<Owner, Set<Request>>>();

/** A request without an answer yet. */
function inFlight(world: World, owner: Owner): Set<Request> {
  let all = flights.get(world);
  if (all === undefined) flights.set(world, all = new Map());
  let own = all.get(owner);
  if (own === undefined) all.set(owner, own = new Set());
  return own;
}

/** Breaks the connections of all, or of one: pending requests fail a moment later. */
export function breakConnections(world: World, { random }: Network, only?: Owner): void {
  for (const [owner, requests] of flights.get(world) ?? []) {
    if (only !== undefined && owner !== only) continue;
    for (const { done, reject } of [...requests]) {
      world.schedule(
        owner,
        1 + 50 * random(),
        "connection closed",
        () => done(() => reject(failure("KafkaJSConnectionClosedError", "Closed connection"))),
      );
    }
  }
}

function failure(name: string, message: string): Error {
  const error = new Error(message);
  error.name = name;
  return error;
}
