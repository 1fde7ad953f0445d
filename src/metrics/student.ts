/**
 * Quantiles of Student's t distribution.
 *
 * @module
 */

import { normalQuantile } from "./normal.ts";

/**
 * The quantile of `p` (Hill, "Algorithm 396: Student's t-quantiles",
 * CACM 13, 1970); exact for 1 and 2 degrees of freedom, relative error below 1e-4 above.
 *
 * @param p In (0, 1)
 * @param freedom Degrees of freedom, at least 1, not necessarily whole
 * @throws RangeError when either is out of range
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { studentQuantile } from "./student.ts";
 *
 * assert.ok(Math.abs(studentQuantile(0.975, 10) - 2.228139) < 1e-4);
 * ```
 */
export function studentQuantile(p: number, freedom: number): number {
  if (!(freedom >= 1)) {
    throw new RangeError(
      `Cannot take freedom as degrees of freedom of at least 1: current value is ${freedom}`,
    );
  }
  if (p < 0.5) return -studentQuantile(1 - p, freedom);
  if (!(p < 1)) throw new RangeError(`Cannot take the t quantile of a probability: current value is ${p}`);
  const n = freedom;
  const both = 2 * (1 - p);
  if (n === 1) return 1 / Math.tan(both * Math.PI / 2);
  if (n === 2) return Math.sqrt(2 / (both * (2 - both)) - 2);
  const a = 1 / (n - 0.5);
  const b = (48 / (a * a)) || Infinity;
  let c = ((20700 * a / b - 98) * a - 16) * a + 96.36;
  const d = ((94.5 / (b + c) - 3) / b + 1) * Math.sqrt(a * Math.PI / 2) * n;
  let x = d * both;
  let y = x ** (2 / n);
  if (y > 0.05 + a) {
    x = normalQuantile(both / 2);
    y = x * x;
    if (n < 5) c += 0.3 * (n - 4.5) * (x + 0.6);
    c += (((0.05 * d * x - 5) * x - 7) * x - 2) * x + b;
    y = (((((0.4 * y + 6.3) * y + 36) * y + 94.5) / c - y - 3) / b + 1) * x;
    y = Math.expm1(a * y * y);
  } else {
    y = ((1 / (((n + 6) / (n * y) - 0.089 * d - 0.822) * (n + 2) * 3) + 0.5 / (n + 4)) * y - 1) *
        (n + 1) / (n + 2) + 1 / y;
  }
  return Math.sqrt(n * y);
}
