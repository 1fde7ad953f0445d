/** The compressions of record batches. All are read; which one is written is an option of the log. */

import { Buffer } from "node:buffer";
import { constants, gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import snappy from "kafkajs-snappy";
import { compressFrameSync, decompressFrameSync } from "lz4-napi";
import { mostUnpacked } from "../../../../src/codec/lz4_frame.ts";
import { unpackSnappy } from "../../../../src/codec/snappy.ts";

/** Compressions of record batches, each at the index that is its number in Kafka. */
export const COMPRESSIONS = ["none", "gzip", "snappy", "lz4", "zstd"] as const;

/** One of {@linkcode COMPRESSIONS}. */
export type Compression = (typeof COMPRESSIONS)[number];

/** How to compress: `auto` uses lz4 for small batches and zstd for others. */
export type CompressionChoice = Compression | "auto";

/**
 * Batch size from which zstd is worth its fixed cost of 70 µs to pack a batch and 35 µs to unpack it; lz4 has almost
 * none.
 */
const LARGE_BYTES = 8192;

/** The compression for a batch of `bytes` bytes. */
export function compressionFor(choice: CompressionChoice, bytes: number): Compression {
  if (choice !== "auto") return choice;
  return bytes < LARGE_BYTES ? "lz4" : "zstd";
}

/** Room for a compressed batch to be larger than the plain one. */
const SPARE_BYTES = 256;
/** Expected plain bytes per compressed byte; with more, the output takes several chunks. */
const USUAL_RATIO = 4;
const MIN_CHUNK = 1024;
const MAX_CHUNK = 65_536;
/** Level of zstd: 3, the default, takes 1.4 to 2 times as long, for 3 % fewer bytes of states and 5 % of samples. */
const ZSTD = { params: { [constants.ZSTD_c_compressionLevel]: 1 } };
/** Maximum size of an unpacked batch: a megabyte of gzip can hold a gigabyte. */
const MAX_UNPACKED_BYTES = 256 << 20;

type Transform = (bytes: Uint8Array) => Uint8Array | Promise<Uint8Array>;

/** Compresses the records of a batch. */
export const COMPRESS: Readonly<Record<Compression, Transform>> = {
  none: (bytes) => bytes,
  gzip: (bytes) => gzipSync(bytes, chunkFor(bytes.length + SPARE_BYTES)),
  snappy: (bytes) => snappy().compress({ buffer: buffer(bytes) }),
  lz4: (bytes) => compressFrameSync(buffer(bytes)),
  zstd: (bytes) => zstdCompressSync(bytes, { ...ZSTD, ...chunkFor(bytes.length + SPARE_BYTES) }),
};

/** Undoes {@linkcode COMPRESS}. Throws when the bytes are damaged or unpack to too many bytes. */
export const DECOMPRESS: Readonly<Record<Compression, Transform>> = {
  none: (bytes) => bytes,
  gzip: (bytes) => tight(gunzipSync(bytes, unpackedOf(bytes))),
  snappy: (bytes) => unpackSnappy(bytes, MAX_UNPACKED_BYTES),
  lz4: unpackLz4,
  zstd: (bytes) => tight(zstdDecompressSync(bytes, unpackedOf(bytes))),
};

/** The package has no limit of its own. */
function unpackLz4(bytes: Uint8Array): Uint8Array {
  const most = mostUnpacked(bytes);
  if (most > MAX_UNPACKED_BYTES) throw new RangeError(`${bytes.length} bytes may unpack to ${most}`);
  return decompressFrameSync(buffer(bytes));
}

function unpackedOf(bytes: Uint8Array): { readonly chunkSize: number; readonly maxOutputLength: number } {
  return { ...chunkFor(USUAL_RATIO * bytes.length), maxOutputLength: MAX_UNPACKED_BYTES };
}

/** Room for the output: most batches are small, and the default of 16 KiB is too much for one event and too little for states. */
function chunkFor(bytes: number): { readonly chunkSize: number } {
  return { chunkSize: Math.min(MAX_CHUNK, Math.max(MIN_CHUNK, bytes)) };
}

/** The bytes in a buffer of about their size, because records are views of it and may be kept for a long time. */
function tight(bytes: Uint8Array): Uint8Array {
  return bytes.buffer.byteLength > 2 * bytes.length ? new Uint8Array(bytes) : bytes;
}

function buffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
