import { hashString, mix } from "./hash.ts";

/** Longest key in UTF-8 bytes; a longer one is never stored. */
export const MAX_KEY_BYTES = 1024;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/**
 * The key that an index is looking up or inserting: its bytes and its `hashString`, whether it is given as a string or
 * as UTF-8. ASCII keys, as most are, are hashed while they are copied.
 */
export class KeyInHand {
  /** UTF-8, up to {@linkcode KeyInHand.length}. */
  readonly bytes: Uint8Array = new Uint8Array(MAX_KEY_BYTES);
  length = 0;
  hash = 0;
  readonly #seed: number;

  constructor(seed: number) {
    this.#seed = seed;
  }

  /** Loads a key. @returns `false` if it cannot be stored; `bytes` and `hash` are then meaningless */
  take(key: string): boolean {
    const length = key.length;
    if (length > MAX_KEY_BYTES) return false;
    const bytes = this.bytes;
    let hash = this.#seed | 0;
    for (let i = 0; i < length; i++) {
      const unit = key.charCodeAt(i);
      if (unit > 0x7f) return this.#takeWide(key);
      bytes[i] = unit;
      hash = Math.imul(hash ^ unit, 0x01000193);
    }
    this.hash = mix(hash);
    this.length = length;
    return true;
  }

  /** Like {@linkcode KeyInHand.take}, for the UTF-8 in `from` from `start` to `end`. */
  takeBytes(from: Uint8Array, start: number, end: number): boolean {
    const length = end - start;
    if (length > MAX_KEY_BYTES) return false;
    const bytes = this.bytes;
    for (let i = 0; i < length; i++) {
      const unit = from[start + i]!;
      if (unit > 0x7f) return this.#takeWide(decoder.decode(from.subarray(start, end)));
      bytes[i] = unit;
    }
    this.hash = hashBytes(bytes, 0, length, this.#seed);
    this.length = length;
    return true;
  }

  #takeWide(key: string): boolean {
    if (!key.isWellFormed()) return false;
    const { read, written } = encoder.encodeInto(key, this.bytes);
    this.hash = hashString(key, this.#seed);
    this.length = written;
    return read === key.length;
  }
}

/** Hash of the key whose UTF-8 is in `bytes` from `start` to `end`. */
export function hashBytes(bytes: Uint8Array, start: number, end: number, seed: number): number {
  let hash = seed | 0;
  for (let i = start; i < end; i++) {
    const unit = bytes[i]!;
    if (unit > 0x7f) return hashString(decoder.decode(bytes.subarray(start, end)), seed);
    hash = Math.imul(hash ^ unit, 0x01000193);
  }
  return mix(hash);
}
