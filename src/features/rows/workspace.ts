/**
 * Arrays that are reused from one impression to the next.
 *
 * @module
 */

/** An array that begins with `length` zeros: the given one if it is long enough. */
export function cleared(array: Float32Array<ArrayBuffer>, length: number): Float32Array<ArrayBuffer> {
  if (array.length < length) return new Float32Array(2 * length);
  array.fill(0, 0, length);
  return array;
}
