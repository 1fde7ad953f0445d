/**
 * Winsorised rewards: the highest 1 % of the rewards above 0, at least one, count as the next lower one (0 if there is
 * none), and the lowest 1 % of those below 0 as the next higher one. This is the usual cap for metrics with outliers
 * (Kohavi, Tang and Xu, "Trustworthy Online Controlled Experiments", 2020, chapter 18).
 *
 * The limits come from the users of all arms together, so similar arms are cut alike.
 *
 * @module
 */

/** Share of the numbers on one side of 0 that is cut. */
export const CUT_SHARE = 0.01;

/**
 * The range that rewards are cut to, at one moment.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { Limits } from "./limits.ts";
 *
 * const limits = new Limits([5, 1e200, 7, 0, -3, -2]);
 * assert.deepEqual([1e200, 7, 2, -3].map((reward) => limits.cut(reward)), [7, 7, 2, -2]);
 * ```
 */
export class Limits {
  /** At most 0. */
  readonly low: number;
  /** At least 0. */
  readonly high: number;

  /** The range for these rewards, one per user. O(n log n). */
  constructor(rewards: readonly number[]) {
    const sorted = Float64Array.from(rewards).sort();
    this.low = limitOf(sorted.filter((reward) => reward < 0));
    this.high = limitOf(sorted.filter((reward) => reward > 0).reverse());
  }

  cut(reward: number): number {
    return Math.max(this.low, Math.min(this.high, reward));
  }
}

/** The first value that is not cut, of values in order from the most extreme one. */
function limitOf(values: Float64Array): number {
  return values[Math.ceil(CUT_SHARE * values.length)] ?? 0;
}
