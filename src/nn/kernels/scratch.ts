/**
 * Working memory of the kernels.
 *
 * @module
 */

import type { Kernels } from "./kernels.ts";
import { PLAIN } from "./plain.ts";

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
  readonly #kernels: Kernels;
  #all: Float32Array;
  #view: Float32Array;

  /** Empty, in the memory of these kernels. */
  constructor(kernels: Kernels = PLAIN) {
    this.#kernels = kernels;
    this.#all = this.#view = kernels.floats(0);
  }

  /** Exactly `length` floats with whatever they held before; the previous view is void. */
  take(length: number): Float32Array {
    if (length > this.#all.length) this.#all = this.#kernels.floats(Math.max(length, 2 * this.#all.length));
    if (length !== this.#view.length) this.#view = this.#all.subarray(0, length);
    return this.#view;
  }

  /** What was taken last. */
  get current(): Float32Array {
    return this.#view;
  }

  /** Exactly `length` zeros; the previous view is void. */
  zeros(length: number): Float32Array {
    return this.#kernels.clear(this.take(length));
  }
}
