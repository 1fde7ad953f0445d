/**
 * Mean and variance of a short series whose neighbours resemble each other.
 *
 * @module
 */

/** Values in the order of time. */
export type Series = Float64Array;

/** Above this, a series is not stationary enough for its autocorrelation to say anything. */
const MAX_CORRELATION = 0.9;

/** Arithmetic mean; 0 of nothing. */
export function mean(values: Series): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]!;
  return sum / Math.max(1, values.length);
}

/**
 * Variance such that `variance / n` is that of the mean of n neighbours: the sample variance times
 * (1 + ρ)/(1 − ρ), with ρ the lag-one autocorrelation (an AR(1) process; never below the plain variance).
 *
 * @example
 * ```ts
 * import { correlatedVariance } from "./series.ts";
 * import assert from "node:assert/strict";
 * assert.equal(correlatedVariance(Float64Array.of(1, -1, 1, -1, 1, -1)), 1.2); // ρ < 0: as if independent
 * assert.ok(correlatedVariance(Float64Array.of(1, 1, 1, -1, -1, -1)) > 2.4);
 * ```
 */
export function correlatedVariance(values: Series): number {
  const n = values.length;
  const centre = mean(values);
  let squares = 0;
  let products = 0;
  for (let i = 0; i < n; i++) {
    squares += (values[i]! - centre) ** 2;
    if (i > 0) products += (values[i]! - centre) * (values[i - 1]! - centre);
  }
  if (n < 2 || squares === 0) return 0;
  const correlation = Math.min(Math.max(products / squares, 0), MAX_CORRELATION);
  return squares / (n - 1) * (1 + correlation) / (1 - correlation);
}

/**
 * Skewness: the third central moment over the 3/2 power of the second; 0 of values that are all equal.
 *
 * @example
 * ```ts
 * import { skewness } from "./series.ts";
 * import assert from "node:assert/strict";
 * assert.equal(skewness(Float64Array.of(-1, 0, 1)), 0);
 * assert.ok(skewness(Float64Array.of(0, 0, 0, 1)) > 1);
 * ```
 */
export function skewness(values: Series): number {
  const n = values.length;
  const centre = mean(values);
  let squares = 0;
  let cubes = 0;
  for (let i = 0; i < n; i++) {
    const deviation = values[i]! - centre;
    squares += deviation ** 2;
    cubes += deviation ** 3;
  }
  return squares === 0 ? 0 : Math.sqrt(n) * cubes / squares ** 1.5;
}
