/**
 * Decodes Avro's binary form by the schema that it was written with. What a reader wants instead, mappings say: so there
 * is no resolution of schemas.
 *
 * Every count is checked against the bytes that are left, so a damaged or hostile record costs no more than its size: a
 * decoder that reads on behind the end and looks afterwards can be kept busy for hours by six bytes.
 *
 * Source: Apache Avro 1.12 specification. Decimals are numbers, dates and UUIDs texts; other logical types are their bare
 * ones. Bytes and fixed are texts of Latin-1; longs and decimals that a number cannot hold are texts.
 *
 * @module
 */

import { FORBIDDEN_KEYS } from "../../src/events/limits.ts";
import { fieldOf } from "../../src/values/record.ts";
import { ByteInput, DecodeError, latin1 } from "./byte_input.ts";

/** Decodes a value of a schema from the whole of some bytes. @throws DecodeError when they are no such value */
export type AvroDecoder = (bytes: Uint8Array) => unknown;

/** Most entries of lists and maps of one record. */
const MAX_ENTRIES = 100_000;
/** Most fields of one record that take no bytes, and how many more each byte allows: a schema may have any number. */
const FREE_VALUES = 10_000, VALUES_PER_BYTE = 32;

/** Reads a value. */
export type ReadAvro = (input: AvroInput) => unknown;

/**
 * Compiles a schema.
 *
 * @param references schemas that it names, those first that others name
 * @throws SyntaxError when it is no schema
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

/** Bytes of Avro. */
export class AvroInput extends ByteInput {
  #entries = 0;

  constructor(bytes: Uint8Array) {
    super(bytes, FREE_VALUES + VALUES_PER_BYTE * bytes.length);
  }

  /** A zig-zag number; a text when it is not exact as a number. */
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

  /** A number that is a size or an index. */
  size(): number {
    const size = this.long();
    if (typeof size === "number") return size;
    throw new DecodeError(`a size before byte ${this.at} is ${size}`);
  }

  /** The bytes of a text, which follow their size. */
  sized(): Uint8Array {
    const size = this.size();
    const start = this.take(size);
    return this.bytes.subarray(start, start + size);
  }

  /** Entries of the next block; 0 = there is none. */
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

/** Most bytes and digits behind the point of a decimal: longer ones take time to print. */
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
  const own = schema as Schema; // an object; what it has is checked where it is used
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
  names.set(name, (input) => read(input)); // a record may hold itself
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

/** The first part of the names in a schema. */
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

/** Bounds the depth: a schema may hold itself. */
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

/** Whether it is a decimal as the specification wants it; otherwise its logical type does not count. */
function isDecimal({ logicalType, scale = 0 }: Schema): boolean {
  return logicalType === "decimal" && Number.isInteger(scale) && scale >= 0 && scale <= MAX_DECIMAL;
}

/** Reads a number in two's complement, most significant byte first, without its point. */
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

/** Days since 1970 as ISO 8601; those that no calendar of ours has, as they are. */
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
