/**
 * What a trainer publishes of an embedding table: rows by key, without optimiser state.
 *
 * Record `embedding-delta`, version 1:
 *
 *     name, width, full (1 byte), removed [n, keys…], upserts [n, keys…], values [1 + n, width] float32
 *
 * The first row of `values` is that of ids without a row. A full delta stands for the whole table, with its keys in
 * ascending order, so that equal content is equal bytes; another one applies on top of its predecessor, removals first.
 *
 * @module
 */

import type { ByteReader } from "../codec/byte_reader.ts";
import type { ByteWriter } from "../codec/byte_writer.ts";
import { endRecord, openRecord, startRecord, writeArray } from "../codec/record.ts";

const NAME = "embedding-delta";
const VERSION = 1;

/** What a delta says, with its keys as `Keys`. */
export interface EmbeddingDelta<Keys> {
  /** The table's field. */
  readonly name: string;
  /** Length of a row. */
  readonly width: number;
  /** Whether it replaces the whole table. */
  readonly full: boolean;
  /** Keys that are gone; empty if full. */
  readonly removed: Keys;
  /** Keys with new values, one for each row of `values` after the first. */
  readonly keys: Keys;
  /** [1 + keys, width]. */
  readonly values: Float32Array;
}

/**
 * Keys as UTF-8, where they lie in a record: a delta has thousands, which are looked up and forgotten, and a string for
 * each was a sixth of all garbage of a server.
 */
export interface RawKeys {
  /** Number of keys. */
  readonly length: number;
  /** [start, end) of each key in the record. */
  readonly places: Uint32Array;
}

/** Keys on their way into a record. */
export interface WrittenKeys {
  /** Number of keys. */
  readonly length: number;
  /** Appends each with its length, in UTF-8. */
  write(to: ByteWriter): void;
}

/** Bytes of a key beyond which a record has to grow while it is written. */
const KEY_BYTES = 24;

/** Encodes a delta. */
export function encodeDelta(delta: EmbeddingDelta<WrittenKeys>): Uint8Array {
  const { name, width, full, removed, keys, values } = delta;
  const capacity = 128 + KEY_BYTES * (removed.length + keys.length) + values.byteLength;
  const writer = startRecord(NAME, VERSION, capacity).string(name).uint(width).u8(full ? 1 : 0);
  for (const each of [removed, keys]) {
    writer.uint(each.length);
    each.write(writer);
  }
  writeArray(writer, values);
  return writer.take();
}

/** Strings as keys. */
export function writtenKeys(keys: readonly string[]): WrittenKeys {
  return {
    length: keys.length,
    write: (to) => {
      for (const key of keys) to.string(key);
    },
  };
}

/**
 * Decodes a delta as a whole, so that a broken one is refused before anything was applied. Its keys stay in `bytes`.
 *
 * @throws {SyntaxError} if it is not a delta
 */
export function decodeDelta(bytes: Uint8Array): EmbeddingDelta<RawKeys> {
  const reader = openRecord(bytes, NAME, VERSION);
  const name = reader.string();
  const width = reader.uint();
  const full = reader.u8() === 1;
  const removed = readKeys(reader);
  const keys = readKeys(reader);
  const raw = reader.bytes();
  endRecord(reader, NAME);
  if (raw.length !== 4 * width * (keys.length + 1)) {
    throw new SyntaxError(`Cannot decode a delta of ${name}: ${raw.length} bytes for ${keys.length} keys`);
  }
  return { name, width, full, removed, keys, values: new Float32Array(raw.slice().buffer) };
}

function readKeys(reader: ByteReader): RawKeys {
  const length = reader.count();
  const places = new Uint32Array(2 * length);
  for (let n = 0; n < length; n++) {
    const size = reader.skipString();
    places[2 * n] = reader.position - size;
    places[2 * n + 1] = reader.position;
  }
  return { length, places };
}
