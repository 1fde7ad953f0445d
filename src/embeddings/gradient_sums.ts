/**
 * The gradients of one step, summed per row: an id that occurs several times in a batch is updated once, by the sum.
 */

import { grown } from "../values/grown.ts";

/** Sparse sums of row gradients, in the order of first touch. */
export class GradientSums {
  readonly #width: number;
  #sums: Float32Array;
  #squares: Float32Array;
  #rows: Uint32Array;
  #count = 0;

  /** Makes empty sums for rows of `width` weights. */
  constructor(width: number) {
    this.#width = width;
    this.#sums = new Float32Array(64 * width);
    this.#squares = new Float32Array(64);
    this.#rows = new Uint32Array(64);
  }

  get count(): number {
    return this.#count;
  }

  /** Bytes allocated, which are kept for the next step. */
  get bytes(): number {
    return this.#sums.byteLength + this.#squares.byteLength + this.#rows.byteLength;
  }

  row(place: number): number {
    return this.#rows[place]!;
  }

  /** Copies the summed gradient at a place [width]. */
  copySum(place: number, out: Float32Array): void {
    const sums = this.#sums, from = place * this.#width;
    for (let i = 0; i < out.length; i++) out[i] = sums[from + i]!;
  }

  /** Σ of the mean squares of the added gradients, as if each were a step of its own. */
  squares(place: number): number {
    return this.#squares[place]!;
  }

  /** Adds a place of zeros for a row and returns it. */
  touch(row: number): number {
    if (this.#count === this.#rows.length) this.#grow();
    const place = this.#count++;
    this.#rows[place] = row;
    this.#squares[place] = 0;
    this.#sums.fill(0, place * this.#width, (place + 1) * this.#width);
    return place;
  }

  /** Adds `scale · gradient[offset…]` to the sum at a place. */
  add(place: number, gradient: Float32Array, offset: number, scale: number): void {
    const sums = this.#sums, width = this.#width;
    let squares = 0;
    for (let i = 0, to = place * width; i < width; i++, to++) {
      const g = scale * gradient[offset + i]!;
      sums[to]! += g;
      squares += g * g;
    }
    this.#squares[place]! += squares / width;
  }

  clear(): void {
    this.#count = 0;
  }

  #grow(): void {
    this.#sums = grown(this.#sums, new Float32Array(2 * this.#sums.length));
    this.#squares = grown(this.#squares, new Float32Array(2 * this.#squares.length));
    this.#rows = grown(this.#rows, new Uint32Array(2 * this.#rows.length));
  }
}
