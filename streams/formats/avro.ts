/**
 * Decodes Avro's binary encoding with the schema that it was written with. There is no schema resolution, since
 * mappings select the fields.
 *
 * Every count is checked against the remaining bytes, so a damaged or hostile record costs no more than its size: six
 * bytes can keep a decoder that checks only after reading busy for hours.
 *
 * Source: Apache Avro 1.12 specification. Decimals become numbers, dates and UUIDs texts; other logical types are
 * ignored. Bytes and fixed become Latin-1 texts; longs and decimals that a number cannot hold become texts.
 */

import { FORBIDDEN_KEYS } from "../../src/events/limits.ts";
import { fieldOf } from "../../src/values/record.ts";
import { ByteInput, DecodeError, latin1 } from "./byte_input.ts";

/** Decodes a value of a schema from all of some bytes. @throws DecodeError when they are not such a value */
export type AvroDecoder = (bytes: Uint8Array) => unknown;

/** Most entries of lists and maps of one record. */
const MAX_ENTRIES = 100_000;
/** Most fields of one record, and how many more per byte: a schema may have any number of fields that take no bytes. */
const FREE_VALUES = 10_000, VALUES_PER_BYTE = 32;

export type ReadAvro = (input: AvroInput) => unknown;

/**
 * Compiles a schema.
 *
 * @param references schemas that it refers to, each after those that it refers to itself
 * @throws SyntaxError when it is not a schema
 *
 * @example
 * ```ts
 * import { compileAvro } from "./avro.ts";
 * import assert from "node:assert/strict";
 *
 * const decode = compileAvro({ type: "record", name: "Click", fields: [
 *   { name: "user", type: "string" },
 *   { name: "item", type: ["null", "long"] },
 * ] });
 * assert.deepEqual(decode(Uint8Array.of(6, 0x61, 0x6e, 0x6e, 2, 14)), { user: "ann", item: 7 });
 * ```
 */
export function compileAvro(schema: unknown, references: readonly unknown[] = []): AvroDecoder {
  const read = compileAvroReader(schema, references);
  return (bytes) => {
    const input = new AvroInput(bytes);
    const value = read(input);
    if (input.at !== bytes.length) throw new DecodeError(`${bytes.length - input.at} bytes are left`);
    return value;
  };
}

/** Like {@linkcode compileAvro}, for values that follow one another. */
export function compileAvroReader(schema: unknown, references: readonly unknown[] = []): ReadAvro {
  const names = new Map<string, ReadAvro>();
  for (const reference of references) compile(reference, "", names);
  return compile(schema, "", names);
}

/** Input of bytes in Avro's encoding. */
export class AvroInput extends ByteInput {
  #entries = 0;

  constructor(bytes: Uint8Array) {
    super(bytes, FREE_VALUES + VALUES_PER_BYTE * bytes.length);
  }

  /** Reads a zig-zag number, as a text when a number cannot hold it exactly. */
  long(): number | string {
    const first = this.bytes[this.at];
    if (first !== undefined && first < 0x80) {
      this.at++;
      return (first >>> 1) ^ -(first & 1);
    }
    let low = 0, shift = 1;
    for (let i = 0; i < 7; i++, shift *= 128) { // 49 bits are exact
      const byte = this.bytes[this.take(1)]!;
      low += (byte & 0x7f) * shift;
      if (byte < 0x80) return low % 2 === 0 ? low / 2 : -(low + 1) / 2;
    }
    let all = BigInt(low);
    for (let i = 7n; i < 10n; i++) {
      const byte = this.bytes[this.take(1)]!;
      all |= BigInt(byte & 0x7f) << (7n * i);
      if (byte >= 0x80) continue;
      const value = (all >> 1n) ^ -(all & 1n);
      return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
    }
    throw new DecodeError(`the number before byte ${this.at} has more than 10 bytes`);
  }

  /** Reads a size or an index. */
  size(): number {
    const size = this.long();
    if (typeof size === "number") return size;
    throw new DecodeError(`a size before byte ${this.at} is ${size}`);
  }

  /** Reads bytes that follow their size. */
  sized(): Uint8Array {
    const size = this.size();
    const start = this.take(size);
    return this.bytes.subarray(start, start + size);
  }

  /** Reads the number of entries of the next block; 0 = there is none. */
  block(): number {
    const count = this.size();
    if (count < 0) this.size(); // the bytes of the block
    this.#entries += Math.abs(count);
    if (this.#entries > MAX_ENTRIES) throw new DecodeError(`it has more than ${MAX_ENTRIES} entries`);
    return Math.abs(count);
  }
}

const PRIMITIVES: Readonly<Record<string, ReadAvro>> = {
  null: () => null,
  boolean: (input) => input.bytes[input.take(1)] === 1,
  int: (input) => input.long(),
  long: (input) => input.long(),
  float: (input) => input.view.getFloat32(input.take(4), true),
  double: (input) => input.view.getFloat64(input.take(8), true),
  bytes: (input) => latin1(input.sized()),
  string: (input) => input.text(input.size()),
};

/** Most bytes of a decimal, and most digits after its point: longer ones are slow to print. */
const MAX_DECIMAL = 64;

interface Schema {
  readonly logicalType?: string;
  readonly scale?: number;
  readonly type?: unknown;
  readonly name?: string;
  readonly fields?: readonly { readonly name: string; readonly type: unknown }[];
  readonly symbols?: readonly string[];
  readonly items?: unknown;
  readonly values?: unknown;
  readonly size?: number;
}

function compile(schema: unknown, space: string, names: Map<string, ReadAvro>): ReadAvro {
  if (typeof schema === "string") return named(schema, space, names);
  if (Array.isArray(schema)) return union(schema.map((branch) => compile(branch, space, names)));
  if (typeof schema !== "object" || schema === null) throw noSchema(schema);
  const own = schema as Schema; // an object; its fields are checked where they are used
  const { type } = own;
  if (typeof type === "object") return compile(type, space, names);
  if (type === "array") return list(compile(own.items, space, names));
  if (type === "map") return map(compile(own.values, space, names));
  if (type !== "record" && type !== "error" && type !== "enum" && type !== "fixed") {
    if (typeof type !== "string") throw noSchema(schema);
    if (type === "bytes" && isDecimal(own)) return decimal((input) => input.sized(), own.scale);
    if (type === "int" && own.logicalType === "date") return date;
    return named(type, space, names);
  }
  const name = fullName(own.name ?? "", spaceOf(schema) ?? space);
  const inner = name.includes(".") ? name.slice(0, name.lastIndexOf(".")) : "";
  let read: ReadAvro = () => {
    throw new DecodeError(`${name} is not complete`);
  };
  names.set(name, (input) => read(input)); // a record may contain itself
  if (type === "enum") read = choice(own.symbols ?? []);
  else if (type === "fixed") read = fixed(own);
  else {
    const fields = own.fields ?? [];
    read = record(fields.map((field) => [field.name, compile(field.type, inner, names)] as const));
  }
  return read;
}

function noSchema(schema: unknown): SyntaxError {
  return new SyntaxError(`Cannot take ${JSON.stringify(schema)?.slice(0, 100)} as an Avro schema`);
}

/** The namespace of the names in a schema. */
function spaceOf(schema: object): string | undefined {
  const space = fieldOf(schema, "namespace");
  return typeof space === "string" ? space : undefined;
}

function fullName(name: string, space: string): string {
  return name.includes(".") || space === "" ? name : `${space}.${name}`;
}

function named(name: string, space: string, names: Map<string, ReadAvro>): ReadAvro {
  if (Object.hasOwn(PRIMITIVES, name)) return PRIMITIVES[name]!;
  const known = names.get(fullName(name, space)) ?? names.get(name);
  if (known === undefined) throw new SyntaxError(`Cannot take the Avro schema: there is no type ${name}`);
  return known;
}

function record(fields: readonly (readonly [name: string, read: ReadAvro])[]): ReadAvro {
  const wrong = fields.find(([name]) => FORBIDDEN_KEYS.includes(name));
  if (wrong !== undefined) {
    throw new SyntaxError(`Cannot take the Avro schema: no record may have a field ${wrong[0]}`);
  }
  return nested((input) => {
    input.count(fields.length);
    const value: Record<string, unknown> = {};
    let i = 0;
    try {
      for (; i < fields.length; i++) value[fields[i]![0]] = fields[i]![1](input);
    } catch (error) {
      throw error instanceof DecodeError ? error.within(fields[i]![0]) : error;
    }
    return value;
  });
}

/** Bounds the depth: a schema may contain itself. */
function nested(read: ReadAvro): ReadAvro {
  return (input) => {
    input.enter();
    const value = read(input);
    input.leave();
    return value;
  };
}

function union(branches: readonly ReadAvro[]): ReadAvro {
  return nested((input) => {
    const index = input.size();
    const read = branches[index];
    if (read === undefined) throw new DecodeError(`the union before byte ${input.at} has no branch ${index}`);
    return read(input);
  });
}

function choice(symbols: readonly string[]): ReadAvro {
  return (input) => {
    const symbol = symbols[input.size()];
    if (symbol === undefined) throw new DecodeError(`the enum before byte ${input.at} has no such symbol`);
    return symbol;
  };
}

function fixed(schema: Schema): ReadAvro {
  const { size = -1, logicalType, scale } = schema;
  if (!Number.isInteger(size) || size < 0) throw noSchema({ type: "fixed", size });
  const bytes = (input: AvroInput) => {
    const start = input.take(size);
    return input.bytes.subarray(start, start + size);
  };
  if (isDecimal(schema)) return decimal(bytes, scale);
  if (logicalType === "uuid" && size === 16) {
    return (input) => bytes(input).toHex().replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
  }
  return (input) => latin1(bytes(input));
}

/** Whether it is a valid decimal; otherwise the specification ignores its logical type. */
function isDecimal({ logicalType, scale = 0 }: Schema): boolean {
  return logicalType === "decimal" && Number.isInteger(scale) && scale >= 0 && scale <= MAX_DECIMAL;
}

/** Reads a decimal, whose digits are an integer in two's complement, most significant byte first. */
function decimal(bytesOf: (input: AvroInput) => Uint8Array, scale = 0): ReadAvro {
  return (input) => {
    const bytes = bytesOf(input);
    if (bytes.length > MAX_DECIMAL) {
      throw new DecodeError(`the decimal before byte ${input.at} has more than ${MAX_DECIMAL} bytes`);
    }
    const all = BigInt.asIntN(8 * bytes.length, BigInt(`0x${bytes.toHex() || 0}`));
    const digits = String(all < 0n ? -all : all).padStart(scale + 1, "0");
    const point = digits.length - scale;
    const text = `${all < 0n ? "-" : ""}${digits.slice(0, point)}${scale > 0 ? "." : ""}${
      digits.slice(point)
    }`;
    return Number.isSafeInteger(Number(all)) ? Number(text) : text;
  };
}

/** Reads days since 1970 as a date of ISO 8601, or as they are when outside the range of dates. */
function date(input: AvroInput): string | number {
  const days = Number(input.long()), day = new Date(days * 86_400_000);
  return Number.isNaN(day.getTime()) ? days : day.toISOString().replace(/T.*/, "");
}

function list(read: ReadAvro): ReadAvro {
  return nested((input) => {
    const values: unknown[] = [];
    for (let count = input.block(); count > 0; count = input.block()) {
      for (let i = 0; i < count; i++) values.push(read(input));
    }
    return values;
  });
}

function map(read: ReadAvro): ReadAvro {
  return nested((input) => {
    const values: Record<string, unknown> = {};
    for (let count = input.block(); count > 0; count = input.block()) {
      for (let i = 0; i < count; i++) {
        const key = input.text(input.size());
        const value = read(input);
        if (FORBIDDEN_KEYS.includes(key)) throw new DecodeError(`no record may have a field ${key}`);
        values[key] = value;
      }
    }
    return values;
  });
}
