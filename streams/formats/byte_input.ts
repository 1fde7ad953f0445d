/**
 * Bytes of one record that are read from the front, and what is wrong with them.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { MAX_DEPTH } from "../../src/events/limits.ts";

/** Most values of one record: what is not there costs no bytes, and is made all the same. */
const MAX_VALUES = 1 << 20;
const TEXT = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Bytes that are no value of a schema. */
export class DecodeError extends Error {
  /** The field that they were read for, as a path; empty = the record. */
  path = "";

  /** The same, seen from the field's parent. */
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
  /** The next byte. */
  at = 0;
  /** Where the part that is read ends. */
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

  /** Moves on by some bytes. @returns where they begin */
  take(size: number): number {
    const start = this.at;
    if (size < 0 || size > this.end - start) throw new DecodeError(`it ends at byte ${this.end}`);
    this.at = start + size;
    return start;
  }

  /** A text of some bytes of UTF-8. */
  text(size: number): string {
    const start = this.take(size);
    const bytes = this.bytes.subarray(start, start + size);
    let all = 0;
    for (let i = 0; i < bytes.length; i++) all |= bytes[i]!;
    if (all < 0x80) return latin1(bytes); // a quarter of the decoder's time
    try {
      return TEXT.decode(bytes);
    } catch {
      throw new DecodeError(`the text before byte ${this.at} is no UTF-8`);
    }
  }

  /** Goes a level deeper, which a schema that holds itself may ask without end; {@linkcode leave} follows. */
  enter(): void {
    if (++this.#depth > MAX_DEPTH) throw new DecodeError(`it is nested more than ${MAX_DEPTH} deep`);
  }

  /** Comes back from a level. */
  leave(): void {
    this.#depth--;
  }

  /** Values that were counted. */
  get values(): number {
    return this.#values;
  }

  /** Counts values that are made, whether or not bytes stand for them. */
  count(values: number): void {
    this.#values += values;
    if (this.#values > this.#mostValues) throw new DecodeError(`it has more than ${this.#mostValues} values`);
  }
}

/** Bytes as a text of as many characters. */
export function latin1(bytes: Uint8Array): string {
  return Buffer.prototype.latin1Slice.call(bytes, 0, bytes.length);
}
