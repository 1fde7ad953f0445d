/** Weighted logistic loss of a row of logits, forward and backward in one pass. */

import { sigmoid, softplus } from "../losses/logistic.ts";

/**
 * Returns Σ w·(softplus(z) − y·z) and writes ∂/∂z = w·(σ(z) − y).
 *
 * ```ts
 * import assert from "node:assert/strict";
 * import { weightedLogisticLoss } from "./weighted_loss.ts";
 *
 * const dz = new Float32Array(1);
 * const [z, y, w] = [0, 1, 2].map((x) => new Float32Array([x]));
 * assert.equal(weightedLogisticLoss(dz, z!, y!, w!), 2 * Math.LN2);
 * assert.deepEqual([...dz], [-1]);
 * ```
 */
export function weightedLogisticLoss(
  dz: Float32Array,
  z: Float32Array,
  labels: Float32Array,
  weights: Float32Array,
): number {
  let loss = 0;
  for (let k = 0; k < z.length; k++) {
    const x = z[k]!, y = labels[k]!, w = weights[k]!;
    loss += w * (softplus(x) - y * x);
    dz[k] = w * (sigmoid(x) - y);
  }
  return loss;
}
