/**
 * The usual range of values (stars, prices) and their mean, neither of which a few absurd values can change.
 *
 * Magnitudes are counted in buckets of a quarter of an octave (exponent and two bits of mantissa of a float32), each
 * with the sum of its values. Of n values other than 0 the largest m = max(1, ⌊min(n/3, 8 + n/20)⌋) are left out; a
 * value is *believed* when it is at most 8 times the largest of the rest (up to 10, because buckets are coarse). The
 * mean is that of all values that are believed now, so an early value that turns out to be absurd stops counting:
 *
 * ```text
 *   values     1e6    4     3     5     2     1e6
 *   believed   no     yes   yes   yes   yes   no
 *   mean       -      4     3.5   4     3.5   3.5
 * ```
 *
 * One value among n moves the mean by at most 10/n of the largest usual value; an even larger one does not move it. A
 * step costs as many operations as there are buckets between the smallest and the largest value. Memory: 10 KB.
 */

import type { ByteReader } from "../codec/byte_reader.ts";
import type { ByteWriter } from "../codec/byte_writer.ts";

/** Values are clipped to ± this, which is in the last bucket. */
const MAX_VALUE = 1e9;
/** Bits of a float32 that buckets ignore: all of its mantissa but two. */
const SHIFT = 21;
const BUCKETS = (bitsOf(MAX_VALUE) >>> SHIFT) + 1;
/** 8 times as large, in buckets. */
const BELIEVED = 12;

/** Counts values, and tells the usual from the absurd. */
export class ValueScale {
  readonly #counts = new Float64Array(BUCKETS);
  readonly #sums = new Float64Array(BUCKETS);
  #zeros = 0;
  #others = 0;
  #lowest = BUCKETS;
  #highest = -1;
  /** The last bucket that is believed; −1 = none is. */
  #limit = -1;
  #believed = 0;
  #mean = 0;

  /** Number of believed values. */
  get count(): number {
    return this.#believed;
  }

  /** Mean of the believed values; 0 without any. */
  get mean(): number {
    return this.#mean;
  }

  /** Clips a value to the believed range; 0 while there is none. */
  clip(value: number): number {
    if (this.#limit < 0) return 0;
    const largest = Math.min(MAX_VALUE, floatOf((this.#limit + 1) << SHIFT));
    return Math.max(-largest, Math.min(largest, value));
  }

  /** Counts a value. @returns whether it is believed */
  learn(raw: number): boolean {
    const value = Math.max(-MAX_VALUE, Math.min(MAX_VALUE, raw));
    const bucket = bucketOf(value);
    if (bucket < 0) this.#zeros++;
    else this.#add(bucket, 1, value);
    this.#measure();
    return bucket <= this.#limit && this.#believed > 0;
  }

  #add(bucket: number, count: number, sum: number): void {
    this.#counts[bucket] = this.#counts[bucket]! + count;
    this.#sums[bucket] = this.#sums[bucket]! + sum;
    this.#others += count;
    this.#lowest = Math.min(this.#lowest, bucket);
    this.#highest = Math.max(this.#highest, bucket);
  }

  #measure(): void {
    const leftOut = Math.max(1, Math.floor(Math.min(this.#others / 3, 8 + this.#others / 20)));
    let bucket = this.#highest;
    for (let larger = 0; bucket >= this.#lowest; bucket--) {
      larger += this.#counts[bucket]!;
      if (larger > leftOut) break;
    }
    this.#limit = bucket < this.#lowest ? -1 : bucket + BELIEVED;
    let count = this.#zeros, sum = 0;
    for (let at = this.#lowest; at <= Math.min(this.#limit, this.#highest); at++) {
      count += this.#counts[at]!;
      sum += this.#sums[at]!;
    }
    this.#believed = count;
    this.#mean = count === 0 ? 0 : sum / count;
  }

  encode(to: ByteWriter): void {
    const used: number[] = [];
    for (let at = this.#lowest; at <= this.#highest; at++) if (this.#counts[at]! > 0) used.push(at);
    to.uint(this.#zeros).uint(used.length);
    for (const at of used) to.uint(at).uint(this.#counts[at]!).f64(this.#sums[at]!);
  }

  /** Reads the bytes of {@linkcode ValueScale.encode} into this scale, which must be empty. */
  decode(from: ByteReader): void {
    this.#zeros = from.uint();
    for (let n = from.count(); n > 0; n--) {
      const bucket = from.uint();
      if (bucket >= BUCKETS) {
        throw new SyntaxError(`Cannot decode a scale of values: it has a bucket ${bucket}`);
      }
      this.#add(bucket, from.uint(), from.f64());
    }
    this.#measure();
  }
}

const float = new Float32Array(1);
const bits = new Int32Array(float.buffer);

function bitsOf(value: number): number {
  const view = new DataView(new ArrayBuffer(4));
  view.setFloat32(0, value);
  return view.getInt32(0);
}

function bucketOf(value: number): number {
  if (value === 0) return -1;
  float[0] = Math.abs(value);
  return bits[0]! >>> SHIFT;
}

function floatOf(pattern: number): number {
  bits[0] = pattern;
  return float[0]!;
}
