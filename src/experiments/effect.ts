/**
 * The effect of a variant on a ratio metric, with the variance of the delta method, and with CUPED where a
 * pre-period is known.
 *
 * With users i, R = Σyᵢ/Σxᵢ and x̄ the mean of x, a user's influence on R is (yᵢ − R xᵢ)/x̄, and the variance of R
 * is that of the influences over n (Deng et al., "Applying the delta method in metric analytics", KDD 2018).
 * CUPED (Deng et al., WSDM 2013) takes out of it what a linear regression on the user's numerator and denominator
 * of the pre-period explains; the slopes are those of both arms together, so they favour none.
 *
 * @module
 */

import { METRIC_FIELDS, type MetricName, METRICS, type MetricSpec, Moments } from "./user_metrics.ts";

/** A ratio in one arm. */
export interface Arm {
  /** Users in it. */
  readonly users: number;
  /** The ratio; `null` when its denominator is 0. */
  readonly value: number | null;
  /** Variance of the ratio as an estimate. */
  readonly variance: number;
}

/** What a variant does to a metric, compared with the control. */
export interface Effect {
  /** The control. */
  readonly control: Arm;
  /** The variant. */
  readonly treatment: Arm;
  /** Relative: variant / control − 1; `null` when it is not defined. */
  readonly lift: number | null;
  /** Variance of the lift as an estimate. */
  readonly variance: number;
  /** Share of the variance that the pre-period explains, 0 without CUPED. */
  readonly explained: number;
}

/** Compares two arms; `cuped` asks for the adjustment by the pre-period. */
export function effectOf(control: Moments, treatment: Moments, metric: MetricName, cuped = true): Effect {
  const spec: MetricSpec = METRICS[metric];
  const plain = [armOf(control, spec, NO_SLOPES), armOf(treatment, spec, NO_SLOPES)] as const;
  const bare = compare(...plain, 0);
  if (!cuped || bare.lift === null) return bare;
  const both = new Moments();
  both.merge(control);
  both.merge(treatment);
  const slopes = slopesOf([[control, plain[0]], [treatment, plain[1]]], spec);
  const centre = coordinates(spec).slice(2).map((at) => both.get(at, 0) / both.users);
  const adjusted = compare(
    armOf(control, spec, slopes, centre),
    armOf(treatment, spec, slopes, centre),
    0,
  );
  return { ...adjusted, explained: 1 - adjusted.variance / bare.variance };
}

const NO_SLOPES = [0, 0] as const;

/** Where y, x and their pre-period stand in a user's vector. */
function coordinates({ of, per }: MetricSpec): number[] {
  const [y, x] = [METRIC_FIELDS.indexOf(of), METRIC_FIELDS.indexOf(per)];
  return [y, x, y + METRIC_FIELDS.length, x + METRIC_FIELDS.length];
}

/** The ratio of an arm, minus slopes · (its pre-period's mean − centre). */
function armOf(
  moments: Moments,
  spec: MetricSpec,
  slopes: readonly number[],
  centre: readonly number[] = [0, 0],
): Arm {
  const { users } = moments;
  const [y, x, ...before] = coordinates(spec) as [number, number, number, number];
  const sumX = moments.get(x, 0);
  if (users === 0 || sumX === 0) return { users, value: null, variance: Infinity };
  const ratio = moments.get(y, 0) / sumX;
  const meanX = sumX / users;
  // The influence less what the pre-period explains, as a linear function of the user's vector.
  const weights: [number, number][] = [[y, 1 / meanX], [x, -ratio / meanX], [before[0], -slopes[0]!], [
    before[1],
    -slopes[1]!,
  ]];
  let [square, mean] = [0, 0];
  for (const [i, wi] of weights) {
    mean += wi * moments.get(i, 0) / users;
    for (const [j, wj] of weights) square += wi * wj * moments.get(i, j) / users;
  }
  const shift = before.reduce(
    (sum, at, s) => sum + slopes[s]! * (moments.get(at, 0) / users - centre[s]!),
    0,
  );
  const variance = Math.max(0, square - mean * mean) / Math.max(1, users - 1);
  return { users, value: ratio - shift, variance };
}

/** Pooled slopes of the influence on the pre-period's two sums, by least squares. */
function slopesOf(arms: readonly (readonly [Moments, Arm])[], spec: MetricSpec): readonly number[] {
  const [y, x, a, b] = coordinates(spec) as [number, number, number, number];
  let [aa, ab, bb, ia, ib] = [0, 0, 0, 0, 0];
  for (const [moments, { users, value }] of arms) {
    if (value === null) continue;
    const meanX = moments.get(x, 0) / users;
    const centred = (i: number, j: number) =>
      moments.get(i, j) - moments.get(i, 0) * moments.get(j, 0) / users;
    const influence = (z: number) => (centred(y, z) - value * centred(x, z)) / meanX;
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

function compare(control: Arm, treatment: Arm, explained: number): Effect {
  const [a, b] = [control.value, treatment.value];
  if (a === null || b === null || a === 0) {
    return { control, treatment, lift: null, variance: Infinity, explained };
  }
  const variance = treatment.variance / a ** 2 + b ** 2 * control.variance / a ** 4;
  return { control, treatment, lift: b / a - 1, variance, explained };
}
