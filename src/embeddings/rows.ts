import type { ByteReader } from "../codec/byte_reader.ts";
import type { ByteWriter } from "../codec/byte_writer.ts";
import { readArray, writeArray } from "../codec/record.ts";

/** The row of padding: zeros, never trained. */
export const PADDING_ROW = 0;
/** The row shared by all ids without their own; trained like any other. */
export const UNKNOWN_ROW = 1;
/** Tables grow by whole chunks of this many rows, so growing copies nothing. */
export const ROWS_PER_CHUNK = 512;
/** `row >> CHUNK_BITS` is the chunk of a row. */
export const CHUNK_BITS = 9;
/** `row & CHUNK_MASK` is its place in the chunk. */
export const CHUNK_MASK = ROWS_PER_CHUNK - 1;

/** The columns of {@linkcode ROWS_PER_CHUNK} rows of a trained table. */
export interface RowChunk {
  /** [rows, width]. */
  readonly values: Float32Array;
  /** Adagrad accumulator G [rows]. */
  readonly accumulators: Float32Array;
  /** Newest event time at which the id was used [rows], milliseconds since the epoch. */
  readonly lastUse: Float64Array;
  /** How often the id was used since it got the row [rows]. */
  readonly uses: Uint32Array;
  /** 1 + place of the row's summed gradient in this step, 0 = untouched [rows]. */
  readonly pending: Uint32Array;
  /** 1 = changed since the last publication [rows]. */
  readonly changed: Uint8Array;
}

export function chunkBytes(width: number): number {
  return ROWS_PER_CHUNK * (4 * width + 4 + 8 + 4 + 4 + 1);
}

/** A chunk of zeros. */
export function newChunk(width: number): RowChunk {
  return {
    values: new Float32Array(ROWS_PER_CHUNK * width),
    accumulators: new Float32Array(ROWS_PER_CHUNK),
    lastUse: new Float64Array(ROWS_PER_CHUNK),
    uses: new Uint32Array(ROWS_PER_CHUNK),
    pending: new Uint32Array(ROWS_PER_CHUNK),
    changed: new Uint8Array(ROWS_PER_CHUNK),
  };
}

/** Appends a chunk as it lies in memory, without pending gradients. */
export function encodeChunk(writer: ByteWriter, chunk: RowChunk): void {
  const { values, accumulators, lastUse, uses, changed } = chunk;
  for (const column of [values, accumulators, lastUse, uses, changed]) writeArray(writer, column);
}

export function decodeChunk(reader: ByteReader, width: number): RowChunk {
  const chunk = newChunk(width);
  const { values, accumulators, lastUse, uses, changed } = chunk;
  for (const column of [values, accumulators, lastUse, uses, changed]) readArray(reader, column);
  return chunk;
}
