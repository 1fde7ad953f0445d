/**
 * A large value as several records of a compacted topic, written in one commit: keys `<key>/0`, `<key>/1`, ...,
 * each value a chunk. The first chunk starts with the number of chunks and the checksum of the whole.
 *
 * @module
 */

import { crc32 } from "node:zlib";
import { ByteReader } from "../src/codec/byte_reader.ts";
import { ByteWriter } from "../src/codec/byte_writer.ts";
import { type Log, LogError, type NewRecord } from "./log/log.ts";
import { readAll } from "./log/read_all.ts";

const CHUNK_BYTES = 512 * 1024;

/** The records that hold `value` under `key` in partition 0 of `topic`. */
export function chunkRecords(topic: string, key: string, value: Uint8Array, time: number): NewRecord[] {
  const count = Math.max(1, Math.ceil(value.length / CHUNK_BYTES));
  const head = new ByteWriter().uint(count).uint(crc32(value)).toBytes();
  return Array.from({ length: count }, (_, at) => {
    const part = value.subarray(at * CHUNK_BYTES, (at + 1) * CHUNK_BYTES);
    const bytes = at === 0 ? new ByteWriter(part.length + 32).bytes(head).bytes(part).toBytes() : part;
    return { topic, partition: 0, key: `${key}/${at}`, value: bytes, time };
  });
}

/**
 * The newest value under `key`, or `null`.
 *
 * @throws LogError `corrupt` when chunks are missing or the checksum is wrong.
 */
export async function readChunks(
  log: Pick<Log, "bounds" | "read">,
  topic: string,
  key: string,
): Promise<Uint8Array | null> {
  const chunks = new Map<string, Uint8Array>();
  for await (const record of readAll(log, topic, 0)) {
    if (record.key?.startsWith(`${key}/`) && record.value !== null) chunks.set(record.key, record.value);
  }
  const first = chunks.get(`${key}/0`);
  if (first === undefined) return null;
  const { count, checksum, part } = readFirst(first, topic, key);
  const parts = [part];
  for (let at = 1; at < count; at++) {
    const chunk = chunks.get(`${key}/${at}`);
    if (chunk === undefined) {
      throw new LogError("corrupt", `Cannot read ${key} of ${topic}: chunk ${at} of ${count} is missing`);
    }
    parts.push(chunk);
  }
  const value = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    value.set(part, offset);
    offset += part.length;
  }
  if (crc32(value) !== checksum) {
    throw new LogError(
      "corrupt",
      `Cannot read ${key} of ${topic}: the checksum of its ${count} chunks is wrong`,
    );
  }
  return value;
}

/** How the newest value under `key` begins; `null` when there is none, or the log has no index of keys. */
export async function readBeginning(
  log: Pick<Log, "latest">,
  topic: string,
  key: string,
): Promise<Uint8Array | null> {
  const value = (await log.latest?.(topic, 0, `${key}/0`))?.value ?? null;
  return value === null ? null : readFirst(value, topic, key).part;
}

function readFirst(bytes: Uint8Array, topic: string, key: string) {
  try {
    const outer = new ByteReader(bytes);
    const head = new ByteReader(outer.bytes());
    return { count: head.uint(), checksum: head.uint(), part: outer.bytes() };
  } catch (cause) {
    throw new LogError("corrupt", `Cannot read ${key} of ${topic}: its first chunk is damaged`, { cause });
  }
}
