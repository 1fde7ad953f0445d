/**
 * Tests whether one arm loses more users than the other between recommendation and outcome.
 *
 * Assignments are written into recommendations, so lost users are known individually. This is far more sensitive than
 * comparing the numbers of remaining users: without a difference, lost users are split like assigned users.
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
  /** Sequence number of a waiting user, from which the order is restored. */
  readonly place: number;
}

/**
 * Tag of an encoded user: sample before recommendation, recommendation with a sample, recommendation without a sample.
 */
const STAGES = { early: 1, answered: 2, waiting: 3 } as const;

/**
 * Counts first recommendations without a sample, by arm. Each partition of the log has its own clock, so users of a
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
  /** Users with a recommendation. */
  readonly #known = new Set<string>();
  /** Users whose sample was read before their recommendation. */
  readonly #early = new Set<string>();
  /** Users without a sample, by partition, in the order of their recommendations. */
  #waiting: Map<string, Waiting>[] = [];
  #places = 0;

  /** Makes counts without users. @param patienceMs Event time after which a user without a sample counts as lost. */
  constructor(shares: readonly number[], patienceMs: number) {
    this.ratio = new SampleRatio(shares, { concentration: CONCENTRATION });
    this.#patienceMs = patienceMs;
  }

  /** Counts a recommendation; only a user's first one matters. */
  recommended(user: string, arm: number, time: number, partition = 0): void {
    if (this.#known.has(user)) return;
    this.#known.add(user);
    if (this.#early.delete(user)) return;
    this.#wait(user, { arm, until: time + this.#patienceMs, place: this.#places++ }, partition);
  }

  /** Counts a sample of the user. */
  seen(user: string, partition = 0): void {
    if (!this.#known.has(user)) this.#early.add(user);
    else this.#waiting[partition]?.delete(user);
  }

  /** Counts overdue users as lost. @returns The lost users. */
  advance(time: number, partition = 0): string[] {
    const lost: string[] = [];
    for (const [user, { arm, until }] of this.#waiting[partition] ?? []) {
      if (until > time) break;
      this.ratio.update(arm);
      lost.push(user);
    }
    for (const user of lost) this.#waiting[partition]?.delete(user);
    return lost;
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
  }

  encodeUser(to: ByteWriter, user: string): void {
    const partition = this.#waiting.findIndex((waiting) => waiting.has(user));
    const waiting = this.#waiting[partition]?.get(user);
    if (waiting !== undefined) {
      to.u8(STAGES.waiting).uint(partition).uint(waiting.arm).f64(waiting.until).uint(waiting.place);
    } else to.u8(this.#known.has(user) ? STAGES.answered : this.#early.has(user) ? STAGES.early : 0);
  }

  /**
   * Decodes the output of {@linkcode ExposureLoss.encodeUser}; call {@linkcode ExposureLoss.settle} after the last
   * user.
   */
  decodeUser(from: ByteReader, user: string): void {
    const stage = from.u8();
    if (stage === STAGES.early) this.#early.add(user);
    else if (stage !== 0) this.#known.add(user);
    if (stage !== STAGES.waiting) return;
    const partition = from.uint();
    this.#wait(user, { arm: from.uint(), until: from.f64(), place: from.uint() }, partition);
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
