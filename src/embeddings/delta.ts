/**
 * What a trainer publishes of an embedding table: rows by key, without optimiser state.
 *
 * Record `embedding-delta`, version 1:
 *
 *     name, width, full (1 byte), removed [n, keys…], upserts [n, keys…], values [1 + n, width] float32
 *
 * The first row of `values` is that of ids without a row. Keys are in ascending order, so equal content is
 * equal bytes. A full delta stands for the whole table; another one applies on top of its predecessor,
 * removals first.
 *
 * @module
 */

import type { ByteReader } from "../codec/byte_reader.ts";
import { endRecord, openRecord, startRecord, writeArray } from "../codec/record.ts";

const NAME = "embedding-delta";
const VERSION = 1;

/** What a delta says, with its keys as `Keys`. */
export interface EmbeddingDelta<Keys = readonly string[]> {
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

/** Encodes a delta. */
export function encodeDelta(delta: EmbeddingDelta): Uint8Array {
  const writer = startRecord(NAME, VERSION).string(delta.name).uint(delta.width).u8(delta.full ? 1 : 0);
  for (const keys of [delta.removed, delta.keys]) {
    writer.uint(keys.length);
    for (const key of keys) writer.string(key);
  }
  writeArray(writer, delta.values);
  return writer.toBytes();
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
