/**
 * What a learner publishes of an embedding table: rows by key, without optimiser state.
 *
 * Record `embedding-delta`, version 1:
 *
 *     name, width, full (1 byte), removed [n, keys…], upserts [n, keys…], values [1 + n, width] float32
 *
 * The first row of `values` is shared by ids without a row of their own. A full delta is the whole table, with keys in
 * ascending order, so equal content gives equal bytes. Any other delta applies on top of its predecessor, removals
 * first.
 */

import type { ByteReader } from "../codec/byte_reader.ts";
import type { ByteWriter } from "../codec/byte_writer.ts";
import { endRecord, openRecord, startRecord, writeArray } from "../codec/record.ts";

const NAME = "embedding-delta";
const VERSION = 1;

/** A decoded delta, or one to be encoded. @typeParam Keys how it holds its keys */
export interface EmbeddingDelta<Keys> {
  readonly name: string;
  /** Length of a row. */
  readonly width: number;
  /** Whether it replaces the whole table. */
  readonly full: boolean;
  /** Removed keys; empty if full. */
  readonly removed: Keys;
  /** Keys with new values, one for each row of `values` after the first. */
  readonly keys: Keys;
  /** [1 + keys, width]. */
  readonly values: Float32Array;
}

/**
 * Keys as UTF-8, left in place in the record: a delta has thousands that are looked up once, and strings for them would
 * be a sixth of a server's garbage.
 */
export interface RawKeys {
  readonly length: number;
  /** [start, end) of each key in the record. */
  readonly places: Uint32Array;
}

export interface WrittenKeys {
  readonly length: number;
  /** Appends each with its length, in UTF-8. */
  write(to: ByteWriter): void;
}

/** Bytes reserved per key; records with longer keys grow while they are written. */
const KEY_BYTES = 24;

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

export function writtenKeys(keys: readonly string[]): WrittenKeys {
  return {
    length: keys.length,
    write: (to) => {
      for (const key of keys) to.string(key);
    },
  };
}

/**
 * Decodes a whole delta, so that a broken one is rejected before any of it is applied. Its keys stay in `bytes`.
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
