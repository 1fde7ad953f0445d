/**
 * Winsorised rewards: the highest 1 % of the rewards above 0, at least one, count as the next lower one (0 if there is
 * none), and the lowest 1 % of those below 0 as the next higher one. This is the usual cap for metrics with outliers
 * (Kohavi, Tang and Xu, "Trustworthy Online Controlled Experiments", 2020, chapter 18).
 *
 * The limits are the same for all arms, so similar arms are cut alike, and each arm weighs the same: the 1 % is the mean
 * of the arms' shares. By the number of users, a small arm might be cut to nothing but what the large one does.
 *
 * @module
 */

/** Share of the numbers on one side of 0 that is cut. */
export const CUT_SHARE = 0.01;

/** Rounding error of sums of shares. */
const ROUNDING = 1e-9;

/** So many users of an arm with the same value. */
export type Alike = readonly [value: number, arm: number, users: number];

/**
 * The value that the users before are cut to; `undefined` = nobody is left to be cut to.
 *
 * @param users in order, from the most extreme value
 * @param totals number of users by arm
 */
export function limitOf(users: Iterable<Alike>, totals: readonly number[]): number | undefined {
  const enough = CUT_SHARE * totals.filter((total) => total > 0).length * (1 - ROUNDING);
  let cut = 0; // sum of the arms' shares
  for (const [value, arm, count] of users) {
    if (cut + (count - 1) / totals[arm]! >= enough) return value;
    cut += count / totals[arm]!;
  }
  return undefined;
}

/**
 * The range that rewards are cut to, at one moment.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { Limits } from "./limits.ts";
 *
 * const limits = new Limits([[5, 1e200, 0], [7, -3, -2]]);
 * assert.deepEqual([1e200, 7, 2, -3].map((reward) => limits.cut(reward)), [7, 7, 2, -2]);
 * ```
 */
export class Limits {
  /** At most 0. */
  readonly low: number;
  /** At least 0. */
  readonly high: number;

  /** The range for these rewards of users, by arm. O(n log n). */
  constructor(arms: readonly (readonly number[])[]) {
    const sorted = arms.map((rewards) => Float64Array.from(rewards).sort());
    this.low = sideOf(sorted.map((rewards) => rewards.filter((reward) => reward < 0)), -1);
    this.high = sideOf(sorted.map((rewards) => rewards.filter((reward) => reward > 0).reverse()), 1);
  }

  cut(reward: number): number {
    return Math.max(this.low, Math.min(this.high, reward));
  }
}

/** The limit on one side of 0. @param arms each from the most extreme reward */
function sideOf(arms: readonly Float64Array[], sign: 1 | -1): number {
  return limitOf(merged(arms, sign), arms.map(({ length }) => length)) ?? 0;
}

/** The rewards of all arms from the most extreme one. */
function* merged(arms: readonly Float64Array[], sign: 1 | -1): Generator<Alike> {
  const next = arms.map(() => 0);
  while (true) {
    let most = -1;
    for (const [arm, rewards] of arms.entries()) {
      if (next[arm]! === rewards.length) continue;
      if (most < 0 || sign * rewards[next[arm]!]! > sign * arms[most]![next[most]!]!) most = arm;
    }
    if (most < 0) return;
    yield [arms[most]![next[most]!++]!, most, 1];
  }
}
