/** Percentiles of recent times, from a fixed-size histogram that expires by the second. */

import type { ByteReader } from "../../src/codec/byte_reader.ts";
import type { ByteWriter } from "../../src/codec/byte_writer.ts";

/** Shorter times count as this, in milliseconds. */
const LEAST_MS = 0.01;
/** Growth factor of the bucket bounds: percentiles are accurate to 5 %. */
const GROWTH = 1.1;
/** Up to 70 s. */
const BUCKETS = 166;
const LOG_GROWTH = Math.log(GROWTH);

/**
 * Times of the last `seconds` calls of {@linkcode LatencyWindow.advance}. Adding is O(1), a percentile O(buckets),
 * memory 4 · 166 bytes per second.
 *
 * @example
 * ```ts
 * import { LatencyWindow } from "./latency.ts";
 * import assert from "node:assert/strict";
 *
 * const window = new LatencyWindow(60);
 * for (let ms = 1; ms <= 100; ms++) window.add(ms);
 * const p50 = window.percentile(0.5) ?? 0;
 * assert.ok(p50 > 47 && p50 < 53);
 * ```
 */
export class LatencyWindow {
  readonly #seconds: number;
  /** Ring of counts by [second, bucket]. */
  readonly #counts: Uint32Array;
  /** Counts summed over the seconds. */
  readonly #sums = new Uint32Array(BUCKETS);
  #at = 0;
  #count = 0;

  /** Makes an empty window. */
  constructor(seconds: number) {
    this.#seconds = seconds;
    this.#counts = new Uint32Array(seconds * BUCKETS);
  }

  /** Number of times in the window. */
  get count(): number {
    return this.#count;
  }

  add(ms: number): void {
    const bucket = Math.min(
      BUCKETS - 1,
      Math.max(0, Math.ceil(Math.log(Math.max(ms, LEAST_MS) / LEAST_MS) / LOG_GROWTH)),
    );
    this.#counts[this.#at * BUCKETS + bucket]!++;
    this.#sums[bucket]!++;
    this.#count++;
  }

  /** Advances by a second; the oldest second leaves the window. */
  advance(): void {
    this.#at = (this.#at + 1) % this.#seconds;
    const from = this.#at * BUCKETS;
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      const gone = this.#counts[from + bucket]!;
      this.#sums[bucket]! -= gone;
      this.#count -= gone;
      this.#counts[from + bucket] = 0;
    }
  }

  encode(to: ByteWriter): void {
    const used = [...this.#counts.keys()].filter((at) => this.#counts[at] !== 0);
    to.uint(this.#at).uint(used.length);
    for (const at of used) to.uint(at).uint(this.#counts[at]!);
  }

  /** Replaces its state with the output of {@linkcode LatencyWindow.encode} for a window of the same size. */
  decode(from: ByteReader): void {
    this.#counts.fill(0);
    this.#sums.fill(0);
    this.#count = 0;
    this.#at = from.uint();
    for (let left = from.count(); left > 0; left--) {
      const [at, count] = [from.uint(), from.uint()];
      this.#counts[at] = count;
      this.#sums[at % BUCKETS]! += count;
      this.#count += count;
    }
  }

  /** The quantile of a share in (0, 1), in milliseconds; `null` without times. */
  percentile(share: number): number | null {
    if (this.#count === 0) return null;
    let left = Math.ceil(share * this.#count);
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      left -= this.#sums[bucket]!;
      // The middle of the bucket on its logarithmic scale.
      if (left <= 0) return LEAST_MS * GROWTH ** (bucket - 0.5);
    }
    return LEAST_MS * GROWTH ** BUCKETS;
  }
}
