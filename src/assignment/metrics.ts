/**
 * The metrics of experiments, by name.
 *
 * @module
 */

/** Fields summed per user, in the order of the vectors. */
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

/** Sizes by which one user may outweigh all others. */
export const SIZES = ["lists", "rows", "clicks"] as const satisfies readonly MetricField[];

export type Size = typeof SIZES[number];

/** A metric: sum of `of` over sum of `per`, and its direction. */
export interface MetricSpec {
  /** A description for people. */
  readonly about: string;
  /** Field of the numerator. */
  readonly of: MetricField;
  /** Field of the denominator; `entropy` is the log loss of predicting the mean click rate for all rows. */
  readonly per: MetricField | "entropy";
  /** Direction of improvement. */
  readonly better: "up" | "down";
  /**
   * The ideal value, where too high is as bad as too low: variants are compared by max(value, 1/value), and `better` is
   * `down`.
   */
  readonly ideal?: 1;
}

/** The metrics by name. */
export const METRICS = {
  ctr: { about: "clicks per shown item", of: "clicks", per: "rows", better: "up" },
  clicksPerList: { about: "clicks per list", of: "clicks", per: "lists", better: "up" },
  clicksPerUser: { about: "clicks per user", of: "clicks", per: "users", better: "up" },
  listsPerUser: { about: "lists per user", of: "lists", per: "users", better: "up" },
  discountedCtr: {
    about: "clicks per shown item, both weighted by 1/log₂(2 + position)",
    of: "discountedClicks",
    per: "discountedRows",
    better: "up",
  },
  reward: {
    about: "value of positive interactions per user, extremes cut",
    of: "reward",
    per: "users",
    better: "up",
  },
  logLoss: { about: "log loss of the served predictions", of: "loss", per: "rows", better: "down" },
  ne: { about: "log loss over that of the mean click rate", of: "loss", per: "entropy", better: "down" },
  calibration: {
    about: "Σ predictions / Σ clicks, compared by how far it is from 1",
    of: "predicted",
    per: "clicks",
    better: "down",
    ideal: 1,
  },
} as const satisfies Readonly<Record<string, MetricSpec>>;

/** One of {@linkcode METRICS}. */
export type MetricName = keyof typeof METRICS;

/** The size by which a metric cuts its largest users: the numerator if it is per user, else lists or rows. */
export function sizeOf(metric: MetricName): Size | "reward" {
  const { of, per } = METRICS[metric];
  if (per === "users") return of;
  return per === "lists" ? "lists" : "rows";
}
