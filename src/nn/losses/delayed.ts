/**
 * Losses for labels that arrive late (Ktena et al., RecSys'19, and its extension to a waiting window).
 *
 * Every impression becomes a negative when its window ends; a later click emits it once more, as a positive with the
 * same features. These "fake negatives" bias a plain loss to p/(1+p). Weights that treat the current p = σ(z) as a
 * constant (stop-gradient) undo it. With φ = P(delay > window | click):
 *
 *     w⁺ = 1 + pφ        w⁻ = (1−p)(1+pφ) / (1−p+pφ)
 *
 * φ = 1 is a window of zero, the fake-negative weighted loss (w⁺ = 1+p, w⁻ = 1−p²); φ = 0 is the plain logistic loss.
 * The loss of a batch is the mean over its rows, not over the sum of weights.
 */

import { sigmoid } from "./logistic.ts";

/**
 * Weight of a row whose click may arrive after the window.
 *
 * @param z logit
 * @param y the label as emitted, in {0, 1}
 * @param late φ, probability in [0, 1] that a click arrives after the window
 *
 * @example
 * ```ts
 * import { lateClickWeight } from "@meander/meander/nn";
 * import assert from "node:assert/strict";
 * const z = Math.log(0.2 / 0.8);
 * assert.ok(Math.abs(lateClickWeight(z, 1, 1) - 1.2) < 1e-12);
 * assert.ok(Math.abs(lateClickWeight(z, 0, 1) - 0.96) < 1e-12);
 * assert.equal(lateClickWeight(z, 0, 0), 1);
 * ```
 */
export function lateClickWeight(z: number, y: number, late: number): number {
  const p = sigmoid(z);
  const positive = 1 + p * late;
  if (y === 1) return positive;
  // 1 − σ(z) as σ(−z), which is 0 only on underflow; there the quotient tends to 0 for any late > 0.
  const rest = sigmoid(-z);
  return rest === 0 ? (late === 0 ? 1 : 0) : rest * positive / (rest + p * late);
}
