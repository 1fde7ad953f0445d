/**
 * Random numbers that are a function of their seed alone, so that a replay, a restart or another machine draws
 * the same ones.
 *
 * @module
 */

/**
 * A generator of uniform numbers in [0, 1) (mulberry32).
 *
 * @param seed a whole number, of which the lowest 32 bits count
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { mulberry32 } from "@meander/meander/nn";
 *
 * const one = mulberry32(7), other = mulberry32(7);
 * assert.deepEqual([one(), one()], [other(), other()]);
 * ```
 */
export function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** A 32-bit hash of a string (FNV-1a over UTF-16 code units, mixed with a seed). */
export function hash32(text: string, seed = 0): number {
  let hash = (0x811c9dc5 ^ seed) >>> 0;
  for (let i = 0; i < text.length; i++) {
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  }
  hash ^= hash >>> 16;
  hash = Math.imul(hash, 0x85ebca6b);
  hash ^= hash >>> 13;
  return hash >>> 0;
}
