/**
 * What two arms say of the ratio of their metrics, in conversions: the deviance of two Poisson counts with an estimated
 * dispersion (McCullagh and Nelder, "Generalized linear models", 1989, section 9.2).
 *
 * A count with the mean m is worth 2 (k ln(k/m) − (k − m)) of χ²: it knows that a small arm's mean is skewed, allows
 * zero, and takes its variance from the hypothesis rather than from the estimate, whose own is small just when the
 * estimate is too low.
 *
 * @module
 */

import { softplus } from "../nn/losses/logistic.ts";
import type { Interval } from "../metrics/confidence_sequence.ts";
import type { Arm } from "./effect.ts";

/** An arm as a count of equal, independent conversions that would tell as much as its users do. */
export interface Count {
  /** Conversions; the metric is proportional to this over `exposure`. */
  readonly conversions: number;
  /** What they came from, in units of its own. */
  readonly exposure: number;
}

/** Two arms as counts. */
export interface Evidence {
  /** The control. */
  readonly control: Count;
  /** The variant. */
  readonly variant: Count;
}

/**
 * The arms of a metric as counts; `null` when nothing can be said: a value is missing or negative, or there is no
 * variance.
 *
 * With the variance v of the value r of n users, the dispersion is φ = n v / r, and the exposure n / φ. An arm takes
 * the larger of its own and that of both: a small arm in which nobody spent much yet does not know its variance.
 */
export function evidenceOf(control: Arm, variant: Arm): Evidence | null {
  const [a, b] = [control.value, variant.value];
  if (a === null || b === null || a < 0 || b < 0 || a + b === 0) return null;
  const users = control.users + variant.users;
  const variance = (control.users ** 2 * control.variance + variant.users ** 2 * variant.variance) /
    users;
  const pooled = variance * users / (control.users * a + variant.users * b);
  if (!(pooled > 0 && Number.isFinite(pooled))) return null;
  const countOf = (arm: Arm, value: number): Count => {
    const own = value > 0 ? arm.users * arm.variance / value : 0;
    const exposure = arm.users / Math.max(own, pooled);
    return { conversions: exposure * value, exposure };
  };
  return { control: countOf(control, a), variant: countOf(variant, b) };
}

/** The same of the control's metric turned upside down, for which variant / control becomes variant · control. */
export function inverted({ control, variant }: Evidence): Evidence {
  const { conversions, exposure } = control;
  return { control: { conversions, exposure: conversions ** 2 / exposure }, variant };
}

/** Conversions of the smaller arm, had both the same metric: what it takes before anything is said. */
export function fewestConversions({ control, variant }: Evidence): number {
  const rate = (control.conversions + variant.conversions) / (control.exposure + variant.exposure);
  return rate * Math.min(control.exposure, variant.exposure);
}

/** The deviance when variant / control is `ratio`: what z² is for normal estimates. It is convex in ln ratio. */
export function devianceAt(evidence: Evidence, ratio: number): number {
  return devianceAtOdds(evidence, Math.log(ratio) + exposureOdds(evidence));
}

/**
 * All ratios variant / control whose deviance is below the critical square, by Newton's method in ln ratio. An end that
 * is further away than numbers go is 0 or `Infinity`.
 */
export function ratioInterval(evidence: Evidence, square: number): Interval {
  const [a, b] = [evidence.control.conversions, evidence.variant.conversions];
  const origin = exposureOdds(evidence);
  // The estimate; an arm without conversions counts as if it had one.
  const [k, l] = [a === 0 ? 1 : a, b === 0 ? 1 : b];
  const normal = Math.min(Math.sqrt(square * (1 / k + 1 / l)), 300);
  const end = (sign: 1 | -1): number => {
    let odds = Math.log(l / k) + sign * normal;
    for (let step = 0; step < 100; step++) {
      // Twice an arm's distance from its mean: that of the arm which is short of it, or little would be left of both.
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

/** The deviance when a conversion is the variant's with the odds e^`odds`. */
function devianceAtOdds({ control, variant }: Evidence, odds: number): number {
  const total = control.conversions + variant.conversions;
  const term = (k: number, lnShare: number) => k === 0 ? 0 : k * (Math.log(k / total) - lnShare);
  return 2 *
    Math.max(0, term(control.conversions, -softplus(odds)) + term(variant.conversions, -softplus(-odds)));
}

/** The logarithm of the odds at which the metrics are equal. */
function exposureOdds({ control, variant }: Evidence): number {
  return Math.log(variant.exposure) - Math.log(control.exposure);
}
