/** Pooling of a history into one vector, forward and backward. */

import type { Kernels } from "../kernels/kernels.ts";

// T behaviours, d vector width

/** `mean` Σe/max(1,T), `sum` Σe, `sqrt` Σe/√max(1,T); an empty history gives zeros. */
export type Pooling = "mean" | "sum" | "sqrt";

/**
 * The factor of a pooled sum.
 *
 * ```ts
 * import assert from "node:assert/strict";
 * import { poolScale } from "./pool.ts";
 *
 * assert.equal(poolScale("sqrt", 4), 0.5);
 * assert.equal(poolScale("mean", 0), 1);
 * ```
 */
export function poolScale(pooling: Pooling, T: number): number {
  if (pooling === "sum") return 1;
  return pooling === "mean" ? 1 / Math.max(1, T) : 1 / Math.sqrt(Math.max(1, T));
}

/** Writes p = scale·Σe [d] of the behaviours e [T,d]. */
export function pool(kernels: Kernels, p: Float32Array, e: Float32Array, T: number, scale: number): void {
  p.fill(0);
  kernels.addRowSum(p, 0, e, 0, T, p.length);
  for (let j = 0; j < p.length; j++) p[j]! *= scale;
}

/** Backward of {@linkcode pool}: adds scale·dp [d] to each row of de [T,d]. */
export function poolBackward(
  kernels: Kernels,
  de: Float32Array,
  dp: Float32Array,
  T: number,
  scale: number,
): void {
  kernels.addRows(de, dp, scale, T, dp.length);
}
