/**
 * Working memory of the kernels.
 *
 * @module
 */

/**
 * An array that is taken again and again, and grows when more is asked than ever before: after the longest
 * history was seen once, nothing is allocated any more.
 *
 * ```ts
 * import assert from "node:assert/strict";
 * import { Scratch } from "./scratch.ts";
 *
 * const scratch = new Scratch();
 * assert.equal(scratch.take(3).length, 3);
 * assert.equal(scratch.take(3), scratch.take(3));
 * ```
 */
export class Scratch {
  #all = new Float32Array(0);
  #view = this.#all;

  /** Exactly `length` floats with whatever they held before; the previous view is void. */
  take(length: number): Float32Array {
    if (length > this.#all.length) this.#all = new Float32Array(Math.max(length, 2 * this.#all.length));
    if (length !== this.#view.length) this.#view = this.#all.subarray(0, length);
    return this.#view;
  }

  /** What was taken last. */
  get current(): Float32Array {
    return this.#view;
  }

  /** Exactly `length` zeros; the previous view is void. */
  zeros(length: number): Float32Array {
    return this.take(length).fill(0);
  }
}
