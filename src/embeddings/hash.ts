/**
 * Hashes and counter-based random numbers: pure functions of their arguments, the same on every machine.
 *
 * @module
 */

/** Scrambles 32 bits so that every input bit affects every output bit; a bijection. */
export function mix(bits: number): number {
  let h = bits | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/**
 * Hash of a string's UTF-16 code units, an unsigned 32-bit integer: FNV-1a, then {@linkcode mix}.
 *
 * @example
 * ```ts
 * import { hashString } from "./hash.ts";
 * import assert from "node:assert/strict";
 * assert.equal(hashString("i17", 1), hashString("i17", 1));
 * assert.notEqual(hashString("i17", 1), hashString("i17", 2));
 * ```
 */
export function hashString(text: string, seed: number): number {
  let h = seed | 0;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  return mix(h);
}

/**
 * Fills `out` with independent normal numbers of mean 0, a function of `(high, low)` and the position alone.
 *
 * @param high first half of the 64-bit key of the sequence
 * @param low second half
 * @param scale standard deviation; 0 fills with zeros
 */
export function fillNormal(out: Float32Array, scale: number, [high, low]: readonly [number, number]): void {
  if (scale === 0) {
    out.fill(0);
    return;
  }
  for (let i = 0; i < out.length; i += 2) {
    const a = mix(high + Math.imul(i + 1, 0x9e3779b9));
    const b = mix(low ^ mix(a + i));
    // Box-Muller. V8 computes log and cos in software, so even the last bit is the same everywhere.
    const radius = scale * Math.sqrt(-2 * Math.log((a + 0.5) / 2 ** 32));
    const angle = 2 * Math.PI * b / 2 ** 32;
    out[i] = radius * Math.cos(angle);
    if (i + 1 < out.length) out[i + 1] = radius * Math.sin(angle);
  }
}
