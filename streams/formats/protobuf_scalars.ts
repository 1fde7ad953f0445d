/** The scalars of Protobuf. */

import { type ProtobufInput, WIRE } from "./protobuf_input.ts";

export interface ProtobufScalar {
  /** Its wire type. */
  readonly wire: number;
  readonly read: (input: ProtobufInput) => unknown;
  /** Its value when it is missing and has no presence. */
  readonly zero: unknown;
}

const { varint, fixed32, fixed64, sized } = WIRE;

/** The scalars by their names in a schema. */
export const SCALARS: Readonly<Record<string, ProtobufScalar>> = {
  int32: { wire: varint, read: (input) => input.varint() | 0, zero: 0 },
  uint32: { wire: varint, read: (input) => input.varint(), zero: 0 },
  sint32: { wire: varint, read: (input) => zigzag(input.varint()), zero: 0 },
  int64: { wire: varint, read: (input) => signed(input.varint(), input.high), zero: 0 },
  uint64: { wire: varint, read: (input) => unsigned(input.varint(), input.high), zero: 0 },
  sint64: { wire: varint, read: (input) => zigzag64(input.varint(), input.high), zero: 0 },
  bool: { wire: varint, read: (input) => input.varint() !== 0 || input.high !== 0, zero: false },
  fixed32: { wire: fixed32, read: (input) => input.view.getUint32(input.take(4), true), zero: 0 },
  sfixed32: { wire: fixed32, read: (input) => input.view.getInt32(input.take(4), true), zero: 0 },
  float: { wire: fixed32, read: (input) => input.view.getFloat32(input.take(4), true), zero: 0 },
  fixed64: { wire: fixed64, read: (input) => unsigned(input.fixed64(), input.high), zero: 0 },
  sfixed64: { wire: fixed64, read: (input) => signed(input.fixed64(), input.high), zero: 0 },
  double: { wire: fixed64, read: (input) => input.view.getFloat64(input.take(8), true), zero: 0 },
  string: { wire: sized, read: (input) => input.text(input.size()), zero: "" },
  bytes: { wire: sized, read: base64, zero: "" },
};

/** A signed 64-bit number, as a text when a number cannot hold it exactly. */
export function signed(low: number, high: number): number | string {
  const number = (high | 0) * 2 ** 32 + low;
  return Number.isSafeInteger(number) ? number : String(BigInt(high | 0) << 32n | BigInt(low));
}

function unsigned(low: number, high: number): number | string {
  const number = high * 2 ** 32 + low;
  return Number.isSafeInteger(number) ? number : String(BigInt(high) << 32n | BigInt(low));
}

/** Zig-zag coding: 0, -1, 1, -2, … */
export function zigzag(bits: number): number {
  return bits >>> 1 ^ -(bits & 1);
}

function zigzag64(low: number, high: number): number | string {
  const flip = -(low & 1);
  return signed(((low >>> 1 | high << 31) ^ flip) >>> 0, high >>> 1 ^ flip);
}

function base64(input: ProtobufInput): string {
  const size = input.size();
  const start = input.take(size);
  return input.bytes.subarray(start, start + size).toBase64();
}
