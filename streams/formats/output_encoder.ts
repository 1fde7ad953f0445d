/**
 * Writes recommendations and samples as Avro and Protobuf, by the schemas of {@link ./output_schema.ts}.
 *
 * Libraries write, each loaded on first use. Records of other programs are read by code of our own: see [decision
 * 56](../../docs/decisions/0056-mappings-by-rules.md) and [decision 59](../../docs/decisions/0059-protobuf.md).
 */

import type { Schema } from "avsc";
import { avroSchema, type Given, PACKAGE, protobufSchema } from "./output_schema.ts";

/** Encodes a value, without the header of Confluent's wire format. */
export type EncodeGiven = (value: object) => Uint8Array;

export async function avroEncoder(of: Given): Promise<EncodeGiven> {
  const { default: { Type } } = await import("avsc");
  const type = Type.forSchema(avroSchema(of) as Schema); // made by us
  return (value) => type.toBuffer(value);
}

/** Makes an encoder for Protobuf: writes the index of the type, which is the first, then its fields. */
export async function protobufEncoder(of: Given): Promise<EncodeGiven> {
  const { default: { parse, Writer } } = await import("protobufjs");
  const type = parse(protobufSchema(of), { keepCase: true }).root.lookupType(`${PACKAGE}.${of}`);
  return (value) => type.encode(value, Writer.create().uint32(0)).finish();
}
