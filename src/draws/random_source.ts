/**
 * Seeded randomness: a small, fast generator, and normal numbers from it.
 *
 * Only integer arithmetic, ×, ÷, `Math.log` and `Math.sqrt` are used, so a seed gives the same numbers on
 * every machine that runs the same engine.
 *
 * @module
 */

/** A source of uniform numbers in [0, 1). */
export type Random = () => number;

/**
 * A generator of uniform numbers in [0, 1): Chris Doty-Humphrey's sfc32, 128 bits of state, period about 2¹²⁷.
 *
 * @param seed Any integer, of which the low 32 bits count; the same seed gives the same numbers.
 * @param stream Selects one of the seed's independent sequences, for example one per user.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { createRandom } from "./random_source.ts";
 *
 * const [a, b] = [createRandom(7), createRandom(7)];
 * assert.equal(a(), b());
 * assert.notEqual(createRandom(7, 1)(), createRandom(7, 2)());
 * ```
 */
export function createRandom(seed: number, stream: number = 0): Random {
  let [a, b, c, counter] = [seed | 0, stream | 0, 0x9e3779b9 | 0, 1];
  function next(): number {
    const sum = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + sum | 0;
    return (sum >>> 0) / 2 ** 32;
  }
  for (let i = 0; i < 16; i++) next();
  return next;
}

/** A standard normal number (Marsaglia's polar method). */
export function normal(random: Random): number {
  while (true) {
    const x = 2 * random() - 1;
    const y = 2 * random() - 1;
    const s = x * x + y * y;
    if (s > 0 && s < 1) return x * Math.sqrt(-2 * Math.log(s) / s);
  }
}
