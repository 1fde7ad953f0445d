/**
 * The logistic loss of a logit, the base of all losses here.
 *
 * Everything is computed from the logit z rather than from the probability, so it is finite and exact even where
 * 1 − σ(z) rounds to 0. Gradients are per row; a mean over B rows has weight 1/B.
 *
 * @module
 */

/** The loss of one row and its derivative with respect to the logit. */
export interface RowLoss {
  /** In nats, at least 0. */
  readonly value: number;
  /** ∂value/∂z. */
  readonly gradient: number;
}

/**
 * σ(z) = 1/(1 + e^−z), without overflow at either end.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { sigmoid } from "@meander/meander/nn";
 *
 * assert.equal(sigmoid(0), 0.5);
 * assert.equal(sigmoid(-1000), 0);
 * ```
 */
export function sigmoid(z: number): number {
  if (z >= 0) return 1 / (1 + Math.exp(-z));
  const odds = Math.exp(z);
  return odds / (1 + odds);
}

/**
 * ln(1 + e^z), computed as max(z, 0) + ln(1 + e^−|z|).
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { softplus } from "@meander/meander/nn";
 *
 * assert.equal(softplus(0), Math.LN2);
 * assert.equal(softplus(1000), 1000);
 * ```
 */
export function softplus(z: number): number {
  return Math.max(z, 0) + Math.log1p(Math.exp(-Math.abs(z)));
}

/**
 * Binary cross-entropy from the logit: softplus(z) − y z, with ∂/∂z = σ(z) − y.
 *
 * @param z logit
 * @param y outcome in {0, 1}
 * @param weight factor of value and gradient; treated as a constant
 *
 * @example
 * ```ts
 * import { logisticLoss } from "@meander/meander/nn";
 * import assert from "node:assert/strict";
 * assert.deepEqual(logisticLoss(0, 1), { value: Math.LN2, gradient: -0.5 });
 * assert.equal(logisticLoss(-1000, 1).value, 1000);
 * ```
 */
export function logisticLoss(z: number, y: number, weight = 1): RowLoss {
  // softplus(z) − z is softplus(−z) in exact arithmetic, and keeps its digits for large z.
  const value = y === 1 ? softplus(-z) : softplus(z);
  return { value: weight * value, gradient: weight * (sigmoid(z) - y) };
}
