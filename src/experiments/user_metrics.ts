/**
 * The metrics of experiments: each a ratio of two sums over users, kept a user so that the users, who are what
 * was randomised, are also what the variance is taken over.
 *
 * @module
 */

import { rowLogLoss } from "../metrics/probability.ts";
import type { Sample } from "../learner/sample.ts";

/** What is summed up a user, in the order of the vectors. */
export const METRIC_FIELDS = [
  "users",
  "lists",
  "rows",
  "clicks",
  "discountedRows",
  "discountedClicks",
  "reward",
  "loss",
  "predicted",
] as const;

/** One of {@linkcode METRIC_FIELDS}. */
export type MetricField = typeof METRIC_FIELDS[number];

/** A metric: sum of `of` over sum of `per`, and which way is better. */
export interface MetricSpec {
  /** What it is, for people. */
  readonly about: string;
  /** Summed in the numerator. */
  readonly of: MetricField;
  /** Summed in the denominator. */
  readonly per: MetricField;
  /** Which way is better. */
  readonly better: "up" | "down";
}

/** The metrics by name. */
export const METRICS = {
  ctr: { about: "clicks a shown item", of: "clicks", per: "rows", better: "up" },
  clicksPerList: { about: "clicks a list", of: "clicks", per: "lists", better: "up" },
  clicksPerUser: { about: "clicks a user", of: "clicks", per: "users", better: "up" },
  listsPerUser: { about: "lists a user", of: "lists", per: "users", better: "up" },
  discountedCtr: {
    about: "clicks a shown item, both weighted by 1/log₂(2 + position)",
    of: "discountedClicks",
    per: "discountedRows",
    better: "up",
  },
  reward: { about: "value of positive interactions a user", of: "reward", per: "users", better: "up" },
  logLoss: { about: "log loss of the served predictions", of: "loss", per: "rows", better: "down" },
  calibration: { about: "Σ predictions / Σ clicks", of: "predicted", per: "clicks", better: "down" },
} as const satisfies Readonly<Record<string, MetricSpec>>;

/** One of {@linkcode METRICS}. */
export type MetricName = keyof typeof METRICS;

/** Adds what a sample says to a user's sums. */
export function addSample(sums: Float64Array, { rows }: Pick<Sample, "rows">): void {
  sums[0] = 1;
  sums[1]! += 1;
  for (const { label, position, prediction, reward = 0 } of rows) {
    const discount = 1 / Math.log2(2 + position);
    sums[2]! += 1;
    sums[3]! += label;
    sums[4]! += discount;
    sums[5]! += discount * label;
    sums[6]! += reward;
    sums[7]! += rowLogLoss(label, prediction);
    sums[8]! += prediction;
  }
}

/**
 * First and second moments of the users' sums: all that a ratio, its variance and its regression on the
 * pre-period need. Merging is addition, so tasks with different users can be merged; one user must not be in two.
 */
export class Moments {
  /** Entries of a user's vector: the sums of the experiment, then those of the pre-period. */
  static readonly WIDTH: number = 2 * METRIC_FIELDS.length;
  /** Σ v vᵀ over users, the lower triangle row by row. The first entry of v is 1. */
  readonly sums: Float64Array = new Float64Array(Moments.WIDTH * (Moments.WIDTH + 1) / 2);

  /** Number of users. */
  get users(): number {
    return this.sums[0]!;
  }

  /** Adds a user's vector, or with `sign` −1 takes it out again. */
  update(sums: Float64Array, before: Float64Array | undefined, sign: 1 | -1 = 1): void {
    const n = METRIC_FIELDS.length;
    for (let i = 0, at = 0; i < Moments.WIDTH; i++) {
      const vi = sign * (i < n ? sums[i]! : before?.[i - n] ?? 0);
      if (vi === 0) {
        at += i + 1;
        continue;
      }
      for (let j = 0; j <= i; j++) {
        this.sums[at++]! += vi * (j < n ? sums[j]! : before?.[j - n] ?? 0);
      }
    }
  }

  /** Adds other users. */
  merge(other: Moments): void {
    for (let i = 0; i < this.sums.length; i++) this.sums[i]! += other.sums[i]!;
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
