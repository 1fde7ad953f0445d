/**
 * Whether users get lost in one arm more than in the other, between the answer and what came of it.
 *
 * Assignment is written into the answer, so a user who was assigned and never seen again is known by name. That
 * says far more than how many users are left in each arm: with as many lost in both arms, who is lost is split as
 * who was assigned.
 *
 * @module
 */

import { SampleRatio, type SampleRatioOptions } from "./sample_ratio.ts";

/** Weight of the prior in lost users: a few of them are to tell. */
const CONCENTRATION = 20;

interface Waiting {
  readonly user: string;
  readonly arm: number;
  readonly until: number;
}

/**
 * Counts first answers that nothing came of, by arm. Memory: users who wait; O(1) a user.
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
  readonly #known = new Set<string>();
  readonly #seen = new Set<string>();
  #queue: Waiting[] = [];
  #head = 0;

  /** Nobody yet. @param patienceMs Event time after which a user of whom nothing came counts as lost. */
  constructor(shares: readonly number[], patienceMs: number, options: SampleRatioOptions = {}) {
    this.ratio = new SampleRatio(shares, { concentration: CONCENTRATION, ...options });
    this.#patienceMs = patienceMs;
  }

  /** A list was answered; only a user's first counts. */
  answered(user: string, arm: number, time: number): void {
    if (this.#known.has(user)) return;
    this.#known.add(user);
    this.#queue.push({ user, arm, until: time + this.#patienceMs });
  }

  /** A list of the user came back as a sample. */
  seen(user: string): void {
    this.#seen.add(user);
  }

  /** Gives up on those whose time has come. Answers of several partitions may come in any order of time. */
  advance(time: number): void {
    for (let next = this.#queue[this.#head]; next !== undefined && next.until <= time;) {
      if (!this.#seen.delete(next.user)) this.ratio.update(next.arm);
      next = this.#queue[++this.#head];
    }
    if (this.#head > 1000 && 2 * this.#head > this.#queue.length) {
      this.#queue = this.#queue.slice(this.#head);
      this.#head = 0;
    }
  }
}
