/** The rows of an MLP's input: vectors side by side, declared as a list of parts and products of parts. */

import type { Kernels } from "../kernels/kernels.ts";
import { PLAIN } from "../kernels/plain.ts";
import { Scratch } from "../kernels/scratch.ts";

// K rows

/** One vector per row or one shared by all rows, with its gradient. */
export class Part {
  /** Length of one vector. */
  readonly width: number;
  /** Whether all rows share one vector. */
  readonly shared: boolean;
  /** [K, width], or [width] when shared. */
  values: Float32Array = new Float32Array(0);
  /** Has the shape of `values`. */
  gradient: Float32Array = new Float32Array(0);
  readonly #values: Scratch;
  readonly #gradient: Scratch;

  /** Creates a part of this width. @param shared whether all rows share one vector */
  constructor(width: number, shared: boolean, kernels: Kernels = PLAIN) {
    this.#values = new Scratch(kernels);
    this.#gradient = new Scratch(kernels);
    this.width = width;
    this.shared = shared;
  }

  /** Uses the caller's values, and zeroes the gradient. */
  bind(values: Float32Array): void {
    this.values = values;
    this.gradient = this.#gradient.zeros(values.length);
  }

  /** Copies the caller's values into the kernels' memory, and zeroes the gradient. */
  copy(values: Float32Array): void {
    this.#values.take(values.length).set(values);
    this.bind(this.#values.current);
  }

  /** Provides zeroed values for K rows, and zeroes the gradient. @returns the values, to be written */
  clear(K: number): Float32Array {
    this.bind(this.#values.zeros(this.shared ? this.width : K * this.width));
    return this.values;
  }
}

/** A part, or the element-wise product of two parts of equal width. */
export type Column = Part | readonly [Part, Part];

export function columnsWidth(columns: readonly Column[]): number {
  return columns.reduce((sum, column) => sum + (column instanceof Part ? column.width : column[0].width), 0);
}

/** Writes the K rows of x [K, width of all columns]. */
export function concat(x: Float32Array, K: number, columns: readonly Column[]): void {
  const total = columnsWidth(columns);
  let at = 0;
  for (const column of columns) {
    const [a, b] = column instanceof Part ? [column, undefined] : column;
    const n = a.width;
    for (let k = 0; k < K; k++) {
      const o = k * total + at, ao = a.shared ? 0 : k * n;
      if (b === undefined) {
        for (let j = 0; j < n; j++) x[o + j] = a.values[ao + j]!;
      } else {
        const bo = b.shared ? 0 : k * n;
        for (let j = 0; j < n; j++) x[o + j] = a.values[ao + j]! * b.values[bo + j]!;
      }
    }
    at += n;
  }
}

/** Backward of {@linkcode concat}: adds dx to the gradients of the parts. */
export function concatBackward(dx: Float32Array, K: number, columns: readonly Column[]): void {
  const total = columnsWidth(columns);
  let at = 0;
  for (const column of columns) {
    const [a, b] = column instanceof Part ? [column, undefined] : column;
    const n = a.width;
    for (let k = 0; k < K; k++) {
      const o = k * total + at, ao = a.shared ? 0 : k * n;
      if (b === undefined) {
        for (let j = 0; j < n; j++) a.gradient[ao + j]! += dx[o + j]!;
      } else {
        const bo = b.shared ? 0 : k * n;
        for (let j = 0; j < n; j++) {
          a.gradient[ao + j]! += dx[o + j]! * b.values[bo + j]!;
          b.gradient[bo + j]! += dx[o + j]! * a.values[ao + j]!;
        }
      }
    }
    at += n;
  }
}

/** Adds ⟨a, b⟩ of each row to z [K]. */
export function addDot(z: Float32Array, K: number, [a, b]: readonly [Part, Part]): void {
  const n = a.width;
  for (let k = 0; k < K; k++) {
    const ao = a.shared ? 0 : k * n, bo = b.shared ? 0 : k * n;
    let sum = 0;
    for (let j = 0; j < n; j++) sum += a.values[ao + j]! * b.values[bo + j]!;
    z[k]! += sum;
  }
}

export function addDotBackward(dz: Float32Array, K: number, [a, b]: readonly [Part, Part]): void {
  const n = a.width;
  for (let k = 0; k < K; k++) {
    const ao = a.shared ? 0 : k * n, bo = b.shared ? 0 : k * n;
    const g = dz[k]!;
    for (let j = 0; j < n; j++) {
      a.gradient[ao + j]! += g * b.values[bo + j]!;
      b.gradient[bo + j]! += g * a.values[ao + j]!;
    }
  }
}
