/** Working memory of the kernels. */

import type { Kernels } from "./kernels.ts";
import { PLAIN } from "./plain.ts";

/**
 * A reusable array that grows to the largest length requested: once the longest history has been seen, nothing more is
 * allocated.
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
  readonly #kernels: Kernels;
  #all: Float32Array;
  #view: Float32Array;

  /** Creates an empty array in the memory of these kernels. */
  constructor(kernels: Kernels = PLAIN) {
    this.#kernels = kernels;
    this.#all = this.#view = kernels.floats(0);
  }

  /** Exactly `length` floats with arbitrary values; invalidates the previous view. */
  take(length: number): Float32Array {
    if (length > this.#all.length) this.#all = this.#kernels.floats(Math.max(length, 2 * this.#all.length));
    if (length !== this.#view.length) this.#view = this.#all.subarray(0, length);
    return this.#view;
  }

  get current(): Float32Array {
    return this.#view;
  }

  /** Exactly `length` zeros; invalidates the previous view. */
  zeros(length: number): Float32Array {
    return this.#kernels.clear(this.take(length));
  }
}
