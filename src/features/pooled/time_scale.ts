/**
 * How fast a stream's users act: the median gap between two behaviours of a user, from counts by half octaves. Decay is
 * measured in units of it, so that no constant is tuned to one data set.
 */

import type { ByteReader } from "../../codec/byte_reader.ts";
import type { ByteWriter } from "../../codec/byte_writer.ts";

/** Half octaves of a millisecond: up to 2^40 ms, which is 35 years. */
const STEPS = 81;
/** The median before the first gap. */
const START_MS = 60_000;
/** Median gaps per half-life: about as many as models read behaviours. */
const GAPS = 64;

/** The gaps of a stream. Gaps of 0 only show that its times are rounded, and do not count. */
export class TimeScale {
  readonly #counts = new Float64Array(STEPS);
  #gaps = 0;
  #medianMs = START_MS;

  /** Median gap, milliseconds. It changes after 1, 2, 4, 8, … gaps, as does everything derived from it. */
  get medianMs(): number {
    return this.#medianMs;
  }

  get gaps(): number {
    return this.#gaps;
  }

  /** Half-life of pairs that occur together, milliseconds: {@linkcode GAPS} median gaps. */
  get halfLifeMs(): number {
    return GAPS * this.#medianMs;
  }

  /** Counts a gap, milliseconds. O(1), except for the few times when the median is recomputed. */
  learn(gapMs: number): void {
    if (!(gapMs > 0)) return;
    const step = Math.max(0, Math.min(STEPS - 1, Math.round(2 * Math.log2(gapMs))));
    this.#counts[step] = this.#counts[step]! + 1;
    this.#gaps++;
    if (Number.isInteger(Math.log2(this.#gaps))) this.#medianMs = this.#median();
  }

  clone(): TimeScale {
    const clone = new TimeScale();
    clone.#counts.set(this.#counts);
    clone.#gaps = this.#gaps;
    clone.#medianMs = this.#medianMs;
    return clone;
  }

  encode(to: ByteWriter): void {
    to.f64s(this.#counts).f64(this.#medianMs);
  }

  decode(from: ByteReader): void {
    this.#counts.set(from.f64s(STEPS));
    this.#medianMs = from.f64();
    this.#gaps = this.#counts.reduce((sum, count) => sum + count, 0);
  }

  #median(): number {
    let sum = 0;
    for (let step = 0; step < STEPS; step++) {
      sum += this.#counts[step]!;
      if (2 * sum >= this.#gaps) return 2 ** (step / 2);
    }
    return START_MS;
  }
}
