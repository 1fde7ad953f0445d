/**
 * The evidence from two arms about the ratio of their metrics: the deviance of two Poisson counts with an estimated
 * dispersion (McCullagh and Nelder, "Generalized linear models", 1989, section 9.2).
 *
 * A count k with mean m contributes 2 (k ln(k/m) − (k − m)) to χ². Unlike a normal approximation, this accounts for the
 * skew of a small arm, allows zero, and takes the variance from the hypothesis rather than from the estimate, whose
 * variance is small exactly when the estimate is too low.
 */

import { softplus } from "../nn/losses/logistic.ts";
import type { Interval } from "../metrics/confidence_sequence.ts";
import type { Arm, Effect } from "./effect.ts";

/** The part of an arm from which counts are made. */
type Counted = Pick<Arm, "users" | "value" | "variance">;

/** An arm as an equivalent count of equal, independent conversions. */
export interface Count {
  /** Conversions; the metric is proportional to them over `exposure`. */
  readonly conversions: number;
  /** Exposure, in arbitrary units. */
  readonly exposure: number;
}

export interface Evidence {
  readonly control: Count;
  readonly variant: Count;
}

/**
 * The arms of a metric as counts; `null` when a value is missing or negative, or the variance is 0.
 *
 * With the variance v of the value r of n users, the dispersion is φ = n v / r, and the exposure n / φ. An arm uses the
 * larger of its own and the pooled dispersion: the variance of a small arm may still be underestimated.
 */
export function evidenceOf(control: Counted, variant: Counted): Evidence | null {
  const [a, b] = [control.value, variant.value];
  if (a === null || b === null || a < 0 || b < 0 || a + b === 0) return null;
  const users = control.users + variant.users;
  const variance = (control.users ** 2 * control.variance + variant.users ** 2 * variant.variance) /
    users;
  const pooled = variance * users / (control.users * a + variant.users * b);
  if (!(pooled > 0 && Number.isFinite(pooled))) return null;
  const countOf = (arm: Counted, value: number): Count => {
    const own = value > 0 ? arm.users * arm.variance / value : 0;
    const exposure = arm.users / Math.max(own, pooled);
    return { conversions: exposure * value, exposure };
  };
  return { control: countOf(control, a), variant: countOf(variant, b) };
}

/** The evidence with the control's metric inverted, which turns variant / control into variant · control. */
export function inverted({ control, variant }: Evidence): Evidence {
  const { conversions, exposure } = control;
  return { control: { conversions, exposure: conversions ** 2 / exposure }, variant };
}

/**
 * Fewest effective conversions for any verdict: with fewer, the dispersion is too uncertain. In simulations, 8 suffice.
 */
export const MIN_CONVERSIONS = 15;

/**
 * Effective conversions of the smaller arm, if both arms were alike. An arm counts at most as many as it has equally
 * active users: a ratio dominated by one user is close to that user's own, so the user's influence, and with it the
 * variance, vanishes.
 */
export function conversionsOf({ control, variant }: Effect): number {
  const evidence = evidenceOf(control, variant);
  return evidence === null
    ? 0
    : Math.min(fewestConversions(evidence), control.equalUsers, variant.equalUsers);
}

/** Expected conversions of the smaller arm if both had the same metric. */
function fewestConversions({ control, variant }: Evidence): number {
  const rate = (control.conversions + variant.conversions) / (control.exposure + variant.exposure);
  return rate * Math.min(control.exposure, variant.exposure);
}

/** The deviance when variant / control is `ratio`, the analogue of z². It is convex in ln ratio. */
export function devianceAt(evidence: Evidence, ratio: number): number {
  return devianceAtOdds(evidence, Math.log(ratio) + exposureOdds(evidence));
}

/**
 * All ratios variant / control whose deviance is below the critical square, by Newton's method in ln ratio. An end
 * beyond the range of numbers is 0 or `Infinity`.
 */
export function ratioInterval(evidence: Evidence, square: number): Interval {
  const [a, b] = [evidence.control.conversions, evidence.variant.conversions];
  const origin = exposureOdds(evidence);
  // Start at the estimate; an arm without conversions counts as having one.
  const [k, l] = [a === 0 ? 1 : a, b === 0 ? 1 : b];
  const normal = Math.min(Math.sqrt(square * (1 / k + 1 / l)), 300);
  const end = (sign: 1 | -1): number => {
    let odds = Math.log(l / k) + sign * normal;
    for (let step = 0; step < 100; step++) {
      // Twice an arm's distance from its mean, computed for the arm below its mean to avoid cancellation.
      const slope = sign === 1
        ? 2 * (a - (a + b) / (1 + Math.exp(odds)))
        : 2 * ((a + b) / (1 + Math.exp(-odds)) - b);
      const change = (square - devianceAtOdds(evidence, odds)) / slope;
      odds += change;
      if (!(Math.abs(change) > 1e-10)) break;
    }
    return Math.exp(odds - origin);
  };
  return { low: b === 0 ? 0 : end(-1), high: a === 0 ? Infinity : end(1) };
}

/** The deviance when a conversion belongs to the variant with odds e^`odds`. */
function devianceAtOdds({ control, variant }: Evidence, odds: number): number {
  const total = control.conversions + variant.conversions;
  const term = (k: number, lnShare: number) => k === 0 ? 0 : k * (Math.log(k / total) - lnShare);
  return 2 *
    Math.max(0, term(control.conversions, -softplus(odds)) + term(variant.conversions, -softplus(-odds)));
}

/** Log odds at which the metrics are equal. */
function exposureOdds({ control, variant }: Evidence): number {
  return Math.log(variant.exposure) - Math.log(control.exposure);
}
