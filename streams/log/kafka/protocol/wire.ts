/**
 * Kafka's primitive types: big-endian integers, zigzag varints, length-prefixed UTF-8. Messages have one of two
 * encodings: classic, or flexible (KIP-482), with compact lengths and tagged fields at the end of each structure.
 */

import { times } from "../../../../src/values/times.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
/** 2^32: the high halves of 64-bit integers are multiplied, because shifts are limited to 32 bits. */
const HIGH = 0x100000000;
/** Scale of the tenth and last byte of a VARLONG. */
const LAST_SCALE = 2 ** 63;

/**
 * Reads from a buffer and returns views of it, not copies. Every method throws a RangeError, before it allocates
 * anything, when a value would end beyond the buffer.
 */
export class WireReader {
  /** Index of the next byte to read. */
  position = 0;
  readonly bytes: Uint8Array;
  readonly #isFlexible: boolean;
  readonly #view: DataView;

  /** Starts at the first byte. */
  constructor(bytes: Uint8Array, isFlexible = false) {
    this.bytes = bytes;
    this.#isFlexible = isFlexible;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Number of bytes that are left. */
  get left(): number {
    return this.bytes.length - this.position;
  }

  /** INT8. */
  int8(): number {
    return this.#view.getInt8(this.position++);
  }

  /** INT16. */
  int16(): number {
    const value = this.#view.getInt16(this.position);
    this.position += 2;
    return value;
  }

  /** INT32. */
  int32(): number {
    const value = this.#view.getInt32(this.position);
    this.position += 4;
    return value;
  }

  /** INT64, as a number: exact up to 2^53, as all offsets, times and producer ids are in practice. */
  int64(): number {
    const high = this.#view.getInt32(this.position);
    const low = this.#view.getUint32(this.position + 4);
    this.position += 8;
    return high * HIGH + low;
  }

  /** VARINT or VARLONG, zigzag encoded; exact up to 2^52. */
  varint(): number {
    const { bytes } = this;
    let byte = bytes[this.position++]!;
    if (byte < 0x80) return (byte >>> 1) ^ -(byte & 1);
    let value = byte & 0x7f;
    for (let scale = 0x80;; scale *= 0x80) {
      byte = bytes[this.position++]!;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) break;
      if (!(byte >= 0x80) || scale >= LAST_SCALE) throw endless(this.position);
    }
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  /** UNSIGNED_VARINT. */
  uvarint(): number {
    let value = 0;
    for (let scale = 1;; scale *= 0x80) {
      const byte = this.bytes[this.position++]!;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      if (!(byte >= 0x80) || scale >= LAST_SCALE) throw endless(this.position);
    }
  }

  /** A number of bytes; -1 is null. */
  take(length: number): Uint8Array | null {
    if (length === -1) return null;
    this.#demand(length);
    return this.bytes.subarray(this.position, this.position += length);
  }

  /** A number of bytes of UTF-8; -1 is null. */
  text(length: number): string | null {
    if (length === -1) return null;
    this.#demand(length);
    const { bytes, position } = this;
    this.position += length;
    if (length > SHORT) return decoder.decode(bytes.subarray(position, position + length));
    // Most keys are short and ASCII, and calling the decoder would cost more than this loop.
    let text = "";
    for (let i = position; i < position + length; i++) {
      const byte = bytes[i]!;
      if (byte >= 0x80) return decoder.decode(bytes.subarray(position, position + length));
      text += String.fromCharCode(byte);
    }
    return text;
  }

  /** NULLABLE_STRING or COMPACT_NULLABLE_STRING. */
  name(): string | null {
    return this.text(this.#isFlexible ? this.uvarint() - 1 : this.int16());
  }

  /** NULLABLE_BYTES or COMPACT_NULLABLE_BYTES. */
  blob(): Uint8Array | null {
    return this.take(this.#isFlexible ? this.uvarint() - 1 : this.int32());
  }

  /** ARRAY or COMPACT_ARRAY of structures. */
  list<Item>(read: () => Item, readTag?: (item: Item, tag: number, field: WireReader) => void): Item[] {
    if (!this.#isFlexible) return this.items(Math.max(0, this.int32()), read);
    return this.compactArray(() => {
      const item = read();
      this.tags((tag, field) => readTag?.(item, tag, field));
      return item;
    });
  }

  /** COMPACT_ARRAY of primitive types. */
  compactArray<Item>(read: () => Item): Item[] {
    return this.items(Math.max(0, this.uvarint() - 1), read);
  }

  /** A number of items, each of which takes at least one byte. */
  items<Item>(count: number, read: () => Item): Item[] {
    this.#demand(count);
    return times(count, read);
  }

  /** TAG_BUFFER. */
  tags(read?: (tag: number, field: WireReader) => void): void {
    for (let count = this.uvarint(); count > 0; count--) {
      const tag = this.uvarint();
      const field = this.take(this.uvarint());
      if (field !== null) read?.(tag, new WireReader(field, true));
    }
  }

  #demand(length: number): void {
    if (length >= 0 && length <= this.left) return;
    throw new RangeError(`a length of ${length} at byte ${this.position}, with ${this.left} bytes left`);
  }
}

function endless(position: number): RangeError {
  return new RangeError(`a number that does not end at byte ${position}`);
}

const SHORT = 32;

/** Writes into a growing buffer. */
export class WireWriter {
  #bytes: Uint8Array<ArrayBuffer>;
  #view: DataView;
  #length = 0;
  /** Whether the message is flexible. */
  readonly isFlexible: boolean;

  /** Reserves `capacity` bytes; a flexible message begins with the tags of its header, which kafkajs does not write. */
  constructor(capacity = 256, isFlexible = false) {
    this.#bytes = new Uint8Array(capacity);
    this.#view = new DataView(this.#bytes.buffer);
    this.isFlexible = isFlexible;
    if (isFlexible) this.uvarint(0);
  }

  /** Number of bytes written. */
  get length(): number {
    return this.#length;
  }

  /** A view of what was written, valid until the next write. */
  get bytes(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#length);
  }

  /** Discards what was written and keeps the buffer. */
  reset(): void {
    this.#length = 0;
  }

  /** INT8. */
  int8(value: number): this {
    this.#reserve(1);
    this.#view.setInt8(this.#length++, value);
    return this;
  }

  /** INT16. */
  int16(value: number): this {
    this.#reserve(2);
    this.#view.setInt16(this.#length, value);
    this.#length += 2;
    return this;
  }

  /** INT32, or UINT32 with the same bits. */
  int32(value: number): this {
    this.#reserve(4);
    this.setInt32(this.#length, value);
    this.#length += 4;
    return this;
  }

  /** Overwrites four bytes. */
  setInt32(position: number, value: number): void {
    this.#view.setInt32(position, value);
  }

  /** INT64 of a safe integer. */
  int64(value: number): this {
    return this.int32(Math.floor(value / HIGH)).int32(value % HIGH);
  }

  /** VARINT or VARLONG, zigzag encoded; exact up to 2^52. */
  varint(value: number): this {
    return this.uvarint(value >= 0 ? value * 2 : -value * 2 - 1);
  }

  /** UNSIGNED_VARINT. */
  uvarint(value: number): this {
    this.#reserve(8);
    while (value >= 0x80) {
      this.#bytes[this.#length++] = (value % 0x80) | 0x80;
      value = Math.floor(value / 0x80);
    }
    this.#bytes[this.#length++] = value;
    return this;
  }

  raw(bytes: Uint8Array): this {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
    return this;
  }

  /** NULLABLE_STRING or COMPACT_NULLABLE_STRING. */
  name(text: string | null): this {
    const bytes = text === null ? null : encoder.encode(text);
    if (this.isFlexible) this.compactCount(bytes?.length ?? -1);
    else this.int16(bytes?.length ?? -1);
    return bytes === null ? this : this.raw(bytes);
  }

  /** BYTES or COMPACT_BYTES. */
  blob(bytes: Uint8Array): this {
    return (this.isFlexible ? this.compactCount(bytes.length) : this.int32(bytes.length)).raw(bytes);
  }

  /** ARRAY or COMPACT_ARRAY of structures. */
  list<Item>(items: readonly Item[], write: (item: Item) => void): this {
    if (this.isFlexible) this.compactCount(items.length);
    else this.int32(items.length);
    for (const item of items) {
      write(item);
      this.end();
    }
    return this;
  }

  /** The length of a compact type; -1 is null. */
  compactCount(count: number): this {
    return this.uvarint(count + 1);
  }

  /** Ends a structure: with an empty TAG_BUFFER if the message is flexible. */
  end(): this {
    return this.isFlexible ? this.uvarint(0) : this;
  }

  /** The bytes of a record's key, value or header, after their length as a VARINT. */
  varBytes(value: string | Uint8Array | null): this {
    if (value === null) return this.varint(-1);
    if (typeof value !== "string") return this.varint(value.length).raw(value);
    if (value.length >= SHORT) return this.varBytes(encoder.encode(value));
    // Leaves one byte for the length, enough for 63 bytes of text; a longer text is written again.
    this.#reserve(value.length * 3 + 2);
    const { written } = encoder.encodeInto(value, this.#bytes.subarray(this.#length + 1));
    if (written > 63) return this.varint(written).raw(encoder.encode(value));
    this.#bytes[this.#length] = written * 2;
    this.#length += 1 + written;
    return this;
  }

  #reserve(more: number): void {
    const needed = this.#length + more;
    if (needed <= this.#bytes.length) return;
    const bytes = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
    bytes.set(this.#bytes);
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer);
  }
}
