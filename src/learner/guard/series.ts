/**
 * Mean, variance and skewness of a short, autocorrelated series.
 *
 * @module
 */

/**
 * Values in the order of time. Each is the mean of `weight` independent values, so its variance around the truth is
 * σ²/weight.
 */
export interface Series {
  readonly values: Float64Array;
  /** Their weights, above 0, of the same length. */
  readonly weights: Float64Array;
}

/** Cap of the autocorrelation: beyond it a series is not stationary enough for the estimate to mean anything. */
const MAX_CORRELATION = 0.9;

/** Weighted mean; 0 for an empty series. */
export function mean({ values, weights }: Series): number {
  let sum = 0, total = 0;
  for (let i = 0; i < values.length; i++) {
    sum += weights[i]! * values[i]!;
    total += weights[i]!;
  }
  return values.length === 0 ? 0 : sum / total;
}

export function total({ weights }: Pick<Series, "weights">): number {
  return weights.reduce((sum, weight) => sum + weight, 0);
}

/**
 * Variance such that `variance / total` is the variance of the mean: the sample variance at weight 1, times
 * (1 + ρ)/(1 − ρ), with ρ the lag-one autocorrelation of an AR(1) process, taken as at least 0.
 *
 * @example
 * ```ts
 * import { correlatedVariance } from "./series.ts";
 * import assert from "node:assert/strict";
 * const weights = new Float64Array(6).fill(1);
 * const varianceOf = (...values: number[]) => correlatedVariance({ values: Float64Array.from(values), weights });
 * assert.equal(varianceOf(1, -1, 1, -1, 1, -1), 1.2); // ρ < 0: as if independent
 * assert.ok(varianceOf(1, 1, 1, -1, -1, -1) > 2.4);
 * ```
 */
export function correlatedVariance(series: Series): number {
  const deviations = deviationsOf(series);
  const n = deviations.length;
  let squares = 0;
  let products = 0;
  for (let i = 0; i < n; i++) {
    squares += deviations[i]! ** 2;
    if (i > 0) products += deviations[i]! * deviations[i - 1]!;
  }
  if (n < 2 || squares === 0) return 0;
  const correlation = Math.min(Math.max(products / squares, 0), MAX_CORRELATION);
  return squares / (n - 1) * (1 + correlation) / (1 - correlation);
}

/**
 * Skewness of the values at weight 1: the third central moment over the 3/2 power of the second; 0 if all are equal.
 *
 * @example
 * ```ts
 * import { skewness } from "./series.ts";
 * import assert from "node:assert/strict";
 * const weights = new Float64Array(4).fill(1);
 * assert.equal(skewness({ values: Float64Array.of(-1, 0, 0, 1), weights }), 0);
 * assert.ok(skewness({ values: Float64Array.of(0, 0, 0, 1), weights }) > 1);
 * ```
 */
export function skewness(series: Series): number {
  const deviations = deviationsOf(series);
  let squares = 0;
  let cubes = 0;
  for (const deviation of deviations) {
    squares += deviation ** 2;
    cubes += deviation ** 3;
  }
  return squares === 0 ? 0 : Math.sqrt(deviations.length) * cubes / squares ** 1.5;
}

/** Deviations from the mean, scaled to equal variance. */
function deviationsOf(series: Series): Float64Array {
  const centre = mean(series);
  return series.values.map((value, i) => Math.sqrt(series.weights[i]!) * (value - centre));
}
