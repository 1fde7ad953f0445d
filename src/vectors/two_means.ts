/**
 * Cuts a list of vectors in two by 2-means (Lloyd, "Least squares quantization in PCM", 1982), starting at the vector
 * farthest from the mean and the one farthest from that. Nothing is random: the same list is cut in the same way.
 *
 * @module
 */

import type { Kernels } from "../nn/kernels/kernels.ts";
import { nthLargest } from "./nth_largest.ts";
import type { VectorLists } from "./vector_lists.ts";

const STEPS = 6;

/** Sizes of {@linkcode TwoMeans}. */
export interface TwoMeansOptions {
  /** Length of a vector, d. */
  readonly dimensions: number;
  /** Most vectors of a list. */
  readonly longest: number;
  /** Fewest vectors on a side: a list that would have fewer is cut in the middle. */
  readonly shortest: number;
}

/** Cuts lists of vectors in two. */
export class TwoMeans {
  // a and b the means of the sides
  readonly #d: number;
  readonly #shortest: number;
  readonly #lists: VectorLists;
  /** a, b and b − a. */
  readonly #centres: Float32Array;
  readonly #side: Float32Array;
  readonly #z: Float32Array;
  readonly #sum: Float64Array;
  readonly #sorted: Float64Array;

  /** Allocates what cutting these lists takes. */
  constructor(lists: VectorLists, { dimensions, longest, shortest }: TwoMeansOptions, kernels: Kernels) {
    this.#d = dimensions;
    this.#shortest = shortest;
    this.#lists = lists;
    this.#centres = kernels.floats(3 * dimensions);
    this.#side = kernels.floats(longest);
    this.#z = kernels.floats(longest);
    this.#sum = new Float64Array(dimensions);
    this.#sorted = new Float64Array(longest);
  }

  /**
   * The side of each vector of a list, 0 or 1; valid until the next call. O(d) per vector.
   *
   * @param mean the mean of the list, at `at`
   */
  cut(list: number, mean: Float32Array, at: number): Float32Array {
    const [d, lists, centres] = [this.#d, this.#lists, this.#centres];
    const size = lists.sizeOf(list);
    const a = this.#farthest(list, mean, at);
    const b = this.#farthest(list, lists.values, a);
    centres.set(lists.values.subarray(a, a + d), 0);
    centres.set(lists.values.subarray(b, b + d), d);
    let before = -1;
    let count = this.#assign(list);
    for (let step = 1; step < STEPS && count > 0 && count < size && count !== before; step++) {
      this.#move(list, mean, at, count);
      before = count;
      count = this.#assign(list);
    }
    if (Math.min(count, size - count) < this.#shortest) this.#halve(size);
    return this.#side.subarray(0, size);
  }

  /** Offset of the vector of a list that is farthest from the one at `at` in `from`. */
  #farthest(list: number, from: Float32Array, at: number): number {
    const [d, lists] = [this.#d, this.#lists];
    let best = 0;
    let most = -1;
    for (let p = 0; p < lists.sizeOf(list); p++) {
      const x = lists.offset(lists.placeAt(list, p));
      let square = 0;
      for (let k = 0; k < d; k++) square += (lists.values[x + k]! - from[at + k]!) ** 2;
      if (square > most) [best, most] = [x, square];
    }
    return best;
  }

  /** Assigns each vector to the side of the nearer centre. @returns how many are on b's */
  #assign(list: number): number {
    const [d, centres, z, side] = [this.#d, this.#centres, this.#z, this.#side];
    const size = this.#lists.sizeOf(list);
    let border = 0;
    for (let k = 0; k < d; k++) {
      centres[2 * d + k] = centres[d + k]! - centres[k]!;
      border += (centres[d + k]! ** 2 - centres[k]! ** 2) / 2;
    }
    this.#lists.dots(list, centres, 2 * d, 1, z);
    let count = 0;
    for (let p = 0; p < size; p++) count += side[p] = z[p]! > border ? 1 : 0;
    return count;
  }

  /** Moves the centres to the means of their sides; b's has `count` vectors. */
  #move(list: number, mean: Float32Array, at: number, count: number): void {
    const [d, lists, centres, sum] = [this.#d, this.#lists, this.#centres, this.#sum.fill(0)];
    const size = lists.sizeOf(list);
    for (let p = 0; p < size; p++) {
      if (this.#side[p] === 0) continue;
      const x = lists.offset(lists.placeAt(list, p));
      for (let k = 0; k < d; k++) sum[k] = sum[k]! + lists.values[x + k]!;
    }
    for (let k = 0; k < d; k++) {
      centres[k] = (mean[at + k]! * size - sum[k]!) / (size - count);
      centres[d + k] = sum[k]! / count;
    }
  }

  /** Cuts in the middle: the half with the larger z goes to b. */
  #halve(size: number): void {
    const [z, side] = [this.#z, this.#side];
    for (let p = 0; p < size; p++) this.#sorted[p] = z[p]!;
    const border = nthLargest(this.#sorted, size >> 1, size);
    let ties = size >> 1;
    for (let p = 0; p < size; p++) if (z[p]! > border) ties--;
    for (let p = 0; p < size; p++) side[p] = z[p]! > border || z[p] === border && ties-- > 0 ? 1 : 0;
  }
}
