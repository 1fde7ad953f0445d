/**
 * Avro's object container files: a schema, then blocks of values that may be compressed.
 *
 * Memory holds one block at a time. Damage costs its block only: the marker after each leads to the next.
 *
 * Source: Apache Avro 1.12 specification, object container files.
 */

import { crc32, inflateRawSync, zstdDecompressSync } from "node:zlib";
import type { ParsedJson } from "../../src/events/json.ts";
import { MAX_RECORD_BYTES } from "../../src/events/limits.ts";
import { reject, type Rejected } from "../../src/events/rejected.ts";
import { joined } from "../../src/codec/joined.ts";
import { unpackSnappy } from "../../src/codec/snappy.ts";
import { reasonOf } from "../../src/values/reason.ts";
import { AvroInput, compileAvroReader, type ReadAvro } from "./avro.ts";
import { DecodeError, latin1 } from "./byte_input.ts";
import { decoded } from "./decoded.ts";

/** A value of a file, or an unreadable part. */
export interface AvroFileValue {
  /** Its number, from 1; unreadable parts count, too. */
  readonly number: number;
  readonly read: ParsedJson;
  /** Its bytes; of a damaged block, or of a file that is not Avro, possibly only the first. */
  readonly bytes: Uint8Array;
}

/** Most bytes of a block, packed or unpacked; writers make blocks of 16 KiB to a few MiB. */
const MAX_BLOCK_BYTES = 64 << 20;
const MAX_HEAD_BYTES = 1 << 20;
const MAGIC = "Obj\x01";
const MARKER_BYTES = 16;
/** Most bytes of a damaged block that are reported. */
const SHOWN_BYTES = 1024;
/** Two numbers of ten bytes. */
const COUNTS_BYTES = 20;

const CODECS: Readonly<Record<string, (packed: Uint8Array) => Uint8Array>> = {
  null: (packed) => packed,
  deflate: (packed) => inflateRawSync(packed, { maxOutputLength: MAX_BLOCK_BYTES }),
  snappy: unpackChecked,
  zstandard: (packed) => zstdDecompressSync(packed, { maxOutputLength: MAX_BLOCK_BYTES }),
};

const readMetadata = compileAvroReader({ type: "map", values: "bytes" });

/**
 * Reads the values of a file, in order.
 *
 * @param chunks its bytes
 */
export async function* readAvroFile(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<AvroFileValue> {
  await using source = new Chunks(chunks);
  let number = 0;
  for await (const own of entriesOf(source)) yield { number: ++number, ...own };
}

type Entry = Omit<AvroFileValue, "number">;

async function* entriesOf(source: Chunks): AsyncGenerator<Entry> {
  const head = headOf(await source.atLeast(MAX_HEAD_BYTES));
  if ("ok" in head) {
    yield { read: head, bytes: source.bytes };
    return;
  }
  source.drop(head.size);
  while ((await source.atLeast(COUNTS_BYTES)).length > 0) {
    const block = await nextBlock(source, head.marker);
    if ("read" in block) {
      yield block;
      if (!await skipTo(source, head.marker)) return;
      continue;
    }
    let data: Uint8Array;
    try {
      data = head.unpack(block.packed);
    } catch (error) {
      const reason = `a block of ${block.count} records: ${reasonOf(error)}`;
      yield { read: wrong(reason), bytes: block.packed };
      continue;
    }
    yield* valuesIn(data, block.count, head.read);
  }
}

function wrong(reason: string, code: Rejected["code"] = "undecodable"): Rejected {
  return reject(code, `Cannot read the file as Avro: ${reason}`);
}

interface Head {
  /** Its size, bytes. */
  readonly size: number;
  readonly read: ReadAvro;
  readonly unpack: (packed: Uint8Array) => Uint8Array;
  /** The bytes after each block. */
  readonly marker: Uint8Array;
}

function headOf(bytes: Uint8Array): Head | Rejected {
  if (latin1(bytes.subarray(0, MAGIC.length)) !== MAGIC) {
    return wrong('it does not begin with "Obj" and a 1');
  }
  try {
    const input = new AvroInput(bytes.subarray(0, MAX_HEAD_BYTES));
    input.take(MAGIC.length);
    const metadata = readMetadata(input) as Readonly<Record<string, string>>; // a map of bytes as latin1
    const codec = metadata["avro.codec"] ?? "null";
    const unpack = Object.hasOwn(CODECS, codec) ? CODECS[codec] : undefined;
    if (unpack === undefined) {
      const wanted = Object.keys(CODECS).join(", ");
      return wrong(`its codec is ${codec.slice(0, 40)}; supported are ${wanted}`);
    }
    const schema = new TextDecoder().decode(
      Uint8Array.from(metadata["avro.schema"] ?? "", (char) => char.charCodeAt(0)),
    );
    const start = input.take(MARKER_BYTES);
    return {
      size: input.at,
      read: compileAvroReader(JSON.parse(schema)),
      unpack,
      marker: bytes.slice(start, input.at),
    };
  } catch (error) { // also of an invalid schema, of whatever kind
    return wrong(reasonOf(error), error instanceof DecodeError ? "undecodable" : "unknown-schema");
  }
}

interface Block {
  readonly count: number;
  readonly packed: Uint8Array;
}

/** Reads a block; a broken one stays in the source. */
async function nextBlock(source: Chunks, marker: Uint8Array): Promise<Block | Entry> {
  let count: number, size: number, start: number;
  try {
    const input = new AvroInput(source.bytes.subarray(0, COUNTS_BYTES));
    [count, size, start] = [input.size(), input.size(), input.at];
    if (count < 0 || size < 0 || size > MAX_BLOCK_BYTES) {
      throw new DecodeError(`a block of ${count} records and ${size} bytes`);
    }
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    return { read: wrong(error.message), bytes: source.bytes.slice(0, COUNTS_BYTES) };
  }
  const whole = start + size + MARKER_BYTES;
  const bytes = await source.atLeast(whole);
  if (bytes.length < whole) {
    return { read: wrong(`it ends within a block of ${count} records`), bytes: bytes.slice(0, SHOWN_BYTES) };
  }
  if (!marker.every((byte, i) => bytes[start + size + i] === byte)) {
    return {
      read: wrong(`no marker follows a block of ${count} records`),
      bytes: bytes.slice(0, Math.min(whole, SHOWN_BYTES)),
    };
  }
  const packed = bytes.slice(start, start + size);
  source.drop(whole);
  return { count, packed };
}

/** Skips to the end of the next marker. @returns whether there is one */
async function skipTo(source: Chunks, marker: Uint8Array): Promise<boolean> {
  const text = latin1(marker);
  for (let bytes = await source.atLeast(1 << 16); bytes.length >= MARKER_BYTES;) {
    const part = bytes.subarray(0, 1 << 12); // little at a time: there may be as many wrong blocks as markers
    const at = latin1(part).indexOf(text);
    source.drop(at < 0 ? part.length - MARKER_BYTES + 1 : at + MARKER_BYTES);
    if (at >= 0) return true;
    bytes = await source.atLeast(1 << 16);
  }
  return false;
}

function* valuesIn(
  data: Uint8Array,
  count: number,
  read: ReadAvro,
): Generator<Entry> {
  let at = 0;
  const rest = (reason: string) => ({
    bytes: data.subarray(at),
    read: reject("undecodable", `Cannot decode the record as Avro: ${reason}`),
  });
  for (let i = 0; i < count; i++) {
    if (at === data.length) { // a record has at least one byte
      yield rest(`its block has ${i} records, not ${count}`);
      return;
    }
    const start = at;
    const input = new AvroInput(data);
    input.at = start;
    const parsed = decoded(() => read(input), data, "Avro");
    const isWhole = parsed.ok || parsed.code !== "undecodable";
    if (!isWhole) {
      yield { ...rest(""), read: parsed }; // where the next one begins is unknown
      return;
    }
    at = input.at;
    if (at === start) {
      yield rest("it has no bytes, and such records would never end");
      return;
    }
    const bytes = data.subarray(start, at);
    const reason = `Cannot decode the record: it has ${bytes.length} bytes, ${MAX_RECORD_BYTES} are allowed`;
    yield { bytes, read: bytes.length > MAX_RECORD_BYTES ? reject("too-large", reason) : parsed };
  }
  if (at < data.length) yield rest(`${data.length - at} bytes are left after the records of its block`);
}

/** Unpacks Snappy followed by a checksum. @throws Error when it is damaged */
function unpackChecked(packed: Uint8Array): Uint8Array {
  const size = packed.length - 4;
  if (size < 0) throw new RangeError("it has no checksum");
  const data = unpackSnappy(packed.subarray(0, size), MAX_BLOCK_BYTES);
  const wanted = new DataView(packed.buffer, packed.byteOffset, packed.length).getUint32(size);
  if (crc32(data) !== wanted) throw new RangeError("its checksum is wrong");
  return data;
}

/** Bytes that arrive in chunks, the first of which are buffered. */
class Chunks implements AsyncDisposable {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #bytes: Uint8Array = new Uint8Array(0);

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  /** The buffered bytes. */
  get bytes(): Uint8Array {
    return this.#bytes;
  }

  /** Buffers at least this many bytes, or all that remain. @returns the buffered bytes */
  async atLeast(size: number): Promise<Uint8Array> {
    const parts = [this.#bytes];
    let all = this.#bytes.length;
    while (all < size) {
      const next = await this.#chunks.next();
      if (next.done) break;
      parts.push(next.value);
      all += next.value.length;
    }
    if (parts.length > 1) this.#bytes = joined(parts);
    return this.#bytes;
  }

  /** Stops reading. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#chunks.return?.();
  }

  /** Drops the first bytes. */
  drop(size: number): void {
    this.#bytes = this.#bytes.subarray(size);
  }
}
