/** Well-known types, which every schema may import without including them, and their values here. */

import { DecodeError } from "./byte_input.ts";

type Fields = Readonly<Record<string, unknown>>;

const value = ({ value }: Fields) => value;
const WRAPPED = {
  Double: "double",
  Float: "float",
  Int64: "int64",
  UInt64: "uint64",
  Int32: "int32",
  UInt32: "uint32",
  Bool: "bool",
  String: "string",
  Bytes: "bytes",
};

/** Converts the fields of a well-known type to a value, by its full name. */
export const WELL_KNOWN: Readonly<Record<string, (fields: Fields) => unknown>> = {
  ".google.protobuf.Timestamp": milliseconds,
  ".google.protobuf.Duration": milliseconds,
  ".google.protobuf.Struct": ({ fields }) => fields,
  ".google.protobuf.ListValue": ({ values }) => values,
  ".google.protobuf.Value": (fields) =>
    ["number_value", "string_value", "bool_value", "struct_value", "list_value"].map((kind) => fields[kind])
      .find((own) => own !== undefined) ?? null,
  ...Object.fromEntries(Object.keys(WRAPPED).map((name) => [`.google.protobuf.${name}Value`, value])),
};

/** Whole milliseconds of seconds and nanoseconds, rounded down. */
function milliseconds({ seconds = 0, nanos = 0 }: Fields): number {
  // A schema may have a Timestamp of its own.
  if (typeof seconds === "object" || typeof nanos === "object") {
    throw new DecodeError("its seconds are not a number");
  }
  const ms = Number(seconds) * 1000 + Math.floor(Number(nanos) / 1e6);
  if (Number.isSafeInteger(ms)) return ms;
  throw new DecodeError(`${seconds} seconds are out of range`);
}

/** The files that declare them, by name in imports. */
export const WELL_KNOWN_FILES: Readonly<Record<string, string>> = {
  "google/protobuf/timestamp.proto": file("message Timestamp { int64 seconds = 1; int32 nanos = 2; }"),
  "google/protobuf/duration.proto": file("message Duration { int64 seconds = 1; int32 nanos = 2; }"),
  "google/protobuf/empty.proto": file("message Empty {}"),
  "google/protobuf/any.proto": file("message Any { string type_url = 1; bytes value = 2; }"),
  "google/protobuf/field_mask.proto": file("message FieldMask { repeated string paths = 1; }"),
  "google/protobuf/struct.proto": file(`
    message Struct { map<string, Value> fields = 1; }
    message Value {
      oneof kind {
        NullValue null_value = 1;
        double number_value = 2;
        string string_value = 3;
        bool bool_value = 4;
        Struct struct_value = 5;
        ListValue list_value = 6;
      }
    }
    enum NullValue { NULL_VALUE = 0; }
    message ListValue { repeated Value values = 1; }`),
  "google/protobuf/wrappers.proto": file(
    Object.entries(WRAPPED).map(([name, type]) => `message ${name}Value { ${type} value = 1; }`).join("\n"),
  ),
};

function file(types: string): string {
  return `syntax = "proto3"; package google.protobuf; ${types}`;
}
