/**
 * Writes recommendations and samples as Avro and Protobuf, by the schemas of {@link ./output_schema.ts}.
 *
 * @module
 */

import { ByteWriter } from "../../src/codec/byte_writer.ts";
import type { Kind, NamedFields } from "../../src/events/field.ts";
import { fieldOf } from "../../src/values/record.ts";
import { GIVEN, type Given, numberOf, typeWithin } from "./output_schema.ts";
import { WIRE } from "./protobuf_input.ts";

/** Appends a value of its kind: records are checked before they get here. */
type Write = (writer: ByteWriter, value: never) => void;
/** Appends an object field by field. */
type WriteObject = (writer: ByteWriter, value: object) => void;

const encoder = new TextEncoder();

/** Encodes a value, without the header of Confluent's wire format. */
export type EncodeGiven = (value: object) => Uint8Array;

export function avroEncoder(of: Given): EncodeGiven {
  const write = avroFields(GIVEN[of]);
  return (value) => encoded(write, value);
}

/** Makes an encoder for Protobuf: writes the index of the type, which is the first, then its fields. */
export function protobufEncoder(of: Given): EncodeGiven {
  const write = protobufFields(of, GIVEN[of]);
  return (value) => encoded((writer, value) => write(writer.u8(0), value), value);
}

function encoded(write: WriteObject, value: object): Uint8Array {
  const writer = new ByteWriter(1024);
  write(writer, value);
  return writer.toBytes();
}

function avroFields(fields: NamedFields): WriteObject {
  const writes = fields.map(([name, field]) => {
    const own = avroWrite(field);
    const write: Write = (writer, value) =>
      value === undefined ? void writer.int(0) : own(writer.int(1), value);
    return [name, field.optional ? write : own] as const;
  });
  return (writer, value) => {
    for (const [name, write] of writes) write(writer, fieldOf(value, name) as never); // of its kind
  };
}

function avroWrite(kind: Kind): Write {
  switch (kind.kind) {
    case "string":
    case "choice":
      return (writer, value: string) => {
        const bytes = encoder.encode(value);
        writer.int(bytes.length);
        for (let i = 0; i < bytes.length; i++) writer.u8(bytes[i]!);
      };
    case "number":
      return (writer, value: number) => void writer.f64(value);
    case "integer":
    case "time":
      return (writer, value: number) => void writer.int(value);
    case "list": {
      const write = avroWrite(kind.of);
      return (writer, list: readonly never[]) => {
        if (list.length > 0) writer.int(list.length);
        for (const own of list) write(writer, own);
        writer.int(0);
      };
    }
    case "object":
      return avroFields(kind.fields);
    default:
      throw new TypeError(`Cannot write ${kind.kind} as Avro`);
  }
}

function protobufFields(type: string, fields: NamedFields): WriteObject {
  const writes = fields.map(([name, field]) => {
    const number = numberOf(type, name);
    const of = field.kind === "list" ? field.of : field;
    const own = protobufWrite(of, number, typeWithin(type, name));
    const all = (writer: ByteWriter, list: readonly never[]) => {
      for (const one of list) own(writer, one);
    };
    return [name, field.kind === "list" ? all : own] as const;
  });
  return (writer, value) => {
    for (const [name, write] of writes) {
      const own = fieldOf(value, name);
      if (own !== undefined) write(writer, own as never); // of its kind
    }
  };
}

function protobufWrite(kind: Kind, number: number, type: string): Write {
  const tag = (wire: number) => number << 3 | wire;
  switch (kind.kind) {
    case "string":
    case "choice":
      return (writer, value: string) => void writer.uint(tag(WIRE.sized)).string(value);
    case "number":
      return (writer, value: number) => void writer.uint(tag(WIRE.fixed64)).f64(value);
    case "integer":
    case "time":
      return (writer, value: number) => void writer.uint(tag(WIRE.varint)).uint(value);
    case "object": {
      const write = protobufFields(type, kind.fields);
      return (writer, value: object) => {
        const within = new ByteWriter(64);
        write(within, value);
        writer.uint(tag(WIRE.sized)).bytes(within.view());
      };
    }
    default:
      throw new TypeError(`Cannot write ${kind.kind} as Protobuf`);
  }
}
