/**
 * The transactions of a simulated broker: one producer per transactional id, the newest; markers come a moment after
 * the end, one partition after another.
 *
 * @module
 */

import type { GroupOffset } from "../../../streams/log/log.ts";
import type { Happening, Owner, Random, World } from "../world.ts";
import type { Reply } from "./groups.ts";
import { CODE } from "./partition.ts";

/** What transactions write to. */
export interface TransactionTargets {
  /** Ends a transaction on a partition. */
  mark(place: string, producer: number, epoch: number, committed: boolean): void;
  /** Ends a transaction on the offsets of a group. */
  store(group: string, offsets: readonly GroupOffset[], committed: boolean): void;
}

/** The producer of a request. */
export interface ProducerIdentity {
  readonly transactionalId: string;
  readonly producerId: string | number;
  readonly producerEpoch: number;
}

interface Transactional {
  readonly id: string;
  readonly producer: number;
  epoch: number;
  state: "ready" | "open" | "ending";
  /** How the last one ended. */
  committed: boolean | undefined;
  endedEpoch: number;
  places: Set<string>;
  offsets: { readonly group: string; readonly offsets: readonly GroupOffset[] }[];
  timeoutMs: number;
  timeout: Happening | undefined;
}

/** See the module. */
export class Transactions {
  /** Whether each transaction has its own epoch (KIP-890). */
  readonly isImplicit: boolean;
  readonly #world: World;
  readonly #owner: Owner;
  readonly #random: Random;
  readonly #targets: TransactionTargets;
  readonly #byId = new Map<string, Transactional>();
  #producers = 1000;

  /** None is known yet. */
  constructor(
    world: World,
    owner: Owner,
    targets: TransactionTargets,
    { isImplicit, random }: { readonly isImplicit: boolean; readonly random: Random },
  ) {
    this.#world = world;
    this.#owner = owner;
    this.#targets = targets;
    this.#random = random;
    this.isImplicit = isImplicit;
  }

  /**
   * Fences the producer that has the id, and ends its open transaction; without an id, creates a producer without one.
   */
  init(id: string | undefined, timeoutMs: number, reply: Reply): void {
    if (id === undefined) return reply({ producerId: `${++this.#producers}`, producerEpoch: 0 });
    let own = this.#byId.get(id);
    if (own === undefined) {
      own = {
        id,
        producer: ++this.#producers,
        epoch: -1,
        state: "ready",
        committed: undefined,
        endedEpoch: -1,
        places: new Set(),
        offsets: [],
        timeoutMs,
        timeout: undefined,
      };
      this.#byId.set(id, own);
    }
    if (own.state === "open") {
      own.epoch++;
      this.#end(own, false);
    }
    if (own.state === "ending") return reply.fail(CODE.concurrentTransactions);
    own.epoch++;
    own.timeoutMs = timeoutMs;
    own.committed = undefined;
    reply({ producerId: `${own.producer}`, producerEpoch: own.epoch });
  }

  /** Whether a producer may write to partitions in a transaction now: 0 if so. */
  enter(id: string, producer: number, epoch: number, places: readonly string[]): number {
    const own = this.#byId.get(id);
    if (own === undefined || own.producer !== producer || own.epoch !== epoch) return CODE.invalidEpoch;
    if (own.state === "ending") return CODE.concurrentTransactions;
    this.#begin(own);
    for (const place of places) own.places.add(place);
    return CODE.ok;
  }

  /** Whether partitions are in the open transaction of a producer: 0 if so. */
  has(id: string, producer: number, epoch: number, place: string): number {
    const own = this.#byId.get(id);
    if (own === undefined || own.producer !== producer || own.epoch !== epoch) return CODE.invalidEpoch;
    return own.state === "open" && own.places.has(place) ? CODE.ok : CODE.invalidState;
  }

  store(
    { transactionalId, producerId, producerEpoch }: ProducerIdentity,
    group: string,
    offsets: readonly GroupOffset[],
  ): number {
    const own = this.#byId.get(transactionalId);
    if (own === undefined || own.producer !== Number(producerId) || own.epoch !== producerEpoch) {
      return CODE.invalidEpoch;
    }
    if (own.state === "ending") return CODE.concurrentTransactions;
    this.#begin(own);
    if (offsets.length > 0) own.offsets.push({ group, offsets });
    return CODE.ok;
  }

  /** Ends a transaction; repeated requests get the same answer. */
  end(
    { transactionalId, producerId, producerEpoch }: ProducerIdentity,
    committed: boolean,
    reply: Reply,
  ): void {
    const own = this.#byId.get(transactionalId);
    if (own === undefined || own.producer !== Number(producerId)) return reply.fail(CODE.invalidEpoch);
    const answer = () => reply({ producerId: own.producer, producerEpoch: own.epoch });
    const isAgain = own.endedEpoch === producerEpoch && own.committed === committed && own.state !== "open";
    if (isAgain) return own.state === "ending" ? reply.fail(CODE.concurrentTransactions) : answer();
    if (own.epoch !== producerEpoch) return reply.fail(CODE.invalidEpoch);
    if (own.state === "ending") return reply.fail(CODE.concurrentTransactions);
    if (own.state === "ready" && !this.isImplicit) return reply.fail(CODE.invalidState);
    own.endedEpoch = producerEpoch;
    this.#end(own, committed);
    if (this.isImplicit) own.epoch++;
    answer();
  }

  #begin(own: Transactional): void {
    if (own.state === "open") return;
    own.state = "open";
    own.places = new Set();
    own.offsets = [];
    own.timeout = this.#world.schedule(this.#owner, own.timeoutMs, "transaction timeout", () => {
      if (own.state !== "open") return;
      own.epoch++; // the previous owner is fenced
      this.#end(own, false);
    });
  }

  #end(own: Transactional, committed: boolean): void {
    own.state = "ending";
    own.committed = committed;
    if (own.timeout !== undefined) own.timeout.isOff = true;
    const { places, offsets, producer, epoch } = own;
    const ends = [
      ...[...places].map((place) => () => this.#targets.mark(place, producer, epoch, committed)),
      ...offsets.map(({ group, offsets }) => () => this.#targets.store(group, offsets, committed)),
    ];
    let left = ends.length;
    const done = () => {
      if (left-- <= 1) own.state = "ready";
    };
    if (left === 0) return done();
    for (const end of ends) {
      this.#world.schedule(this.#owner, 0.05 + 2 * this.#random() ** 4, "marker", () => {
        end();
        done();
      });
    }
  }
}
