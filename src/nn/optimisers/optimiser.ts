/**
 * The interface of optimisers of dense weights, and gradient clipping.
 *
 * @module
 */

/** Turns gradients into new weights, with a state per weight. */
export interface Optimiser {
  /** η; may be changed between steps, for a warm-up. */
  learningRate: number;
  /**
   * Takes one step, writing into `values`.
   *
   * @param values weights
   * @param gradients ∂loss/∂weights, of the same length
   * @returns `false`, with nothing changed, if a gradient is not {@linkcode usable}, so that a bad batch cannot poison
   * the state
   * @throws {RangeError} if a length differs from that of the state
   */
  step(values: Float32Array, gradients: Float32Array): boolean;
  /** Encodes the state without the options: same state, same bytes. */
  encode(): Uint8Array;
  /**
   * Replaces the state by an encoded one, from which it continues bit for bit.
   *
   * @throws {SyntaxError} if the bytes do not encode a state of this kind and length; nothing is changed then
   */
  decode(bytes: Uint8Array): void;
}

/** Largest usable gradient: its square still fits in float32 with room for sums. */
const LARGEST = 1e15;

/** Whether gradients are all finite and no larger than 1e15 in magnitude. */
export function usable(gradients: Float32Array): boolean {
  for (let i = 0; i < gradients.length; i++) {
    // Written so that NaN fails.
    if (!(Math.abs(gradients[i]!) <= LARGEST)) return false;
  }
  return true;
}

/**
 * Scales gradients to a Euclidean norm of at most `max`: times min(1, max/norm), no epsilon. Gradients whose norm is not
 * finite are left for the optimiser to reject.
 *
 * @param gradients changed in place
 * @param max largest norm, above 0
 * @returns the norm before scaling
 *
 * @example
 * ```ts
 * import { clipByGlobalNorm } from "@meander/meander/nn";
 * import assert from "node:assert/strict";
 * const gradients = Float32Array.of(6, 8);
 * assert.equal(clipByGlobalNorm(gradients, 5), 10);
 * assert.deepEqual(gradients, Float32Array.of(3, 4));
 * ```
 */
export function clipByGlobalNorm(gradients: Float32Array, max: number): number {
  let squares = 0;
  for (let i = 0; i < gradients.length; i++) squares += gradients[i]! * gradients[i]!;
  const norm = Math.sqrt(squares);
  if (norm > max && Number.isFinite(norm)) {
    const scale = max / norm;
    for (let i = 0; i < gradients.length; i++) gradients[i]! *= scale;
  }
  return norm;
}

/** Checks the lengths of arrays against that of the state. @throws RangeError */
export function requireLength(size: number, values: Float32Array, gradients: Float32Array): void {
  if (values.length !== size || gradients.length !== size) {
    throw new RangeError(
      `Cannot step ${values.length} weights by ${gradients.length} gradients: current state is for ${size}`,
    );
  }
}
