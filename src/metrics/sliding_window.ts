import type { Metric, MetricClass } from "./metric.ts";

/** Options of {@linkcode SlidingWindow}. */
export interface SlidingWindowOptions {
  /** Length of the window: milliseconds of event time, or a number of rows. */
  readonly length: number;
  /** Number of buckets it is made of; more are finer and take more memory. @default {10} */
  readonly buckets?: number;
}

/** State of {@linkcode SlidingWindow}. */
export interface SlidingWindowState<State> {
  /** Number of rows that were given. */
  readonly position: number;
  /** Rows that came too late. */
  readonly tooOld: number;
  /** Number of the bucket and state of its metric, oldest first. */
  readonly buckets: readonly (readonly [number, State])[];
}

/**
 * Any metric over the newest part of a stream, by event time or by number of rows, in the memory of
 * `buckets` such metrics.
 *
 * A row at position x (its event time; or the number of rows before it) lies in bucket ⌊x/w⌋ with
 * w = length/buckets. The window is the newest bucket n and those before it, positions
 *
 *     [(n − buckets + 1)·w, (n + 1)·w)
 *
 * so it covers between length − w and length, up to the newest row: with length 10, 5 buckets and rows at
 * 0, 1, …, 11, buckets 1 to 5 are left and hold rows 2 to 11; row 12 opens bucket 6, and rows 2 and 3 go.
 * Rows within the window may come in any order. One that is older than the window is counted and left out.
 *
 * @example
 * ```ts
 * import { HistogramAuc } from "@meander/meander/evaluation";
 * import { SlidingWindow } from "@meander/meander/evaluation";
 * import assert from "node:assert/strict";
 * const window = new SlidingWindow(HistogramAuc, { length: 10, buckets: 5 });
 * for (let i = 0; i < 13; i++) window.update(i % 2, 0.5);
 * assert.equal(window.merged().rows, 9);
 * assert.equal(window.get(), 0.5);
 * ```
 */
export class SlidingWindow<Figure, State> {
  readonly #metric: MetricClass<Figure, State>;
  readonly #width: number;
  readonly #count: number;
  /** Live buckets by number, in no particular order. */
  readonly #buckets = new Map<number, Metric<Figure, State>>();
  #newest = -Infinity;
  #position = 0;
  #tooOld = 0;

  /**
   * Makes an empty window.
   *
   * @param metric class of the metric
   * @throws {RangeError} if length or buckets are not above 0, or there are more than 10 000 buckets
   */
  constructor(metric: MetricClass<Figure, State>, { length, buckets = 10 }: SlidingWindowOptions) {
    if (!(length > 0) || !Number.isInteger(buckets) || buckets < 1 || buckets > 10_000) {
      throw new RangeError(
        `Cannot make a window of a length and buckets: current values are ${length} and ${buckets}`,
      );
    }
    this.#metric = metric;
    this.#count = buckets;
    this.#width = length / buckets;
  }

  /** Rows that came after their part of the window was gone. */
  get tooOld(): number {
    return this.#tooOld;
  }

  /**
   * Takes in a row.
   *
   * @param label outcome in {0, 1}
   * @param prediction probability predicted for it
   * @param position event time in milliseconds; by default the number of rows before this one
   */
  update(label: number, prediction: number, position: number = this.#position): void {
    this.#position++;
    const number = Math.floor(position / this.#width);
    if (number <= this.#newest - this.#count) {
      this.#tooOld++;
      return;
    }
    this.#advance(number);
    this.#bucket(number).update(label, prediction);
  }

  /** The figure over the window. */
  get(): Figure {
    return this.merged().get();
  }

  /** A new metric with all rows of the window. */
  merged(): Metric<Figure, State> {
    const merged = new this.#metric();
    for (const [, bucket] of this.#ordered()) merged.merge(bucket);
    return merged;
  }

  /**
   * Takes in all rows of another window over event time with the same options; the newer of the two decides
   * what is left.
   */
  merge(other: SlidingWindow<Figure, State>): void {
    this.#position += other.#position;
    this.#tooOld += other.#tooOld;
    for (const [number, bucket] of other.#ordered()) {
      if (number <= this.#newest - this.#count) continue;
      this.#advance(number);
      this.#bucket(number).merge(bucket);
    }
  }

  /** Forgets all rows. */
  reset(): void {
    this.#buckets.clear();
    this.#newest = -Infinity;
    this.#position = 0;
    this.#tooOld = 0;
  }

  /** The state. */
  toJSON(): SlidingWindowState<State> {
    return {
      position: this.#position,
      tooOld: this.#tooOld,
      buckets: this.#ordered().map(([number, bucket]) => [number, bucket.toJSON()] as const),
    };
  }

  /** A window over metrics of a class, with a state that a window of the same options had. */
  static from<Figure, State>(
    state: SlidingWindowState<State>,
    metric: MetricClass<Figure, State>,
    options: SlidingWindowOptions,
  ): SlidingWindow<Figure, State> {
    const window = new SlidingWindow(metric, options);
    for (const [number, bucket] of state.buckets) {
      window.#advance(number);
      window.#buckets.set(number, metric.from(bucket));
    }
    window.#position = state.position;
    window.#tooOld = state.tooOld;
    return window;
  }

  #advance(number: number): void {
    if (number <= this.#newest) return;
    this.#newest = number;
    for (const old of this.#buckets.keys()) if (old <= number - this.#count) this.#buckets.delete(old);
  }

  #bucket(number: number): Metric<Figure, State> {
    const known = this.#buckets.get(number);
    if (known !== undefined) return known;
    const fresh = new this.#metric();
    this.#buckets.set(number, fresh);
    return fresh;
  }

  #ordered(): (readonly [number, Metric<Figure, State>])[] {
    return [...this.#buckets].sort(([a], [b]) => a - b);
  }
}
