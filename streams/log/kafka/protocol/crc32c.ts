/**
 * CRC-32C (Castagnoli), Kafka's checksum of record batches; Node's `crc32` uses another polynomial.
 *
 * @module
 */

// Eight tables: the CRC of a byte followed by 0 to 7 zero bytes ("slicing by eight").
const T0 = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  return crc;
});
const T1 = afterZero(T0), T2 = afterZero(T1), T3 = afterZero(T2), T4 = afterZero(T3);
const T5 = afterZero(T4), T6 = afterZero(T5), T7 = afterZero(T6);

/** The CRCs of a table, each followed by one more zero byte. */
function afterZero(table: Uint32Array): Uint32Array {
  return table.map((crc) => (crc >>> 8) ^ T0[crc & 0xff]!);
}

/**
 * The CRC-32C of some bytes, as an unsigned 32-bit integer.
 *
 * ```ts
 * import assert from "node:assert/strict";
 * import { crc32c } from "./crc32c.ts";
 *
 * assert.equal(crc32c(new TextEncoder().encode("123456789")), 0xe3069283);
 * ```
 */
export function crc32c(bytes: Uint8Array): number {
  const { length } = bytes;
  let crc = 0xffffffff;
  let i = 0;
  for (; i + 8 <= length; i += 8) {
    crc ^= bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24);
    crc = T7[crc & 0xff]! ^ T6[(crc >>> 8) & 0xff]! ^ T5[(crc >>> 16) & 0xff]! ^ T4[crc >>> 24]! ^
      T3[bytes[i + 4]!]! ^ T2[bytes[i + 5]!]! ^ T1[bytes[i + 6]!]! ^ T0[bytes[i + 7]!]!;
  }
  for (; i < length; i++) crc = T0[(crc ^ bytes[i]!) & 0xff]! ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}
