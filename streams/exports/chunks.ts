/** Lines as chunks of bytes. */

import { gzipSync } from "node:zlib";

/** Approximate size of a chunk, bytes; memory holds one and its compressed form. */
const CHUNK_BYTES = 4 << 20;
const encoder = new TextEncoder();

/** Joins lines into chunks, each a whole number of lines. */
export async function* chunksOf(
  lines: AsyncIterable<string>,
  isGzipped: boolean,
): AsyncGenerator<Uint8Array> {
  let held: string[] = [];
  let size = 0;
  // Each chunk is a gzip member of its own: concatenated members are a gzip file.
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
