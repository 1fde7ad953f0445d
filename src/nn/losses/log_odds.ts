/**
 * Log-odds correction for sampled negatives: if negatives are kept with probability r and all positives are kept, the
 * sampled odds are the true odds divided by r.
 *
 * The loss sees z − ln r, so z itself is unbiased, and serving needs no correction. r may differ between rows; a positive
 * has the r that it would have as a negative.
 *
 * @module
 */

/**
 * The correction that is added to a logit before the loss: −ln r.
 *
 * @param rate probability r in (0, 1] with which a negative like this one is kept
 * @throws {RangeError} if the rate is not in (0, 1]
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { samplingOffset } from "@meander/meander/nn";
 *
 * assert.equal(samplingOffset(0.1), -Math.log(0.1));
 * ```
 */
export function samplingOffset(rate: number): number {
  if (!(rate > 0 && rate <= 1)) {
    throw new RangeError(`Cannot correct a logit for sampling: current value of the rate is ${rate}`);
  }
  return -Math.log(rate);
}
