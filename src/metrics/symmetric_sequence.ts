/** An anytime-valid interval for a weighted mean of symmetric values. */

import type { ConfidenceOptions, Interval } from "./confidence_sequence.ts";

/** A weighted mean of numbers in [−1, 1], with the sums for its interval. */
export interface WeightedMean {
  /** Σ w x / Σ w, in [−1, 1]; arbitrary without values. */
  readonly value: number;
  /** Σ w; 0 = no values. */
  readonly weight: number;
  /** Σ w² (x − mean)², quadratic in the mean. */
  readonly residuals: (mean: number) => number;
}

/** Bisection steps per end: to 2⁻⁴⁰. */
const HALVINGS = 40;

/**
 * All means m in [−1, 1] with
 *
 * (Σ w (x − m))² ≤ (V + ρ) (2 ln(1/α) + ln(1 + V/ρ)), V = Σ w² (x − m)².
 *
 * For numbers y that are independent of each other and each symmetric about 0, exp(λ Σ y − λ²/2 Σ y²) is a
 * supermartingale for any λ (de la Peña, "A general class of exponential inequalities for martingales and ratios",
 * Annals of Probability 1999, lemma 6.1); mixed over λ ~ N(0, 1/ρ) the probability that it ever exceeds 1/α is at most
 * α (Ville). Where y = w (x − m) is symmetric, the interval is therefore exact and needs no variance estimate; for
 * other m it is as good as the central limit theorem.
 *
 * ρ is tuned so that the interval is narrowest at `tunedFor` numbers with a mean w² x² of 1.
 */
export function symmetricInterval(
  { value, weight, residuals }: WeightedMean,
  { alpha, tunedFor }: ConfidenceOptions,
): Interval {
  if (weight === 0) return { low: -1, high: 1 };
  const twice = -2 * Math.log(alpha);
  const rho = tunedFor / (twice + Math.log(twice + 1));
  const holds = (mean: number) => {
    const spread = Math.max(0, residuals(mean));
    return (weight * (value - mean)) ** 2 <= (spread + rho) * (twice + Math.log1p(spread / rho));
  };
  const end = (bound: -1 | 1) => {
    if (holds(bound)) return bound;
    let inside = value, outside: number = bound;
    for (let n = 0; n < HALVINGS; n++) {
      const middle = (inside + outside) / 2;
      if (holds(middle)) inside = middle;
      else outside = middle;
    }
    return outside;
  };
  return { low: end(-1), high: end(1) };
}
