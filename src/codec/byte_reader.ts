/**
 * Reads what {@linkcode ByteWriter} wrote.
 *
 * @module
 */

const NONE = new Float32Array(0);
/** Up to this many floats, reading one by one is faster than a block copy. */
const FEW = 32;
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** A cursor over bytes. Every read checks the bounds, and throws a SyntaxError on invalid bytes. */
export class ByteReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #position = 0;

  /** Reads from the start of `bytes`. */
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get done(): boolean {
    return this.#position === this.#bytes.length;
  }

  get position(): number {
    return this.#position;
  }

  get left(): number {
    return this.#bytes.length - this.#position;
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  /** Reads an integer in 0..2^53−1. */
  uint(): number {
    let value = 0;
    for (let scale = 1; scale <= 2 ** 49; scale *= 0x80) {
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80 && Number.isSafeInteger(value)) return value;
    }
    throw new SyntaxError("Cannot decode an unsigned integer: it is beyond 2^53 − 1");
  }

  /**
   * Reads the number of elements that follow, each of at least one byte, so that damaged bytes cannot claim more
   * elements than there are bytes left.
   */
  count(): number {
    const count = this.uint();
    if (count > this.left) {
      throw new SyntaxError(`Cannot decode ${count} elements: ${this.left} bytes are left`);
    }
    return count;
  }

  /** Reads a zigzag coded integer. */
  int(): number {
    const value = this.uint();
    return value % 2 === 1 ? -(value + 1) / 2 : value / 2;
  }

  /** Reads an integer of six bytes. */
  u48(): number {
    const at = this.#take(6);
    return this.#view.getUint16(at + 4, true) * 2 ** 32 + this.#view.getUint32(at, true);
  }

  f32(): number {
    return this.#view.getFloat32(this.#take(4), true);
  }

  f64(): number {
    return this.#view.getFloat64(this.#take(8), true);
  }

  f32s(count: number): Float32Array {
    const at = this.#take(4 * count);
    if (count === 0) return NONE;
    const values = new Float32Array(count);
    if (count > FEW) new Uint8Array(values.buffer).set(this.#bytes.subarray(at, at + 4 * count));
    else for (let i = 0; i < count; i++) values[i] = this.#view.getFloat32(at + 4 * i, true);
    return values;
  }

  /** Reads `count` 32-bit floats into `out` from `start` on, which must have room for them. */
  f32sInto(out: Float32Array, start: number, count: number): void {
    const at = this.#take(4 * count);
    for (let i = 0; i < count; i++) out[start + i] = this.#view.getFloat32(at + 4 * i, true);
  }

  f64s(count: number): Float64Array {
    const at = this.#take(8 * count);
    const values = new Float64Array(count);
    for (let i = 0; i < count; i++) values[i] = this.#view.getFloat64(at + 8 * i, true);
    return values;
  }

  /** Reads length-prefixed bytes as a view, not a copy. */
  bytes(): Uint8Array {
    const length = this.uint();
    const at = this.#take(length);
    return this.#bytes.subarray(at, at + length);
  }

  string(): string {
    const bytes = this.bytes();
    const text = shortAscii(bytes);
    return text ?? decodeUtf8(bytes);
  }

  /** Reads a value that was written as JSON; its type is not checked. */
  json<T>(): T {
    return JSON.parse(this.string());
  }

  /** Skips a string, without creating it. @returns its length in bytes, which end at {@linkcode ByteReader.position} */
  skipString(): number {
    const length = this.uint();
    const from = this.#take(length);
    for (let at = from; at < this.#position; at++) {
      if (this.#bytes[at]! < 0x80) continue;
      decodeUtf8(this.#bytes.subarray(from, this.#position)); // throws if it is not UTF-8
      break;
    }
    return length;
  }

  /** Skips a copy of the bytes at `[start, end)`, if that comes next. @returns whether it did */
  again(start: number, end: number): boolean {
    const bytes = this.#bytes, to = this.#position;
    if (end - start > this.left) return false;
    for (let at = start; at < end; at++) if (bytes[at] !== bytes[to + at - start]) return false;
    this.#position += end - start;
    return true;
  }

  #take(count: number): number {
    const at = this.#position;
    if (at + count > this.#bytes.length) {
      throw new SyntaxError(
        `Cannot decode ${count} bytes at ${at}: the record ends at ${this.#bytes.length}`,
      );
    }
    this.#position = at + count;
    return at;
  }
}

/** Decodes up to 32 ASCII characters, as nearly all ids are, faster than the decoder does; `null` for other texts. */
export function shortAscii(bytes: Uint8Array): string | null {
  if (bytes.length > 32) return null;
  let text = "";
  for (let i = 0; i < bytes.length; i++) {
    if (bytes[i]! > 0x7f) return null;
    text += String.fromCharCode(bytes[i]!);
  }
  return text;
}

function decodeUtf8(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch (cause) {
    throw new SyntaxError(`Cannot decode ${bytes.length} bytes as UTF-8`, { cause });
  }
}
