/** The curvature of the likelihood of past choices around a set of weights, and the Newton step from it. */

import type { ByteReader } from "../../codec/byte_reader.ts";
import type { ByteWriter } from "../../codec/byte_writer.ts";

/** The curvature H of F weights, including the prior. O(F²) memory, O(F³/6) per step. */
export class Curvature {
  readonly #features: number;
  readonly #precision: number;
  readonly #forget: number;
  /** The lower triangle row by row, in single precision, so that encoding loses nothing. */
  readonly #h: Float32Array;
  /** Scratch of the first step on: the Cholesky factor, and the solution. */
  #factor = new Float64Array(0);
  #solution = this.#factor;

  /**
   * Starts from the prior alone.
   *
   * @param precision Prior precision of each weight
   * @param steps Memory in steps: each forgets 1/steps of H
   */
  constructor(features: number, precision: number, steps: number) {
    this.#features = features;
    this.#precision = precision;
    this.#forget = 1 / steps;
    this.#h = new Float32Array(features * (features + 1) / 2);
    for (let f = 0; f < features; f++) this.#h[place(f, f)] = precision;
  }

  /**
   * Adds the curvature `outer` of a choice, the lower triangle of F × F, and solves H d = gradient.
   *
   * @param share Weight of the choice in (0, 1], by which forgetting is scaled here, the other two by the caller
   * @returns d, valid until the next call; `null` unless H is finite and positive definite
   */
  step(gradient: Float64Array, outer: Float64Array, share = 1): Float64Array | null {
    const F = this.#features;
    const forget = share * this.#forget;
    const h = this.#h;
    for (let f = 0; f < F; f++) {
      for (let g = 0; g <= f; g++) {
        const at = place(f, g);
        h[at] = h[at]! * (1 - forget) + outer[f * F + g]!;
      }
      h[place(f, f)] = h[place(f, f)]! + forget * this.#precision;
    }
    return this.#solve(gradient);
  }

  encode(to: ByteWriter): void {
    to.f32s(this.#h);
  }

  /**
   * Reads what {@linkcode Curvature.encode} wrote, possibly for other features.
   *
   * @param columns For each feature written, its index here; −1 = none
   */
  decode(from: ByteReader, columns: readonly number[]): void {
    for (const [f, to] of columns.entries()) {
      for (let g = 0; g <= f; g++) {
        const value = from.f32();
        const other = columns[g]!;
        if (to >= 0 && other >= 0) this.#h[place(Math.max(to, other), Math.min(to, other))] = value;
      }
    }
  }

  /** Solves H d = gradient by Cholesky decomposition. */
  #solve(gradient: Float64Array): Float64Array | null {
    const F = this.#features;
    if (this.#factor.length === 0) {
      this.#factor = new Float64Array(F * F);
      this.#solution = new Float64Array(F);
    }
    const [h, l, x] = [this.#h, this.#factor, this.#solution];
    for (let i = 0; i < F; i++) {
      for (let j = 0; j <= i; j++) {
        let sum = h[place(i, j)]!;
        for (let k = 0; k < j; k++) sum -= l[i * F + k]! * l[j * F + k]!;
        if (i !== j) l[i * F + j] = sum / l[j * F + j]!;
        else if (sum > 0 && sum < Infinity) l[i * F + i] = Math.sqrt(sum);
        else return null;
      }
    }
    for (let i = 0; i < F; i++) {
      let sum = gradient[i]!;
      for (let k = 0; k < i; k++) sum -= l[i * F + k]! * x[k]!;
      x[i] = sum / l[i * F + i]!;
    }
    for (let i = F - 1; i >= 0; i--) {
      let sum = x[i]!;
      for (let k = i + 1; k < F; k++) sum -= l[k * F + i]! * x[k]!;
      x[i] = sum / l[i * F + i]!;
    }
    return x;
  }
}

/** Index of the entry (f, g) in the lower triangle, g ≤ f. */
function place(f: number, g: number): number {
  return (f * (f + 1) >>> 1) + g;
}
