/**
 * The metrics of experiments. Each is a ratio of two sums over users, kept per user because users are the unit of
 * randomisation and thus of the variance.
 */

import { rowLogLoss } from "../metrics/probability.ts";
import {
  METRIC_FIELDS,
  type MetricField,
  type MetricName,
  METRICS,
  type MetricSpec,
} from "../assignment/metrics.ts";
import type { Sample } from "../samples/sample.ts";

/** Index of the reward in a user's sums. */
export const REWARD: number = METRIC_FIELDS.indexOf("reward");

/** Sums by field. Of users they are plain arrays, as a typed array of each one takes three times the memory. */
export interface Sums extends ArrayLike<number> {
  [field: number]: number;
}

/** A plain array of sums; `Array.from` would reserve twice the memory. */
export function plainSums(sums: ArrayLike<number>): number[] {
  return METRIC_FIELDS.map((_, field) => sums[field]!);
}

/** The sums of a user in a group: an arm, or a segment of one. */
export interface UserSums {
  readonly group: number;
  /** Sums of the experiment. */
  readonly sums: Sums;
  /** Sums of the pre-period; `undefined` without any. */
  readonly before: Sums | undefined;
}

/** The sums of one list. */
export function sumsOf({ rows }: Pick<Sample, "rows">): Float64Array {
  const sums = new Float64Array(METRIC_FIELDS.length);
  sums[0] = 1;
  sums[1] = rows.length > 0 ? 1 : 0; // an empty list is not shown
  for (let row = 0; row < rows.length; row++) {
    const [label, prediction] = [rows.label(row), rows.prediction(row)];
    const discount = 1 / Math.log2(2 + rows.position(row));
    sums[2]! += 1;
    sums[3]! += label;
    sums[4]! += discount;
    sums[5]! += discount * label;
    sums[REWARD] = finite(sums[REWARD]! + rows.reward(row));
    sums[7]! += rowLogLoss(label, prediction);
    sums[8]! += prediction;
  }
  return sums;
}

/** Adds the sums of a list to those of its user. */
export function addList(sums: Sums, list: ArrayLike<number>): void {
  sums[0] = 1;
  for (let field = 1; field < list.length; field++) sums[field]! += list[field]!;
  sums[REWARD] = finite(sums[REWARD]!);
}

/**
 * First and second moments of the users' sums, sufficient for a ratio, its variance and its regression on the
 * pre-period. Moments of disjoint users can be merged by addition.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { METRIC_FIELDS, Moments } from "@meander/meander/experiments";
 *
 * const moments = new Moments();
 * const user = METRIC_FIELDS.map((field) => field === "rows" ? 10 : 1);
 * moments.update(Float64Array.from(user), undefined);
 * assert.equal(moments.users, 1);
 * assert.equal(moments.total("rows"), 10);
 * ```
 */
export class Moments {
  /** Entries of a user's vector: the sums of the experiment, then those of the pre-period. */
  static readonly WIDTH: number = 2 * METRIC_FIELDS.length;
  /** Σ v vᵀ over users, the lower triangle row by row. The first entry of v is 1. */
  readonly sums: Float64Array = new Float64Array(Moments.WIDTH * (Moments.WIDTH + 1) / 2);
  /** The vector of the user who is added. */
  static readonly #vector = new Float64Array(Moments.WIDTH);

  /** Number of users. */
  get users(): number {
    return this.sums[0]!;
  }

  /** Users whose reward is cut in these sums. */
  cut = 0;

  /** Adds a user's vector, or removes it with `sign` −1. */
  update(sums: ArrayLike<number>, before: ArrayLike<number> | undefined, sign: 1 | -1 = 1): void {
    const v = Moments.#vector;
    v.set(sums);
    const width = before === undefined ? METRIC_FIELDS.length : Moments.WIDTH;
    if (before !== undefined) v.set(before, METRIC_FIELDS.length);
    for (let i = 0, at = 0; i < width; i++) {
      const vi = sign * v[i]!;
      if (vi === 0) at += i + 1;
      else for (let j = 0; j <= i; j++) this.sums[at++]! += vi * v[j]!;
    }
  }

  /** Adds the moments of other users. */
  merge(other: Moments): void {
    for (let i = 0; i < this.sums.length; i++) this.sums[i]! += other.sums[i]!;
    this.cut += other.cut;
  }

  /** Σ vᵢ vⱼ. */
  get(i: number, j: number): number {
    return this.sums[i >= j ? i * (i + 1) / 2 + j : j * (j + 1) / 2 + i]!;
  }

  /** Sum of a field over the users. */
  total(field: MetricField): number {
    return this.get(METRIC_FIELDS.indexOf(field), 0);
  }
}

/** The nearest finite number; 0 for NaN. */
function finite(value: number): number {
  return Math.max(-Number.MAX_VALUE, Math.min(Number.MAX_VALUE, value)) || 0;
}

/** A metric linearised around the totals, for the delta method. */
export interface LinearMetric {
  /** The value. */
  readonly value: number;
  /**
   * Derivative of the value with respect to a user's field, times the number of users; fields are indices into
   * {@linkcode METRIC_FIELDS}.
   */
  readonly slopes: readonly (readonly [field: number, slope: number])[];
}

/**
 * The value of a metric and its slopes; `null` when undefined.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { linearise, METRIC_FIELDS, Moments } from "@meander/meander/experiments";
 *
 * const moments = new Moments();
 * const user = METRIC_FIELDS.map((field) => field === "rows" ? 10 : 1);
 * moments.update(Float64Array.from(user), undefined);
 * assert.deepEqual(linearise("ctr", moments)?.slopes.map(([, slope]) => slope), [0.1, -0.01]);
 * ```
 */
export function linearise(metric: MetricName, moments: Moments): LinearMetric | null {
  const { of, per }: MetricSpec = METRICS[metric];
  const { users } = moments;
  const y = moments.total(of);
  const place = (field: MetricField) => METRIC_FIELDS.indexOf(field);
  if (per !== "entropy") {
    const x = moments.total(per);
    if (users === 0 || x === 0) return null;
    const value = y / x;
    return { value, slopes: [[place(of), users / x], [place(per), -value * users / x]] };
  }
  // n ln n − c ln c − (n − c) ln(n − c) nats, with c clicks on n rows.
  const [c, n] = [moments.total("clicks"), moments.total("rows")];
  if (!(c > 0 && c < n)) return null;
  const x = n * Math.log(n) - c * Math.log(c) - (n - c) * Math.log(n - c);
  const value = y / x;
  return {
    value,
    slopes: [
      [place(of), users / x],
      [place("clicks"), -value * users / x * Math.log((n - c) / c)],
      [place("rows"), -value * users / x * Math.log(n / (n - c))],
    ],
  };
}

/**
 * The value of a metric; `null` when undefined.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { METRIC_FIELDS, Moments, valueOf } from "@meander/meander/experiments";
 *
 * const moments = new Moments();
 * assert.equal(valueOf("ctr", moments), null); // nobody yet
 * const user = METRIC_FIELDS.map((field) => field === "rows" ? 10 : 1);
 * moments.update(Float64Array.from(user), undefined);
 * assert.equal(valueOf("ctr", moments), 0.1);
 * ```
 */
export function valueOf(metric: MetricName, moments: Moments): number | null {
  return linearise(metric, moments)?.value ?? null;
}
