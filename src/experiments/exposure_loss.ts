/**
 * Tests whether one arm loses more users than the other between recommendation and outcome.
 *
 * Assignments are written into recommendations, so lost users are known individually. This is far more sensitive than
 * comparing the numbers of remaining users. Only users who were given a list can be lost, and a variant may leave lists
 * empty. So each lost user is compared with those who were due since the last one: if being lost does not depend on the
 * arm, it may equally be any of them (the partial likelihood of Cox, "Regression models and life-tables", JRSS B 1972).
 *
 * @module
 */

import type { ByteReader } from "../codec/byte_reader.ts";
import type { ByteWriter } from "../codec/byte_writer.ts";
import { SampleRatio } from "./sample_ratio.ts";

/** Weight of the prior, in lost users: low, so that a few suffice. */
const CONCENTRATION = 20;

interface Waiting {
  readonly arm: number;
  readonly until: number;
  /** Whether a sample was read. */
  readonly isSeen: boolean;
  /** Sequence number of a waiting user, from which the order is restored. */
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
  /** Users with a list. */
  readonly #known = new Set<string>();
  /** Users whose sample was read before their list. */
  readonly #early = new Set<string>();
  /** Users who are not due yet, by partition, in the order of their lists. */
  #waiting: Map<string, Waiting>[] = [];
  /** Users who were due since the last lost one, by arm. */
  readonly #due: number[];
  #places = 0;

  /** Makes counts without users. @param patienceMs Event time after which a user without a sample counts as lost. */
  constructor(shares: readonly number[], patienceMs: number) {
    this.ratio = new SampleRatio(shares, { concentration: CONCENTRATION });
    this.#due = shares.map(() => 0);
    this.#patienceMs = patienceMs;
  }

  /** Counts a list that is not empty; only a user's first one matters. */
  recommended(user: string, arm: number, time: number, partition = 0): void {
    if (this.#known.has(user)) return;
    this.#known.add(user);
    const isSeen = this.#early.delete(user);
    this.#wait(user, { arm, until: time + this.#patienceMs, isSeen, place: this.#places++ }, partition);
  }

  /** Counts a sample of the user. */
  seen(user: string, partition = 0): void {
    if (!this.#known.has(user)) this.#early.add(user);
    const waiting = this.#waiting[partition]?.get(user);
    if (waiting !== undefined) this.#wait(user, { ...waiting, isSeen: true }, partition);
  }

  /** Counts users who are due, those without a sample as lost. @returns The users who were due. */
  advance(time: number, partition = 0): string[] {
    const due: string[] = [];
    for (const [user, { arm, until, isSeen }] of this.#waiting[partition] ?? []) {
      if (until > time) break;
      this.#due[arm]!++;
      if (!isSeen) this.#lose(arm);
      due.push(user);
    }
    for (const user of due) this.#waiting[partition]?.delete(user);
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
    this.#early.delete(user);
    for (const waiting of this.#waiting) waiting.delete(user);
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

  /** Encodes whom the next lost user is compared with, which figures without it have not counted. */
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
    const partition = this.#waiting.findIndex((waiting) => waiting.has(user));
    const waiting = this.#waiting[partition]?.get(user);
    if (waiting !== undefined) {
      to.u8(waiting.isSeen ? STAGES.seen : STAGES.waiting).uint(partition).uint(waiting.arm).f64(
        waiting.until,
      ).uint(waiting.place);
    } else to.u8(this.#known.has(user) ? STAGES.past : this.#early.has(user) ? STAGES.early : 0);
  }

  /**
   * Decodes the output of {@linkcode ExposureLoss.encodeUser}; call {@linkcode ExposureLoss.settle} after the last
   * user.
   */
  decodeUser(from: ByteReader, user: string): void {
    const stage = from.u8();
    if (stage === STAGES.early) this.#early.add(user);
    else if (stage !== 0) this.#known.add(user);
    if (stage !== STAGES.waiting && stage !== STAGES.seen) return;
    const [partition, isSeen] = [from.uint(), stage === STAGES.seen];
    this.#wait(user, { arm: from.uint(), until: from.f64(), isSeen, place: from.uint() }, partition);
  }

  /** Restores the order of decoded users. */
  settle(): void {
    this.#waiting = this.#waiting.map((waiting) =>
      new Map([...waiting].sort(([, a], [, b]) => a.place - b.place))
    );
  }

  #wait(user: string, waiting: Waiting, partition: number): void {
    while (this.#waiting.length <= partition) this.#waiting.push(new Map());
    this.#waiting[partition]!.set(user, waiting);
  }
}
