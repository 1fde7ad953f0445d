/**
 * Lines as chunks of bytes.
 *
 * @module
 */

import { gzipSync } from "node:zlib";

/** Bytes of a chunk, about; in memory are one and its compressed form. */
const CHUNK_BYTES = 4 << 20;
const encoder = new TextEncoder();

/** Joins lines to chunks, each a whole number of lines. */
export async function* chunksOf(
  lines: AsyncIterable<string>,
  isGzipped: boolean,
): AsyncGenerator<Uint8Array> {
  let held: string[] = [];
  let size = 0;
  // A chunk is a member of its own: members one after the other are a gzip file.
  const take = () => {
    const bytes = encoder.encode(held.join(""));
    [held, size] = [[], 0];
    return isGzipped ? new Uint8Array(gzipSync(bytes)) : bytes;
  };
  for await (const line of lines) {
    held.push(line, "\n");
    size += line.length + 1;
    if (size >= CHUNK_BYTES) yield take();
  }
  if (size > 0) yield take();
}
