/**
 * The effect of a variant on a ratio metric, with delta-method variance and CUPED where a pre-period is known.
 *
 * With users i, R = Σyᵢ/Σxᵢ and x̄ the mean of x, a user's influence on R is (yᵢ − R xᵢ)/x̄, and the variance of R is
 * that of the influences over n (Deng et al., "Applying the delta method in metric analytics", KDD 2018); `linearise`
 * gives the influences for other functions of sums. CUPED (Deng et al., WSDM 2013) subtracts the part explained by a
 * linear regression on the numerator and denominator of the user's pre-period; the slopes are pooled over both arms, so
 * they favour neither.
 */

import { linearise, Moments } from "./user_metrics.ts";
import {
  METRIC_FIELDS,
  type MetricField,
  type MetricName,
  METRICS,
  type MetricSpec,
} from "../assignment/metrics.ts";

/** A ratio metric in one arm. */
export interface Arm {
  /** Number of users. */
  readonly users: number;
  /** The ratio; `null` when its denominator is 0. */
  readonly value: number | null;
  /** Variance of the ratio's estimate. */
  readonly variance: number;
  /** Variance between users of y − R x, with the user's numerator y and denominator x, and the ratio R. */
  readonly spread: number;
  /** Effective number of users by their denominators x, (Σx)²/Σx²: near 1 when one robot has most lists. */
  readonly equalUsers: number;
  /** Users whose reward is cut; 0 for other metrics. */
  readonly cut: number;
}

/** Effect of a variant on a metric, against the control. */
export interface Effect {
  /** The control. */
  readonly control: Arm;
  /** The variant. */
  readonly variant: Arm;
  /**
   * Relative change, variant / control − 1; `null` when undefined. For a metric with an ideal value, the ratio of the
   * distances max(value, 1/value).
   */
  readonly lift: number | null;
  /** Variance of the lift's estimate. */
  readonly variance: number;
  /** Share of the variance that the pre-period explains, 0 without CUPED. */
  readonly explained: number;
}

/**
 * Estimates the lift of one arm over another on a ratio metric.
 *
 * @param cuped whether to adjust for the pre-period where known
 * @returns the lift with its variance; `lift` is `null` when a ratio is undefined
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { effectOf, METRIC_FIELDS, Moments } from "@meander/meander/experiments";
 *
 * // Every second user clicks one of `rows` rows.
 * function arm(users: number, rows: number): Moments {
 *   const moments = new Moments();
 *   for (let user = 0; user < users; user++) {
 *     const sums = METRIC_FIELDS.map((field) => field === "rows" ? rows : field === "clicks" ? user % 2 : 1);
 *     moments.update(Float64Array.from(sums), undefined);
 *   }
 *   return moments;
 * }
 *
 * const { lift } = effectOf(arm(1000, 10), arm(1000, 8), "ctr");
 * assert.ok(Math.abs((lift ?? 0) - 0.25) < 1e-9); // as many clicks on a fifth fewer rows
 * ```
 */
export function effectOf(control: Moments, variant: Moments, metric: MetricName, cuped = true): Effect {
  const plain = [armOf(control, metric), armOf(variant, metric)] as const;
  const bare = compare(metric, ...plain);
  const before = beforeOf(metric);
  const hasPast = before.some((at) => control.get(at, at) + variant.get(at, at) > 0);
  if (!cuped || !hasPast || bare.lift === null) return bare;
  const both = new Moments();
  both.merge(control);
  both.merge(variant);
  const adjustment = {
    slopes: slopesOf([control, variant], metric),
    centre: before.map((at) => both.get(at, 0) / both.users),
  };
  const adjusted = compare(
    metric,
    armOf(control, metric, adjustment),
    armOf(variant, metric, adjustment),
  );
  // Ignore an adjustment that leaves a negative value.
  if (!(adjusted.control.value! > 0 && adjusted.variant.value! > 0)) return bare;
  return { ...adjusted, explained: bare.variance > 0 ? 1 - adjusted.variance / bare.variance : 0 };
}

/** The adjustment: slopes · (the pre-period's mean − centre). */
interface Adjustment {
  readonly slopes: readonly number[];
  readonly centre: readonly number[];
}

/** Rounding error of terms that cancel, relative to their size: less is not variance, as where all users are alike. */
const ROUNDING = 1e-10;
const NO_SLOPES = [0, 0] as const;
const NO_ADJUSTMENT: Adjustment = { slopes: NO_SLOPES, centre: [0, 0] };

/** The field of the denominator, by which users are weighted. */
function denominatorOf(metric: MetricName): MetricField {
  const { per }: MetricSpec = METRICS[metric];
  return per === "entropy" ? "rows" : per;
}

/** Indices of the pre-period's numerator and denominator in a user's vector. */
function beforeOf(metric: MetricName): readonly [number, number] {
  const place = (field: MetricField) => METRIC_FIELDS.indexOf(field) + METRIC_FIELDS.length;
  return [place(METRICS[metric].of), place(denominatorOf(metric))];
}

function armOf(moments: Moments, metric: MetricName, { slopes, centre } = NO_ADJUSTMENT): Arm {
  const { users } = moments;
  const linear = linearise(metric, moments);
  if (linear === null) return { users, value: null, variance: Infinity, spread: 0, equalUsers: 0, cut: 0 };
  const before = beforeOf(metric);
  // The influence minus the part explained by the pre-period, as a linear function of the user's vector.
  const weights = [...linear.slopes, ...before.map((at, s) => [at, -slopes[s]!] as const)];
  let [square, mean, size] = [0, 0, 0];
  for (const [i, wi] of weights) {
    mean += wi * moments.get(i, 0) / users;
    for (const [j, wj] of weights) {
      const term = wi * wj * moments.get(i, j) / users;
      square += term;
      size += Math.abs(term);
    }
  }
  const influence = square - mean * mean; // its variance between users
  const shift = before.reduce(
    (sum, at, s) => sum + slopes[s]! * (moments.get(at, 0) / users - centre[s]!),
    0,
  );
  const varies = influence > ROUNDING * size;
  const variance = varies ? influence / Math.max(1, users - 1) : 0;
  const spread = varies ? influence / linear.slopes[0]![1] ** 2 : 0;
  const per = METRIC_FIELDS.indexOf(denominatorOf(metric));
  const equalUsers = moments.get(per, 0) ** 2 / moments.get(per, per);
  const cut = METRICS[metric].of === "reward" ? moments.cut : 0;
  return { users, value: linear.value - shift, variance, spread, equalUsers, cut };
}

/** Pooled slopes of the influence on the pre-period's two sums, by least squares. */
function slopesOf(arms: readonly Moments[], metric: MetricName): readonly number[] {
  const [a, b] = beforeOf(metric);
  let [aa, ab, bb, ia, ib] = [0, 0, 0, 0, 0];
  for (const moments of arms) {
    const linear = linearise(metric, moments);
    if (linear === null) continue;
    const centred = (i: number, j: number) =>
      moments.get(i, j) - moments.get(i, 0) * moments.get(j, 0) / moments.users;
    const influence = (z: number) => linear.slopes.reduce((sum, [at, w]) => sum + w * centred(at, z), 0);
    aa += centred(a, a);
    ab += centred(a, b);
    bb += centred(b, b);
    ia += influence(a);
    ib += influence(b);
  }
  const determinant = aa * bb - ab * ab;
  if (determinant > 1e-9 * aa * bb) {
    return [(ia * bb - ib * ab) / determinant, (ib * aa - ia * ab) / determinant];
  }
  return aa > 0 ? [ia / aa, 0] : NO_SLOPES;
}

function compare(metric: MetricName, control: Arm, variant: Arm): Effect {
  const [a, b] = [control.value, variant.value];
  const none = { control, variant, lift: null, variance: Infinity, explained: 0 };
  if (a === null || b === null || a === 0) return none;
  const { ideal }: MetricSpec = METRICS[metric];
  if (ideal !== undefined) {
    const ratio = Math.exp(Math.abs(Math.log(b)) - Math.abs(Math.log(a)));
    const variance = ratio ** 2 * (variant.variance / b ** 2 + control.variance / a ** 2);
    return { ...none, lift: ratio - 1, variance };
  }
  const variance = variant.variance / a ** 2 + b ** 2 * control.variance / a ** 4;
  return { ...none, lift: b / a - 1, variance };
}
