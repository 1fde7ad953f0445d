/** Reads the bytes of one record from the front, and reports what is wrong with them. */

import { Buffer } from "node:buffer";
import { MAX_DEPTH } from "../../src/events/limits.ts";

/** Most values of one record: absent ones take no bytes, but are created all the same. */
const MAX_VALUES = 1 << 20;
const TEXT = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Thrown for bytes that are not a value of their schema. */
export class DecodeError extends Error {
  /** Path of the field that they were read for; empty = the record. */
  path = "";

  /** Prepends the field that contains the path. */
  within(field: string): this {
    const isIndexed = this.path.startsWith("[") || this.path === "";
    this.path = `${field}${isIndexed ? "" : "."}${this.path}`;
    return this;
  }
}

/** Bytes of a record. */
export class ByteInput {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** Index of the next byte. */
  at = 0;
  /** End of the part that is being read. */
  end: number;
  #depth = 0;
  #values = 0;
  readonly #mostValues: number;

  constructor(bytes: Uint8Array, mostValues = MAX_VALUES) {
    this.#mostValues = Math.min(mostValues, MAX_VALUES);
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.end = bytes.length;
  }

  /** Advances by some bytes. @returns where they begin */
  take(size: number): number {
    const start = this.at;
    if (size < 0 || size > this.end - start) throw new DecodeError(`it ends at byte ${this.end}`);
    this.at = start + size;
    return start;
  }

  /** Reads a text of some bytes of UTF-8. */
  text(size: number): string {
    const start = this.take(size);
    const bytes = this.bytes.subarray(start, start + size);
    let all = 0;
    for (let i = 0; i < bytes.length; i++) all |= bytes[i]!;
    if (all < 0x80) return latin1(bytes); // a quarter of the decoder's time
    try {
      return TEXT.decode(bytes);
    } catch {
      throw new DecodeError(`the text before byte ${this.at} is not UTF-8`);
    }
  }

  /** Enters a level, of which a recursive schema may have any number; {@linkcode leave} must follow. */
  enter(): void {
    if (++this.#depth > MAX_DEPTH) throw new DecodeError(`it is nested more than ${MAX_DEPTH} deep`);
  }

  /** Leaves a level. */
  leave(): void {
    this.#depth--;
  }

  get values(): number {
    return this.#values;
  }

  /** Counts created values, whether or not they take bytes. */
  count(values: number): void {
    this.#values += values;
    if (this.#values > this.#mostValues) throw new DecodeError(`it has more than ${this.#mostValues} values`);
  }
}

/** Bytes as a text, one character per byte. */
export function latin1(bytes: Uint8Array): string {
  return Buffer.prototype.latin1Slice.call(bytes, 0, bytes.length);
}
