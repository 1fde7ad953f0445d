/**
 * Whether users get lost in one arm more than in the other, between the answer and what came of it.
 *
 * Assignment is written into the answer, so a user who was assigned and never seen again is known by name. That
 * says far more than how many users are left in each arm: with as many lost in both arms, who is lost is split as
 * who was assigned.
 *
 * @module
 */

import type { ByteReader } from "../codec/byte_reader.ts";
import type { ByteWriter } from "../codec/byte_writer.ts";
import { SampleRatio } from "./sample_ratio.ts";

/** Weight of the prior in lost users: a few of them are to tell. */
const CONCENTRATION = 20;

interface Waiting {
  readonly arm: number;
  readonly until: number;
  /** Counts those who waited, so that their order can be restored. */
  readonly place: number;
}

/** What an encoded user is: a sample was read before the answer, an answer, an answer of which nothing came yet. */
const STAGES = { early: 1, answered: 2, waiting: 3 } as const;

/**
 * Counts first answers that nothing came of, by arm. Each partition of the log has a clock of its own: in one that is
 * behind, nobody is lost yet. Memory: all users; O(1) a user.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { ExposureLoss } from "./exposure_loss.ts";
 *
 * const loss = new ExposureLoss([0.5, 0.5], 1000);
 * for (let user = 0; user < 200; user++) {
 *   loss.answered(`u${user}`, user % 2, user);
 *   if (user % 10 !== 1) loss.seen(`u${user}`); // of ten users, one of the second arm is lost
 * }
 * loss.advance(2000);
 * assert.deepEqual([loss.ratio.counts, loss.ratio.mismatch], [[0, 20], true]);
 * ```
 */
export class ExposureLoss {
  /** The test of how those who were lost are split. */
  readonly ratio: SampleRatio;
  readonly #patienceMs: number;
  /** Users who were answered. */
  readonly #known = new Set<string>();
  /** Users whose sample was read before their answer. */
  readonly #early = new Set<string>();
  /** Users without a sample yet, by partition, in the order of their answers. */
  #waiting: Map<string, Waiting>[] = [];
  #places = 0;

  /** Nobody yet. @param patienceMs Event time after which a user without a sample counts as lost. */
  constructor(shares: readonly number[], patienceMs: number) {
    this.ratio = new SampleRatio(shares, { concentration: CONCENTRATION });
    this.#patienceMs = patienceMs;
  }

  /** Counts a recommendation of a user; only the first one matters. */
  answered(user: string, arm: number, time: number, partition = 0): void {
    if (this.#known.has(user)) return;
    this.#known.add(user);
    if (this.#early.delete(user)) return;
    this.#wait(user, { arm, until: time + this.#patienceMs, place: this.#places++ }, partition);
  }

  /** A list of the user came back as a sample. */
  seen(user: string, partition = 0): void {
    if (!this.#known.has(user)) this.#early.add(user);
    else this.#waiting[partition]?.delete(user);
  }

  /** Gives up on those whose time has come. @returns They. */
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

  /** Forgets a user, who stays counted. */
  forget(user: string): void {
    this.#known.delete(user);
    this.#early.delete(user);
    for (const waiting of this.#waiting) waiting.delete(user);
  }

  /** Writes who is counted as lost. */
  encode(to: ByteWriter): void {
    this.ratio.encode(to);
    to.uint(this.#places);
  }

  /** Reads what {@linkcode ExposureLoss.encode} wrote, in place of its own. */
  decode(from: ByteReader): void {
    this.ratio.decode(from);
    this.#places = from.uint();
  }

  /** Writes what is known of a user. */
  encodeUser(to: ByteWriter, user: string): void {
    const partition = this.#waiting.findIndex((waiting) => waiting.has(user));
    const waiting = this.#waiting[partition]?.get(user);
    if (waiting !== undefined) {
      to.u8(STAGES.waiting).uint(partition).uint(waiting.arm).f64(waiting.until).uint(waiting.place);
    } else to.u8(this.#known.has(user) ? STAGES.answered : this.#early.has(user) ? STAGES.early : 0);
  }

  /** Reads what {@linkcode ExposureLoss.encodeUser} wrote; {@linkcode ExposureLoss.settle} must follow the last one. */
  decodeUser(from: ByteReader, user: string): void {
    const stage = from.u8();
    if (stage === STAGES.early) this.#early.add(user);
    else if (stage !== 0) this.#known.add(user);
    if (stage !== STAGES.waiting) return;
    const partition = from.uint();
    this.#wait(user, { arm: from.uint(), until: from.f64(), place: from.uint() }, partition);
  }

  /** Puts those who were decoded into the order in which they came. */
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
