/**
 * The compressions of record batches. All four are read; which one is written is an option of the log.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import snappy from "kafkajs-snappy";
import { compressFrameSync, decompressFrameSync } from "lz4-napi";

/** How record batches may be compressed. Their places are Kafka's numbers. */
export const COMPRESSIONS = ["none", "gzip", "snappy", "lz4", "zstd"] as const;

/** One of {@linkcode COMPRESSIONS}. */
export type Compression = (typeof COMPRESSIONS)[number];

type Transform = (bytes: Uint8Array) => Uint8Array | Promise<Uint8Array>;

/** Compresses the records of a batch. */
export const COMPRESS: Readonly<Record<Compression, Transform>> = {
  none: (bytes) => bytes,
  gzip: (bytes) => gzipSync(bytes),
  snappy: (bytes) => snappy().compress({ buffer: buffer(bytes) }),
  lz4: (bytes) => compressFrameSync(buffer(bytes)),
  zstd: (bytes) => zstdCompressSync(bytes),
};

/** Undoes {@linkcode COMPRESS}. */
export const DECOMPRESS: Readonly<Record<Compression, Transform>> = {
  none: (bytes) => bytes,
  gzip: (bytes) => gunzipSync(bytes),
  snappy: (bytes) => snappy().decompress(buffer(bytes)),
  lz4: (bytes) => decompressFrameSync(buffer(bytes)),
  zstd: (bytes) => zstdDecompressSync(bytes),
};

function buffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
