/**
 * Writes the compact binary records of states, samples and parameters: varints, IEEE floats in little
 * endian, length-prefixed UTF-8. {@linkcode ByteReader} reads them back.
 *
 * @module
 */

const encoder = new TextEncoder();
/** Up to this many floats, writing one by one is faster than a block copy. */
const FEW = 32;
/** {@linkcode ByteWriter.take} copies only if more than one byte is unused per this many written. */
const SPARE = 8;
const QUIET_NAN = 0x7ff8_0000_0000_0000n;

/** A growing byte buffer with typed appends. */
export class ByteWriter {
  #bytes: Uint8Array;
  #view: DataView;
  #length = 0;

  /** Creates an empty writer with room for `capacity` bytes. */
  constructor(capacity = 256) {
    this.#bytes = new Uint8Array(capacity);
    this.#view = new DataView(this.#bytes.buffer);
  }

  get length(): number {
    return this.#length;
  }

  toBytes(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  /** The bytes, without a copy if little memory is unused. The writer must not be used afterwards. */
  take(): Uint8Array {
    return this.#bytes.length - this.#length > this.#length / SPARE ? this.toBytes() : this.view();
  }

  /** A view of what was written, valid until the next write. */
  view(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  /** Drops what was written and keeps the buffer. */
  reset(): void {
    this.#length = 0;
  }

  /** Appends one byte, 0..255. */
  u8(value: number): this {
    this.#reserve(1);
    this.#bytes[this.#length++] = value;
    return this;
  }

  /** Appends an integer in 0..2^53−1, seven bits per byte. */
  uint(value: number): this {
    if (value === (value | 0) && value >= 0) return this.#uint31(value);
    if (!Number.isSafeInteger(value) || value < 0) {
      throw new RangeError(`Cannot encode a number as unsigned integer: current value is ${value}`);
    }
    this.#reserve(8);
    while (value >= 0x80) {
      this.#bytes[this.#length++] = (value % 0x80) | 0x80;
      value = Math.floor(value / 0x80);
    }
    this.#bytes[this.#length++] = value;
    return this;
  }

  /** Appends an integer in −2^52..2^52−1, zigzag coded, so that small magnitudes are short. */
  int(value: number): this {
    return this.uint(value < 0 ? -2 * value - 1 : 2 * value);
  }

  /** Appends an integer in 0..2^48−1 in six bytes. */
  u48(value: number): this {
    this.#reserve(6);
    this.#view.setUint32(this.#length, value, true); // its lower 32 bits
    this.#view.setUint16(this.#length + 4, Math.floor(value / 2 ** 32), true);
    this.#length += 6;
    return this;
  }

  f32(value: number): this {
    this.#reserve(4);
    this.#view.setFloat32(this.#length, value, true);
    this.#length += 4;
    return this;
  }

  /** Appends a 64-bit float; every NaN has the same bytes, whatever its bits are in memory. */
  f64(value: number): this {
    this.#reserve(8);
    if (Number.isNaN(value)) this.#view.setBigUint64(this.#length, QUIET_NAN, true);
    else this.#view.setFloat64(this.#length, value, true);
    this.#length += 8;
    return this;
  }

  /** Appends 32-bit floats, those of `[start, end)`, without their count. */
  f32s(values: Float32Array, start = 0, end: number = values.length): this {
    const count = end - start, size = 4 * count;
    this.#reserve(size);
    if (count > FEW) {
      this.#bytes.set(new Uint8Array(values.buffer, values.byteOffset + 4 * start, size), this.#length);
    } else {
      for (let i = 0; i < count; i++) this.#view.setFloat32(this.#length + 4 * i, values[start + i]!, true);
    }
    this.#length += size;
    return this;
  }

  /** Appends 64-bit floats without their count. */
  f64s(values: ArrayLike<number>): this {
    this.#reserve(8 * values.length);
    for (let i = 0; i < values.length; i++) this.#view.setFloat64(this.#length + 8 * i, values[i]!, true);
    this.#length += 8 * values.length;
    return this;
  }

  /** Appends bytes with their length. */
  bytes(value: Uint8Array): this {
    return this.uint(value.length).append(value);
  }

  /** Appends bytes without their length. */
  append(value: Uint8Array): this {
    this.#reserve(value.length);
    this.#bytes.set(value, this.#length);
    this.#length += value.length;
    return this;
  }

  /** Appends `source[start .. end)` with its length; for a few bytes this is faster than a view. */
  part(source: Uint8Array, start: number, end: number): this {
    this.uint(end - start);
    this.#reserve(end - start);
    const bytes = this.#bytes;
    let at = this.#length;
    for (let from = start; from < end; from++) bytes[at++] = source[from]!;
    this.#length = at;
    return this;
  }

  /** Appends a copy of the bytes written at `[start, end)`. */
  again(start: number, end: number): this {
    this.#reserve(end - start);
    this.#bytes.copyWithin(this.#length, start, end);
    this.#length += end - start;
    return this;
  }

  /** Appends a string, from UTF-16 unit `start` on, as UTF-8 with its length; a lone surrogate becomes U+FFFD. */
  string(value: string, start = 0): this {
    return this.#shortAscii(value, start) ? this : this.bytes(encoder.encode(value.slice(start)));
  }

  /** Appends a string of up to 127 ASCII characters, as nearly all ids are: faster than the encoder. */
  #shortAscii(value: string, start: number): boolean {
    const length = value.length - start;
    if (length > 0x7f) return false;
    this.#reserve(1 + length);
    const at = this.#length + 1;
    for (let i = 0; i < length; i++) {
      const code = value.charCodeAt(start + i);
      if (code > 0x7f) return false;
      this.#bytes[at + i] = code;
    }
    this.#bytes[at - 1] = length;
    this.#length = at + length;
    return true;
  }

  /** Appends an integer of up to 31 bits, as most are, in integer arithmetic. */
  #uint31(value: number): this {
    this.#reserve(5);
    const bytes = this.#bytes;
    let at = this.#length;
    for (; value >= 0x80; value >>>= 7) bytes[at++] = value & 0x7f | 0x80;
    bytes[at++] = value;
    this.#length = at;
    return this;
  }

  #reserve(count: number): void {
    const need = this.#length + count;
    if (need <= this.#bytes.length) return;
    const bytes = new Uint8Array(Math.max(need, this.#bytes.length * 2));
    bytes.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer);
  }
}
