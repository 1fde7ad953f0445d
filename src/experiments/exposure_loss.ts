/**
 * Tests whether one arm loses more users than the other between recommendation and outcome.
 *
 * Assignments are written into recommendations, so lost users are known individually. This is far more sensitive than
 * comparing the numbers of remaining users. Only users who were given a list can be lost, and a variant may leave lists
 * empty. So each lost user is compared with those who were due since the last one: if being lost does not depend on the
 * arm, it may equally be any of them (the partial likelihood of Cox, "Regression models and life-tables", JRSS B 1972).
 */

import type { ByteReader } from "../codec/byte_reader.ts";
import type { ByteWriter } from "../codec/byte_writer.ts";
import { SampleRatio } from "./sample_ratio.ts";

/** Weight of the prior, in lost users: low, so that a few suffice. */
const CONCENTRATION = 20;

/** A user who is not due yet. */
interface Waiting {
  readonly user: string;
  readonly partition: number;
  readonly arm: number;
  /** Event time from which the user is due. */
  readonly until: number;
  /** Whether a sample was read. */
  isSeen: boolean;
  /** Sequence number, from which the order is restored. */
  readonly place: number;
}

/** Tag of an encoded user: sample before recommendation; no longer waiting; waiting without and with a sample. */
const STAGES = { early: 1, past: 2, waiting: 3, seen: 4 } as const;

/**
 * Counts first lists without a sample, by arm. Each partition of the log has its own clock, so users of a
 * lagging partition do not count as lost too early. Memory: all users; O(1) per user.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { ExposureLoss } from "./exposure_loss.ts";
 *
 * const loss = new ExposureLoss([0.5, 0.5], 1000);
 * for (let user = 0; user < 200; user++) {
 *   loss.recommended(`u${user}`, user % 2, user);
 *   if (user % 10 !== 1) loss.seen(`u${user}`); // of ten users, one of the second arm is lost
 * }
 * loss.advance(2000);
 * assert.deepEqual([loss.ratio.counts, loss.ratio.mismatch], [[0, 20], true]);
 * ```
 */
export class ExposureLoss {
  /** The test of the split of lost users. */
  readonly ratio: SampleRatio;
  readonly #patienceMs: number;
  /** Users with a list or a sample. */
  readonly #known = new Map<string, Waiting | typeof STAGES["early" | "past"]>();
  /** Users by partition, in the order of their lists; those before `first`, and forgotten ones, no longer wait. */
  readonly #queues: { waiting: Waiting[]; first: number }[] = [];
  /** Users who were due since the last lost one, by arm. */
  readonly #due: number[];
  #places = 0;

  /** Makes counts without users. @param patienceMs Event time after which a user without a sample counts as lost. */
  constructor(shares: readonly number[], patienceMs: number) {
    this.ratio = new SampleRatio(shares, { concentration: CONCENTRATION });
    this.#due = shares.map(() => 0);
    this.#patienceMs = patienceMs;
  }

  /** Users who were given a list, forgotten ones included. */
  get users(): number {
    return this.#places;
  }

  /** Counts a list that is not empty; only a user's first one matters. */
  recommended(user: string, arm: number, time: number, partition = 0): void {
    const known = this.#known.get(user);
    if (known !== undefined && known !== STAGES.early) return;
    const [until, isSeen] = [time + this.#patienceMs, known === STAGES.early];
    this.#wait({ user, partition, arm, until, isSeen, place: this.#places++ });
  }

  /** Time of the first list of a user who is not due yet; `undefined` for any other. */
  firstTime(user: string): number | undefined {
    const known = this.#known.get(user);
    return typeof known === "object" ? known.until - this.#patienceMs : undefined;
  }

  /** Counts a sample of the user. */
  seen(user: string): void {
    const known = this.#known.get(user);
    if (known === undefined) this.#known.set(user, STAGES.early);
    else if (typeof known === "object") known.isSeen = true;
  }

  /** Counts users who are due, those without a sample as lost. @returns The users who were due. */
  advance(time: number, partition = 0): string[] {
    const due: string[] = [];
    const queue = this.#queues[partition];
    if (queue === undefined) return due;
    for (let next; (next = queue.waiting[queue.first]) !== undefined && next.until <= time; queue.first++) {
      const { user, arm, isSeen } = next;
      if (this.#known.get(user) !== next) continue;
      this.#due[arm]!++;
      if (!isSeen) this.#lose(arm);
      this.#known.set(user, STAGES.past);
      due.push(user);
    }
    if (queue.first > queue.waiting.length / 2) {
      queue.waiting.splice(0, queue.first);
      queue.first = 0;
    }
    return due;
  }

  #lose(arm: number): void {
    const users = this.#due.reduce((sum, count) => sum + count, 0);
    this.ratio.update(arm, this.#due.map((count) => count / users));
    this.#due.fill(0);
  }

  /** Forgets a user; the counts keep them. */
  forget(user: string): void {
    this.#known.delete(user);
  }

  /** Encodes the test of lost users. */
  encode(to: ByteWriter): void {
    this.ratio.encode(to);
    to.uint(this.#places);
  }

  /** Replaces its state with the output of {@linkcode ExposureLoss.encode}. */
  decode(from: ByteReader): void {
    this.ratio.decode(from);
    this.#places = from.uint();
    this.#due.fill(0);
  }

  /** Encodes the users that the next lost one is compared with; older figures lack them. */
  encodeDue(to: ByteWriter): void {
    this.ratio.encodeExcess(to);
    for (const count of this.#due) to.uint(count);
  }

  /** Decodes the output of {@linkcode ExposureLoss.encodeDue}. */
  decodeDue(from: ByteReader): void {
    this.ratio.decodeExcess(from);
    for (let arm = 0; arm < this.#due.length; arm++) this.#due[arm] = from.uint();
  }

  encodeUser(to: ByteWriter, user: string): void {
    const known = this.#known.get(user) ?? 0;
    if (typeof known === "number") return void to.u8(known);
    const { partition, arm, until, isSeen, place } = known;
    to.u8(isSeen ? STAGES.seen : STAGES.waiting).uint(partition).uint(arm).f64(until).uint(place);
  }

  /**
   * Decodes the output of {@linkcode ExposureLoss.encodeUser}; call {@linkcode ExposureLoss.settle} after the last
   * user.
   */
  decodeUser(from: ByteReader, user: string): void {
    const stage = from.u8();
    if (stage === STAGES.early || stage === STAGES.past) this.#known.set(user, stage);
    if (stage !== STAGES.waiting && stage !== STAGES.seen) return;
    const [partition, isSeen] = [from.uint(), stage === STAGES.seen];
    this.#wait({ user, partition, arm: from.uint(), until: from.f64(), isSeen, place: from.uint() });
  }

  /** Restores the order of decoded users. */
  settle(): void {
    for (const { waiting } of this.#queues) waiting.sort((a, b) => a.place - b.place);
  }

  #wait(waiting: Waiting): void {
    while (this.#queues.length <= waiting.partition) this.#queues.push({ waiting: [], first: 0 });
    this.#queues[waiting.partition]!.waiting.push(waiting);
    this.#known.set(waiting.user, waiting);
  }
}
