import type { Metric } from "./metric.ts";

/** State of {@linkcode HistogramAuc}: rows by bin of the prediction, from 0 to 1. */
export interface HistogramAucState {
  /** Positives in each bin. */
  readonly positives: readonly number[];
  /** Negatives in each bin. */
  readonly negatives: readonly number[];
}

/**
 * AUC over a stream from two histograms of the prediction, in 16 bytes a bin:
 *
 *     AUC ≈ Σ_b pos_b · (neg_{<b} + neg_b / 2) / (P · N)
 *
 * Bin b holds predictions in [b/bins, (b+1)/bins), the last one 1 too. Exact but for pairs within one bin,
 * which count one half whatever their order: the error is at most half the share of such pairs. A model whose
 * predictions all lie close together wants more bins than the default. Counts are integers, so order and
 * split of the rows do not matter.
 *
 * @example
 * ```ts
 * import { HistogramAuc } from "@meander/meander/evaluation";
 * import assert from "node:assert/strict";
 * const metric = new HistogramAuc();
 * metric.update(0, 0.2);
 * assert.equal(metric.get(), null); // One label only.
 * metric.update(1, 0.7);
 * assert.equal(metric.get(), 1);
 * ```
 */
export class HistogramAuc implements Metric<number | null, HistogramAucState> {
  readonly #positives: Float64Array;
  readonly #negatives: Float64Array;
  #rows = 0;

  /**
   * Makes empty histograms.
   *
   * @param bins number of bins @default {1000}
   * @throws {RangeError} if it is not a positive integer
   */
  constructor(bins = 1000) {
    if (!Number.isInteger(bins) || bins < 1) {
      throw new RangeError(`Cannot make a histogram with a number of bins: current value is ${bins}`);
    }
    this.#positives = new Float64Array(bins);
    this.#negatives = new Float64Array(bins);
  }

  get rows(): number {
    return this.#rows;
  }

  update(label: number, prediction: number): void {
    const bins = this.#positives.length;
    const bin = Math.min(bins - 1, Math.max(0, Math.floor(prediction * bins)));
    const counts = label === 1 ? this.#positives : this.#negatives;
    counts[bin]!++;
    this.#rows++;
  }

  get(): number | null {
    let won = 0, positives = 0, below = 0;
    for (let bin = 0; bin < this.#positives.length; bin++) {
      const p = this.#positives[bin]!, n = this.#negatives[bin]!;
      won += p * (below + n / 2);
      positives += p;
      below += n;
    }
    return positives === 0 || below === 0 ? null : won / (positives * below);
  }

  /**
   * Takes in all rows of another.
   *
   * @throws {RangeError} if it has another number of bins
   */
  merge(other: HistogramAuc): void {
    const bins = this.#positives.length;
    if (other.#positives.length !== bins) {
      throw new RangeError(
        `Cannot merge histograms of ${bins} bins: current other has ${other.#positives.length}`,
      );
    }
    for (let bin = 0; bin < bins; bin++) {
      this.#positives[bin]! += other.#positives[bin]!;
      this.#negatives[bin]! += other.#negatives[bin]!;
    }
    this.#rows += other.#rows;
  }

  reset(): void {
    this.#positives.fill(0);
    this.#negatives.fill(0);
    this.#rows = 0;
  }

  toJSON(): HistogramAucState {
    return { positives: Array.from(this.#positives), negatives: Array.from(this.#negatives) };
  }

  /** A metric with that state. */
  static from(state: HistogramAucState): HistogramAuc {
    const metric = new HistogramAuc(state.positives.length);
    metric.#positives.set(state.positives);
    metric.#negatives.set(state.negatives);
    for (const counts of [metric.#positives, metric.#negatives]) {
      for (const count of counts) metric.#rows += count;
    }
    return metric;
  }
}
