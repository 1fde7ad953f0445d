/**
 * A large value as several records of a compacted topic, written in one commit: keys `<key>/0`, `<key>/1`, ...,
 * each value a chunk. The first chunk starts with the number of chunks and the checksum of the whole.
 */

import { crc32 } from "node:zlib";
import { ByteReader } from "../../src/codec/byte_reader.ts";
import { ByteWriter } from "../../src/codec/byte_writer.ts";
import { joined } from "../../src/codec/joined.ts";
import { reasonOf } from "../../src/values/reason.ts";
import { type Log, LogError, type NewRecord } from "../log/log.ts";
import { readAll } from "../log/reading.ts";

const CHUNK_BYTES = 512 * 1024;

/**
 * The records that hold `value` under `key` in partition 0 of `topic`.
 *
 * @param before number of chunks of the value that it replaces; those beyond the new number are deleted
 */
export function chunkRecords(
  topic: string,
  key: string,
  value: Uint8Array,
  time: number,
  before = 0,
): NewRecord[] {
  const count = Math.max(1, Math.ceil(value.length / CHUNK_BYTES));
  const head = new ByteWriter().uint(count).uint(crc32(value)).toBytes();
  return Array.from({ length: Math.max(count, before) }, (_, at) => {
    if (at >= count) return { topic, partition: 0, key: `${key}/${at}`, value: null, time };
    const part = value.subarray(at * CHUNK_BYTES, (at + 1) * CHUNK_BYTES);
    const bytes = at === 0 ? new ByteWriter(part.length + 32).bytes(head).bytes(part).toBytes() : part;
    return { topic, partition: 0, key: `${key}/${at}`, value: bytes, time };
  });
}

/**
 * The newest value under `key`, or `null`.
 *
 * @param tell receives how many chunks are on the log, including leftovers of a longer earlier value
 * @throws LogError `corrupt` when chunks are missing or the checksum is wrong.
 */
export async function readChunks(
  log: Pick<Log, "bounds" | "read">,
  topic: string,
  key: string,
  tell: (chunks: number) => void = () => {},
): Promise<Uint8Array | null> {
  const chunks = new Map<string, Uint8Array>();
  let offset = -1;
  for await (const record of readAll(log, topic, 0)) {
    if (!record.key?.startsWith(`${key}/`)) continue;
    offset = record.offset;
    if (record.value !== null) chunks.set(record.key, record.value);
    else chunks.delete(record.key);
  }
  const places = [...chunks.keys()].map((own) => Number(own.slice(key.length + 1)) + 1);
  tell(Math.max(0, ...places.filter(Number.isInteger)));
  const first = chunks.get(`${key}/0`);
  if (first === undefined) return null;
  const { count, checksum, part } = readFirst(first, topic, key, offset);
  const parts = [part];
  for (let at = 1; at < count; at++) {
    const chunk = chunks.get(`${key}/${at}`);
    if (chunk === undefined) {
      throw damagedValue(topic, key, `chunk ${at} of ${count} is missing`, offset);
    }
    parts.push(chunk);
  }
  const value = joined(parts);
  if (crc32(value) !== checksum) {
    throw damagedValue(topic, key, `the checksum of its ${count} chunks is wrong`, offset);
  }
  return value;
}

/**
 * The error for a value that cannot be read.
 *
 * @param cause what is wrong with it
 * @param offset of its newest record
 */
export function damagedValue(topic: string, key: string, cause: unknown, offset?: number): LogError {
  const place = offset === undefined ? `${topic}/0` : `${topic}/0@${offset}`;
  const reason = reasonOf(cause);
  return new LogError(
    "corrupt",
    `Cannot read ${key} of ${place}: ${reason}; run the release that wrote it, restore ${topic} from a copy, or append ` +
      `a record with the key "${key}/0" and no value: ${key} then starts from scratch`,
    { cause },
  );
}

function readFirst(bytes: Uint8Array, topic: string, key: string, offset?: number) {
  try {
    const outer = new ByteReader(bytes);
    const head = new ByteReader(outer.bytes());
    return { count: head.uint(), checksum: head.uint(), part: outer.bytes() };
  } catch (cause) {
    throw damagedValue(topic, key, new SyntaxError("its first chunk is damaged", { cause }), offset);
  }
}
