/** Running mean and variance of the numeric features, frozen into each version. */

import type { ByteReader } from "../codec/byte_reader.ts";
import type { ByteWriter } from "../codec/byte_writer.ts";
import type { Standardisation } from "./standardisation.ts";

const MIN_VARIANCE = 1e-6;

/** Accumulates the sums from which a standardisation is computed. */
export class NumericScaler {
  #count = 0;
  readonly #sum: Float64Array;
  readonly #squares: Float64Array;

  constructor(size: number) {
    this.#sum = new Float64Array(size);
    this.#squares = new Float64Array(size);
  }

  update(numerics: Float32Array): void {
    this.#add(numerics, 0);
  }

  /** Adds rows of features. @param rows one after the other */
  updateAll(rows: Float32Array): void {
    for (let row = 0; row < rows.length; row += this.#sum.length) this.#add(rows, row);
  }

  #add(numerics: Float32Array, from: number): void {
    this.#count++;
    const sum = this.#sum, squares = this.#squares;
    for (let i = 0; i < sum.length; i++) {
      const x = numerics[from + i]!;
      sum[i] = sum[i]! + x;
      squares[i] = squares[i]! + x * x;
    }
  }

  /** The current standardisation; before the first row, everything standardises to 0. */
  freeze(): Standardisation {
    const n = this.#sum.length;
    const mean = new Float32Array(n);
    const inverseDeviation = new Float32Array(n);
    if (this.#count === 0) return { mean, inverseDeviation };
    for (let i = 0; i < n; i++) {
      const mu = this.#sum[i]! / this.#count;
      mean[i] = mu;
      inverseDeviation[i] = 1 / Math.sqrt(Math.max(MIN_VARIANCE, this.#squares[i]! / this.#count - mu * mu));
    }
    return { mean, inverseDeviation };
  }

  /**
   * Takes over the sums of a scaler of other features. A new feature counts as if its mean was 0 and its variance 1.
   *
   * @param places index of each feature in `from`; −1 = new
   */
  carry(from: NumericScaler, places: Int32Array): void {
    this.#count = from.#count;
    for (const [i, place] of places.entries()) {
      this.#sum[i] = place < 0 ? 0 : from.#sum[place]!;
      this.#squares[i] = place < 0 ? from.#count : from.#squares[place]!;
    }
  }

  encode(to: ByteWriter): void {
    to.uint(this.#count).f64s(this.#sum).f64s(this.#squares);
  }

  /** Reads sums of {@linkcode NumericScaler.encode} into this scaler. */
  decode(from: ByteReader): void {
    this.#count = from.uint();
    this.#sum.set(from.f64s(this.#sum.length));
    this.#squares.set(from.f64s(this.#squares.length));
  }
}
