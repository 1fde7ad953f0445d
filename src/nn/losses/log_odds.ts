/**
 * Log-odds correction for sampled negatives: if negatives are kept with probability r and all positives are kept, the
 * sampled odds are the true odds divided by r.
 *
 * There are two corrections, of which exactly one may be used:
 * - **in training** (our default): the loss sees z − ln r, so z itself is unbiased and serving needs no correction. r may
 *   differ between rows; a positive has the r that it would have as a negative;
 * - **at serving**: z was trained on the sampled rows as they are, and p = σ(z + ln r) (He et al., ADKDD'14).
 *
 * @module
 */

import { logisticLoss, type RowLoss, sigmoid } from "./logistic.ts";

/**
 * The training-time correction, added to a logit before the loss: −ln r.
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

/**
 * The logistic loss of a sampled row with the training-time correction, which leaves `sigmoid(z)` unbiased.
 *
 * @param z logit of the true probability
 * @param y outcome in {0, 1}
 * @param rate probability in (0, 1] with which a negative like this one is kept
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { logisticLoss, sampledLoss, samplingOffset } from "@meander/meander/nn";
 *
 * assert.deepEqual(sampledLoss(0.5, 0, 0.1), logisticLoss(0.5 + samplingOffset(0.1), 0));
 * ```
 */
export function sampledLoss(z: number, y: number, rate: number): RowLoss {
  return logisticLoss(z + samplingOffset(rate), y);
}

/**
 * The probability behind a logit that was trained on sampled rows without a correction.
 *
 * @param z logit, trained with the plain loss
 * @param rate probability in (0, 1] with which negatives were kept
 *
 * @example
 * ```ts
 * import { servedProbability } from "@meander/meander/nn";
 * import assert from "node:assert/strict";
 * assert.ok(Math.abs(servedProbability(-1.2, 0.1) - 0.029239) < 1e-6);
 * ```
 */
export function servedProbability(z: number, rate: number): number {
  return sigmoid(z - samplingOffset(rate));
}
