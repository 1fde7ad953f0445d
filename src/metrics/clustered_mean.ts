/**
 * The mean over all queries, with an interval that clusters them by user.
 *
 * With S_u the sum and n_u the number of the queries of user u, U users and N = Σ n_u, the mean is m = Σ S_u / N, a
 * ratio of two sums over independent users. Its variance is that of the jackknife that leaves one user out at a time,
 *
 * ```text
 *   v = (U − 1) / U · Σ_u ((S_u − m·n_u) / (1 − n_u/N))² / N²
 * ```
 *
 * (Cochran, "Sampling Techniques", 1977, §6.17). The interval is m ± t·√v with min(N²/Σ n_u², (Σ|S_u|)²/Σ S_u²) − 1
 * degrees of freedom: where few users have most of the queries, or most of the sum, these users determine the interval.
 * If all values are 0, there is no interval. Effects common to users, such as a week in which everybody watches the
 * same film, are not included.
 */

import { studentQuantile } from "./student.ts";

export interface Estimate {
  /** The mean; NaN without values. */
  readonly mean: number;
  /**
   * Half of the interval's width; NaN without values. Infinity with fewer than two effective users: if all values but
   * those of one user are 0, or few have most of them.
   */
  readonly margin: number;
}

/**
 * The mean of values and its interval.
 *
 * @param values One per query
 * @param clusters User index of each query, from 0, below `count`
 * @param count Number of users
 * @param confidence Of the interval, in (0, 1). @default {0.95}
 */
export function clusteredMean(
  values: ArrayLike<number>,
  clusters: ArrayLike<number>,
  count: number,
  confidence = 0.95,
): Estimate {
  const sums = new Float64Array(count);
  const sizes = new Float64Array(count);
  for (let q = 0; q < values.length; q++) {
    const cluster = clusters[q]!;
    sums[cluster] = sums[cluster]! + values[q]!;
    sizes[cluster] = sizes[cluster]! + 1;
  }
  let total = 0;
  for (let u = 0; u < count; u++) total += sums[u]!;
  const mean = total / values.length;
  let squares = 0;
  let [absolute, ownSquares] = [0, 0];
  let spread = 0;
  let present = 0;
  for (let u = 0; u < count; u++) {
    if (sizes[u] === 0) continue;
    present++;
    squares += sizes[u]! ** 2;
    absolute += Math.abs(sums[u]!);
    ownSquares += sums[u]! ** 2;
    spread += ((sums[u]! - mean * sizes[u]!) / (1 - sizes[u]! / values.length)) ** 2;
  }
  const effective = Math.min(values.length ** 2 / squares, absolute ** 2 / ownSquares);
  if (!(effective >= 2)) return { mean, margin: values.length === 0 ? NaN : Infinity };
  const variance = (present - 1) / present * spread / values.length ** 2;
  return { mean, margin: studentQuantile((1 + confidence) / 2, effective - 1) * Math.sqrt(variance) };
}
