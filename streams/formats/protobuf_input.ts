/** Reads bytes of Protobuf: numbers and sizes, and skips unknown fields. */

import { ByteInput, DecodeError } from "./byte_input.ts";

/** Wire types: how the bytes of a field are delimited. */
export const WIRE = { varint: 0, fixed64: 1, sized: 2, start: 3, end: 4, fixed32: 5 } as const;

/** Input of bytes in Protobuf's encoding. */
export class ProtobufInput extends ByteInput {
  /** The upper 32 bits of the last number that {@linkcode varint} or {@linkcode fixed64} read. */
  high = 0;

  /** Reads a number of up to 64 bits. @returns its lower 32, unsigned */
  varint(): number {
    let byte = this.bytes[this.take(1)]!;
    this.high = 0;
    if (byte < 0x80) return byte;
    let low = byte & 0x7f;
    for (let shift = 7; shift < 70; shift += 7) {
      byte = this.bytes[this.take(1)]!;
      const part = byte & 0x7f;
      if (shift < 32) low |= part << shift;
      if (shift === 28) this.high = part >>> 4;
      else if (shift > 28) this.high |= part << (shift - 32);
      if (byte < 0x80) {
        this.high >>>= 0;
        return low >>> 0;
      }
    }
    throw new DecodeError(`the number before byte ${this.at} has more than 10 bytes`);
  }

  /** Reads eight bytes. @returns the lower 32 bits, unsigned */
  fixed64(): number {
    const start = this.take(8);
    this.high = this.view.getUint32(start + 4, true);
    return this.view.getUint32(start, true);
  }

  /** Reads the size of the bytes that follow. */
  size(): number {
    const size = this.varint();
    if (this.high !== 0) throw new DecodeError(`a size before byte ${this.at} has more than 32 bits`);
    return size;
  }

  /** Skips the value of a field. @param number number of the field */
  skip(wire: number, number: number): void {
    if (wire === WIRE.varint) this.varint();
    else if (wire === WIRE.fixed64) this.take(8);
    else if (wire === WIRE.sized) this.take(this.size());
    else if (wire === WIRE.fixed32) this.take(4);
    else if (wire === WIRE.start) this.#skipGroup(number);
    else throw new DecodeError(`field ${number} before byte ${this.at} has wire type ${wire}`);
  }

  #skipGroup(number: number): void {
    this.enter();
    for (;;) {
      const tag = this.varint(), wire = tag & 7;
      if (wire === WIRE.end) {
        if (tag >>> 3 === number) break;
        throw new DecodeError(`the group ${number} ends as ${tag >>> 3} before byte ${this.at}`);
      }
      this.skip(wire, tag >>> 3);
    }
    this.leave();
  }
}
