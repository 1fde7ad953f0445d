/**
 * Self-describing binary records over {@linkcode ByteWriter}: a format version and a name first, and whole
 * typed arrays copied as they lie in memory, which is little-endian on every platform that Deno runs on.
 */

import { ByteReader } from "./byte_reader.ts";
import { ByteWriter } from "./byte_writer.ts";

/** Any fixed-width numeric array. */
export type NumericArray = Float32Array | Float64Array | Uint32Array | Uint8Array;

/**
 * Starts a record with its header.
 *
 * @param name kind of record, for example `adam`
 * @param version format version in 0..255
 * @param capacity expected size in bytes
 */
export function startRecord(name: string, version: number, capacity = 256): ByteWriter {
  return new ByteWriter(capacity).u8(version).string(name);
}

/**
 * Reads the header of a record, and returns a reader of what follows.
 *
 * @throws {SyntaxError} if it is not a record of that name and version
 */
export function openRecord(bytes: Uint8Array, name: string, version: number): ByteReader {
  const reader = new ByteReader(bytes);
  const gotVersion = reader.u8();
  const got = reader.string();
  if (got !== name || gotVersion !== version) {
    throw new SyntaxError(
      `Cannot decode ${bytes.length} bytes as ${name} version ${version}: ` +
        `current header is ${JSON.stringify(got.slice(0, 40))} version ${gotVersion}`,
    );
  }
  return reader;
}

/** Checks that a record ends here. @throws {SyntaxError} when it does not */
export function endRecord(reader: ByteReader, name: string): void {
  if (!reader.done) throw new SyntaxError(`Cannot decode a record as ${name}: bytes follow its end`);
}

/** Appends an array, with its length in bytes before it. */
export function writeArray(writer: ByteWriter, values: NumericArray): void {
  writer.bytes(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
}

/**
 * Fills `target` with an array of exactly its length, and returns it.
 *
 * @throws {SyntaxError} if the stored array has another length; `target` is unchanged then
 */
export function readArray<T extends NumericArray>(reader: ByteReader, target: T): T {
  const bytes = reader.bytes();
  if (bytes.length !== target.byteLength) {
    throw new SyntaxError(
      `Cannot decode an array as ${target.length} numbers: it has ${bytes.length} bytes, not ${target.byteLength}`,
    );
  }
  new Uint8Array(target.buffer, target.byteOffset, target.byteLength).set(bytes);
  return target;
}
