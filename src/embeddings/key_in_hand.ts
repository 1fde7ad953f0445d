import { hashString, mix } from "./hash.ts";

/** Longest key in UTF-8 bytes; a longer one is never stored. */
export const MAX_KEY_BYTES = 1024;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/**
 * The key that an index looks for or takes in: its bytes and its hash, which is that of `hashString` however the key
 * comes. A key of ASCII alone, as most are, is hashed while it is copied.
 */
export class KeyInHand {
  /** UTF-8, up to {@linkcode KeyInHand.length}. */
  readonly bytes: Uint8Array = new Uint8Array(MAX_KEY_BYTES);
  /** Bytes of the key. */
  length = 0;
  /** Hash of the key. */
  hash = 0;
  readonly #seed: number;

  /** No key yet. */
  constructor(seed: number) {
    this.#seed = seed;
  }

  /** Takes a key in hand. @returns `false` if it cannot be stored: then what is in hand is of no use */
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

  /** The same of the key whose UTF-8 is `from` from `start` to `end`. */
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

/** The hash of the key whose UTF-8 is `bytes` from `start` to `end`. */
export function hashBytes(bytes: Uint8Array, start: number, end: number, seed: number): number {
  let hash = seed | 0;
  for (let i = start; i < end; i++) {
    const unit = bytes[i]!;
    if (unit > 0x7f) return hashString(decoder.decode(bytes.subarray(start, end)), seed);
    hash = Math.imul(hash ^ unit, 0x01000193);
  }
  return mix(hash);
}
