/**
 * Typed arrays that grow.
 *
 * @module
 */

/** Copies a shorter array to the beginning of `into`. @returns `into` */
export function grown<T extends { set(from: ArrayLike<number>): void }>(from: ArrayLike<number>, into: T): T {
  into.set(from);
  return into;
}
