/**
 * Means over a stream in a few numbers.
 *
 * @module
 */

import type { Metric } from "./metric.ts";
import { entropy, rowLogLoss } from "./probability.ts";

/** State of {@linkcode RunningMean}. */
export interface RunningMeanState {
  /** Number of values. */
  readonly count: number;
  /** Their sum. */
  readonly sum: number;
}

/**
 * Mean of any numbers, for instance of a loss or a latency. Merging is associative up to rounding.
 *
 * @example
 * ```ts
 * import { RunningMean } from "@meander/meander/evaluation";
 * import assert from "node:assert/strict";
 * const mean = new RunningMean();
 * mean.update(1);
 * mean.update(2);
 * assert.equal(mean.get(), 1.5);
 * assert.equal(RunningMean.from(mean.toJSON()).get(), 1.5);
 * ```
 */
export class RunningMean {
  #count = 0;
  #sum = 0;

  /** Number of values so far. */
  get count(): number {
    return this.#count;
  }

  /** Takes in a value. */
  update(value: number): void {
    this.#count++;
    this.#sum += value;
  }

  /** The mean; `null` without values. */
  get(): number | null {
    return this.#count === 0 ? null : this.#sum / this.#count;
  }

  /** Takes in all values of another mean. */
  merge(other: RunningMean): void {
    this.#count += other.#count;
    this.#sum += other.#sum;
  }

  /** Forgets all values. */
  reset(): void {
    this.#count = 0;
    this.#sum = 0;
  }

  /** The state. */
  toJSON(): RunningMeanState {
    return { count: this.#count, sum: this.#sum };
  }

  /** A mean with that state. */
  static from(state: RunningMeanState): RunningMean {
    const mean = new RunningMean();
    mean.#count = state.count;
    mean.#sum = state.sum;
    return mean;
  }
}

/** Figures of {@linkcode RunningProbability}; `null` where one is undefined. */
export interface ProbabilityFigures {
  /** Number of rows. */
  readonly rows: number;
  /** Share of positives. */
  readonly rate: number | null;
  /** Mean log loss in nats. */
  readonly logLoss: number | null;
  /** Log loss of the best constant. */
  readonly constantLogLoss: number | null;
  /** Log loss over that of the best constant. */
  readonly normalizedEntropy: number | null;
  /** Σ predictions / Σ labels. */
  readonly calibration: number | null;
  /** Share of rows where `prediction >= 0.5` agrees with the label. */
  readonly accuracy: number | null;
}

/** State of {@linkcode RunningProbability}. */
export interface RunningProbabilityState {
  /** Number of rows. */
  readonly rows: number;
  /** Rows with label 1. */
  readonly positives: number;
  /** Rows on the right side of 0.5. */
  readonly right: number;
  /** Sum of log losses, in units of 2^−24 nats. */
  readonly loss: number;
  /** Sum of predictions, in units of 2^−24. */
  readonly predicted: number;
}

/** Sums count in units of 2^−24, so that they are integers and exact. */
const UNIT = 2 ** 24;

/**
 * Log loss, normalised entropy, calibration and accuracy over a stream, in five numbers.
 *
 * Each row's loss and prediction are rounded to 2^−24 (an error of at most 3e-8 a row) and summed as integers,
 * which is exact up to half a billion nats. So the figures do not depend on the order of the rows nor on how
 * they were split over tasks and merged: bit for bit the same.
 *
 * @example
 * ```ts
 * import { RunningProbability } from "@meander/meander/evaluation";
 * import assert from "node:assert/strict";
 * const metric = new RunningProbability();
 * metric.update(1, 0.5);
 * assert.equal(metric.get().calibration, 0.5);
 * assert.equal(metric.get().normalizedEntropy, null); // One label only.
 * metric.update(0, 0.5);
 * assert.equal(metric.get().normalizedEntropy?.toFixed(6), "1.000000");
 * ```
 */
export class RunningProbability implements Metric<ProbabilityFigures, RunningProbabilityState> {
  #rows = 0;
  #positives = 0;
  #right = 0;
  #loss = 0;
  #predicted = 0;

  get rows(): number {
    return this.#rows;
  }

  update(label: number, prediction: number): void {
    this.#rows++;
    this.#positives += label;
    if ((prediction >= 0.5) === (label === 1)) this.#right++;
    this.#loss += Math.round(rowLogLoss(label, prediction) * UNIT);
    this.#predicted += Math.round(prediction * UNIT);
  }

  get(): ProbabilityFigures {
    const rows = this.#rows, positives = this.#positives;
    const mean = (sum: number) => rows === 0 ? null : sum / rows;
    const logLoss = mean(this.#loss / UNIT);
    const rate = mean(positives);
    const constantLogLoss = rate === null ? null : entropy(rate);
    return {
      rows,
      rate,
      logLoss,
      constantLogLoss,
      normalizedEntropy: logLoss === null || !constantLogLoss ? null : logLoss / constantLogLoss,
      calibration: positives === 0 ? null : this.#predicted / UNIT / positives,
      accuracy: mean(this.#right),
    };
  }

  merge(other: RunningProbability): void {
    this.#rows += other.#rows;
    this.#positives += other.#positives;
    this.#right += other.#right;
    this.#loss += other.#loss;
    this.#predicted += other.#predicted;
  }

  reset(): void {
    this.#rows =
      this.#positives =
      this.#right =
      this.#loss =
      this.#predicted =
        0;
  }

  toJSON(): RunningProbabilityState {
    return {
      rows: this.#rows,
      positives: this.#positives,
      right: this.#right,
      loss: this.#loss,
      predicted: this.#predicted,
    };
  }

  /** A metric with that state. */
  static from(state: RunningProbabilityState): RunningProbability {
    const metric = new RunningProbability();
    metric.#rows = state.rows;
    metric.#positives = state.positives;
    metric.#right = state.right;
    metric.#loss = state.loss;
    metric.#predicted = state.predicted;
    return metric;
  }
}
