/**
 * The partition of a key by Kafka's own rule, so that every producer of a topic, ours or a team's own in any
 * language, puts a user in the same partition.
 *
 * @module
 */

const SEED = 0x9747b28c;
const M = 0x5bd1e995;

const encoder = new TextEncoder();
const scratch = new Uint8Array(1024);

/**
 * The partition of a key: `toPositive(murmur2(utf8(key))) % partitions`, as Kafka's Java producer does.
 *
 * @param partitions number of partitions of the topic, at least 1
 * @returns an integer in `[0, partitions)`
 * @throws RangeError when `partitions` is not a positive integer
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { partitionOf } from "@meander/meander/log";
 *
 * assert.equal(partitionOf("foobar", 4), 2);
 * assert.equal(partitionOf("foobar", 1), 0);
 * ```
 */
export function partitionOf(key: string, partitions: number): number {
  if (!Number.isInteger(partitions) || partitions < 1) {
    throw new RangeError(`Cannot choose among partitions: their number is ${partitions}`);
  }
  return partitions === 1 ? 0 : (murmur2(utf8(key)) & 0x7fffffff) % partitions;
}

/** MurmurHash2 of the bytes with Kafka's seed, as a signed 32-bit integer. */
export function murmur2(bytes: Uint8Array): number {
  const whole = bytes.length & ~3;
  let h = SEED ^ bytes.length;
  for (let i = 0; i < whole; i += 4) {
    let k = bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24);
    k = Math.imul(k, M);
    k ^= k >>> 24;
    h = Math.imul(h, M) ^ Math.imul(k, M);
  }
  const rest = bytes.length - whole;
  if (rest === 3) h ^= bytes[whole + 2]! << 16;
  if (rest >= 2) h ^= bytes[whole + 1]! << 8;
  if (rest >= 1) h = Math.imul(h ^ bytes[whole]!, M);
  h = Math.imul(h ^ (h >>> 13), M);
  return h ^ (h >>> 15);
}

/** The UTF-8 bytes of a key, in a shared buffer if they are sure to fit: a UTF-16 unit takes at most three bytes. */
function utf8(key: string): Uint8Array {
  if (key.length * 3 > scratch.length) return encoder.encode(key);
  return scratch.subarray(0, encoder.encodeInto(key, scratch).written);
}
