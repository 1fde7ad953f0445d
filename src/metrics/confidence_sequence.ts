/**
 * Confidence sequences: intervals that hold at all times simultaneously, so that results may be read and stopped at any
 * time.
 *
 * @module
 */

export interface Interval {
  /** Lower end. */
  readonly low: number;
  /** Upper end. */
  readonly high: number;
}

/** Parameters of a confidence sequence. */
export interface ConfidenceOptions {
  /** Probability of ever excluding the truth, in (0, 1). */
  readonly alpha: number;
  /** Number of units for which the interval is nearly the narrowest possible. */
  readonly tunedFor: number;
}

/**
 * The square of the critical value: the truth is excluded once z², the squared distance of the estimate from it in
 * standard errors, reaches this.
 *
 * The likelihood ratio exp(λS − λ²V/2) of a drift λ is a martingale under the null, and so is its mean under any prior
 * on λ (Robbins 1970). The prior here is the normal moment prior, λ² N(0, ρ²)/ρ² (Johnson and Rossell, "On the use of
 * non-local prior densities", JRSS B 2010). It has no mass near zero, where no experiment is decisive, and reaches a
 * power of 80 % with 1.5 times the units of a fixed-size test, compared with 1.65 for a normal prior. With κ = n ρ² and
 * u = z² κ/(κ + 1) the mean is
 *
 * ln M = u/2 + ln(1 + u) − 3/2 ln(κ + 1),
 *
 * and by Ville's inequality P(M ever ≥ 1/α) ≤ α. It holds as far as the estimate behaves like a sum of normal terms,
 * one per unit (Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, "Time-uniform central limit theory and asymptotic
 * confidence sequences", Annals of Statistics 2024); docs/explanation/experiments.md measures how far.
 *
 * @param n Number of units in the estimate, above 0.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { criticalSquare } from "@meander/meander/experiments";
 *
 * const z = Math.sqrt(criticalSquare(100, { alpha: 0.05, tunedFor: 100 }));
 * assert.ok(z > 2.8 && z < 2.9); // 1.96 if it is read only once
 * ```
 */
export function criticalSquare(n: number, { alpha, tunedFor }: ConfidenceOptions): number {
  const kappa = n * narrowestKappa(alpha) / tunedFor;
  return rootOf(Math.log(1 / alpha) + 1.5 * Math.log(kappa + 1)) * (1 + 1 / kappa);
}

/**
 * The smallest α at which z² reaches the critical square, with the prior of `options`: an anytime-valid p-value.
 *
 * @param square z².
 * @param n Number of units in the estimate, above 0.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { criticalSquare, sequenceP } from "@meander/meander/experiments";
 *
 * const options = { alpha: 0.05, tunedFor: 1000 };
 * const square = criticalSquare(500, options);
 * assert.ok(Math.abs(sequenceP(square, 500, options) - 0.05) < 1e-9);
 * ```
 */
export function sequenceP(square: number, n: number, { alpha, tunedFor }: ConfidenceOptions): number {
  const kappa = n * narrowestKappa(alpha) / tunedFor;
  const u = square * kappa / (kappa + 1);
  return Math.min(1, Math.exp(1.5 * Math.log(kappa + 1) - u / 2 - Math.log1p(u)));
}

/** u > 0 with u/2 + ln(1 + u) = `level` > 0, by Newton's method. */
function rootOf(level: number): number {
  let u = Math.max(0, 2 * (level - Math.log1p(2 * level)));
  for (let step = 0; step < 50; step++) {
    const change = (level - u / 2 - Math.log1p(u)) / (0.5 + 1 / (1 + u));
    u += change;
    if (Math.abs(change) <= 1e-9 * u) break; // the next change would be about its square
  }
  return u;
}

/** The κ that minimises the critical value, to 5 %: κ = u (3 + u) / (3 + 3u). */
function narrowestKappa(alpha: number): number {
  return 0.45 + 0.7 * Math.log(1 / alpha);
}
