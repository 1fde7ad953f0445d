/** Protobuf schemas as a registry holds them: a file, and those that it imports, as text or as descriptors. */

import type { Root, Type } from "protobufjs";
import { reasonOf } from "../../src/values/reason.ts";
import { DecodeError } from "./byte_input.ts";
import { compileProtobuf, type ReadProtobuf } from "./protobuf.ts";
import { addDescriptor, addText, type PlacedType } from "./protobuf_files.ts";
import { ProtobufInput } from "./protobuf_input.ts";
import { zigzag } from "./protobuf_scalars.ts";
import { WELL_KNOWN_FILES } from "./protobuf_well_known.ts";

/** Decodes the place of a type, and its value. @throws DecodeError when the bytes are invalid */
export type ProtobufDecoder = (bytes: Uint8Array) => unknown;

export interface ProtobufFile {
  readonly name: string;
  /** Its text, or its descriptor as base64. */
  readonly text: string;
}

/** Matches a descriptor, as clients without the text register it. */
const BASE64 = /^[A-Za-z0-9+/\s]+(?:=[=\s]*)?$/;

/**
 * Compiles a schema to a decoder of the bytes after the id in Confluent's wire format: the place of a type in the file,
 * then its value. The library that reads schemas is loaded on first use.
 *
 * @param imports files that it imports, each after those that it imports itself
 * @returns the decoder, which throws a SyntaxError for a value whose type the schema lacks
 * @throws SyntaxError when it is not a schema
 *
 * @example
 * ```ts
 * import { compileProtobufFile } from "./protobuf_schema.ts";
 * import assert from "node:assert/strict";
 *
 * const text = 'syntax = "proto3"; message Click { string user = 1; optional int64 item = 2; }';
 * const decode = await compileProtobufFile({ name: "click.proto", text });
 * assert.deepEqual(decode(Uint8Array.of(0, 10, 3, 0x61, 0x6e, 0x6e, 16, 7)), { user: "ann", item: 7 });
 * ```
 */
export async function compileProtobufFile(
  file: ProtobufFile,
  imports: readonly ProtobufFile[] = [],
): Promise<ProtobufDecoder> {
  const { default: protobuf } = await import("protobufjs");
  const root = new protobuf.Root();
  const given = new Set(imports.map(({ name }) => name));
  const usual = Object.entries(WELL_KNOWN_FILES).filter(([name]) => !given.has(name));
  for (const [, text] of usual) addText(text, root, protobuf);
  let own: readonly PlacedType[] = [];
  for (const { name, text } of [...imports, file]) {
    try {
      own = BASE64.test(text) ? await addDescriptor(text, root, protobuf) : addText(text, root, protobuf);
    } catch (error) { // of the library, or a stack overflow
      throw new SyntaxError(`Cannot take ${name} as a Protobuf schema: ${reasonOf(error)}`);
    }
  }
  resolve(root);
  const readers = new Map<string, ReadProtobuf>();
  const readerAt = (place: readonly number[]): ReadProtobuf => {
    const key = place.join();
    const read = readers.get(key) ?? compileProtobuf(typeAt(own, place));
    readers.set(key, read);
    return read;
  };
  let first: ReadProtobuf | undefined; // reads nearly all records
  return (bytes) => {
    const input = new ProtobufInput(bytes);
    const place = placeIn(input);
    const read = place === FIRST ? first ??= readerAt(FIRST) : readerAt(place);
    return read(input);
  };
}

/** Custom options, as for validation, may be missing: no value uses them. Other missing types fail at their fields. */
function resolve(root: Root): void {
  root.deferred.length = 0;
  try {
    root.resolveAll();
  } catch (error) {
    if (!(error instanceof Error)) throw error;
  }
}

const FIRST: readonly number[] = [0];

/** The place of a type: its index in the file, then in the type that contains it, and so on. A lone 0 is the first. */
function placeIn(input: ProtobufInput): readonly number[] {
  const length = zigzag(input.varint());
  if (length === 0) return FIRST;
  if (length < 0 || length > input.end - input.at) {
    throw new DecodeError(`the place of its type has ${length} numbers`);
  }
  return Array.from({ length }, () => zigzag(input.varint()));
}

function typeAt(top: readonly PlacedType[], [first = 0, ...rest]: readonly number[]): Type {
  let own = top[first];
  for (const index of rest) own = own?.within()[index];
  if (own?.type !== undefined) return own.type;
  throw new DecodeError(`the schema has no type at the place ${[first, ...rest].join(".")}`);
}
