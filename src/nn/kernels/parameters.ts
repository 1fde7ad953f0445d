/**
 * Named blocks of dense weights in one flat array: optimisers, clipping, codecs and digests see one
 * `Float32Array`; models see their blocks as views of it.
 */

import type { Kernels } from "./kernels.ts";
import { PLAIN } from "./plain.ts";

/** The shape of a block: its sizes, outermost first. */
export type Shape = readonly number[];

/**
 * Dense weights: named, fixed order, one flat array.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { Parameters } from "@meander/meander/nn";
 *
 * const parameters = new Parameters({ W: [2, 3], b: [3] });
 * assert.equal(parameters.values.length, 9);
 * parameters.block("b").fill(1);
 * assert.deepEqual([...parameters.values.subarray(6)], [1, 1, 1]);
 * ```
 */
export class Parameters {
  /** The kernels that compute with them. */
  readonly kernels: Kernels;
  /** All weights, block after block in the order of {@linkcode Parameters.shapes}. */
  readonly values: Float32Array;
  /** Name and shape of each block, in order. */
  readonly shapes: ReadonlyMap<string, Shape>;
  readonly #offsets: ReadonlyMap<string, number>;

  /** Makes zero weights for blocks given by name and shape. */
  constructor(shapes: Readonly<Record<string, Shape>>, kernels: Kernels = PLAIN) {
    const offsets = new Map<string, number>();
    let total = 0;
    for (const [name, shape] of Object.entries(shapes)) {
      offsets.set(name, total);
      total += size(shape);
    }
    this.kernels = kernels;
    this.shapes = new Map(Object.entries(shapes));
    this.#offsets = offsets;
    this.values = kernels.floats(total);
  }

  /** Where the block `name` begins in {@linkcode Parameters.values}. @throws RangeError when there is no such block. */
  offset(name: string): number {
    const offset = this.#offsets.get(name);
    if (offset === undefined) throw new RangeError(unknownBlock(name, this.shapes));
    return offset;
  }

  /**
   * A view of the block `name` in {@linkcode Parameters.values}, or in another array of the same layout.
   *
   * @throws RangeError when there is no such block
   */
  block(name: string, values: Float32Array = this.values): Float32Array {
    const shape = this.shapes.get(name);
    const offset = this.#offsets.get(name);
    if (shape === undefined || offset === undefined) throw new RangeError(unknownBlock(name, this.shapes));
    return values.subarray(offset, offset + size(shape));
  }
}

export function size(shape: Shape): number {
  return shape.reduce((product, n) => product * n, 1);
}

function unknownBlock(name: string, shapes: ReadonlyMap<string, Shape>): string {
  return `Cannot take block ${name} of the parameters: blocks are ${[...shapes.keys()].join(", ")}`;
}
