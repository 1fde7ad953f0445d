/**
 * Records in a file of a backup, with their offsets.
 *
 * ```text
 * file    "mndrrec1", frame *
 * frame   length uint32 little-endian, then: offset uint, time f64, key, JSON of the headers, has a value u8, value
 * ```
 * The manifest contains the checksum of the whole file.
 *
 * @module
 */

import { ByteReader } from "../../src/codec/byte_reader.ts";
import { ByteWriter } from "../../src/codec/byte_writer.ts";
import type { LogRecord } from "../log/log.ts";

const MAGIC = new TextEncoder().encode("mndrrec1");
const BUFFER_BYTES = 1 << 20;
const LENGTH_BYTES = 4;
const NO_HEADERS: Readonly<Record<string, string>> = Object.freeze({});

export class RecordFile implements AsyncDisposable {
  readonly #file: Deno.FsFile;
  #parts: Uint8Array[] = [MAGIC];
  #bytes = MAGIC.length;

  private constructor(file: Deno.FsFile) {
    this.#file = file;
  }

  static async create(path: string): Promise<RecordFile> {
    return new RecordFile(await Deno.open(path, { write: true, createNew: true }));
  }

  async append(records: readonly LogRecord[]): Promise<void> {
    for (const { offset, time, key, headers, value } of records) {
      const writer = new ByteWriter().uint(offset).f64(time).optionalString(key);
      const hasHeaders = Object.keys(headers).length > 0;
      writer.string(hasHeaders ? JSON.stringify(headers) : "").u8(value === null ? 0 : 1);
      if (value !== null) writer.bytes(value);
      const body = writer.toBytes();
      const frame = new Uint8Array(LENGTH_BYTES + body.length);
      new DataView(frame.buffer).setUint32(0, body.length, true);
      frame.set(body, LENGTH_BYTES);
      this.#parts.push(frame);
      this.#bytes += frame.length;
    }
    if (this.#bytes >= BUFFER_BYTES) await this.flush();
  }

  /** Writes the buffered records. */
  async flush(): Promise<void> {
    const bytes = new Uint8Array(this.#bytes);
    let at = 0;
    for (const part of this.#parts) {
      bytes.set(part, at);
      at += part.length;
    }
    this.#parts = [];
    this.#bytes = 0;
    for (let done = 0; done < bytes.length;) done += await this.#file.write(bytes.subarray(done));
  }

  /** Closes the file; unflushed records are lost. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#file.close();
    return Promise.resolve();
  }
}

/** Reads the records of a file, whose checksum was verified. @throws SyntaxError when it is invalid */
export async function* readRecords(
  path: string,
  { topic, partition }: { readonly topic: string; readonly partition: number },
): AsyncGenerator<LogRecord> {
  using file = await Deno.open(path);
  let held = new Uint8Array(0);
  const fill = async (wanted: number): Promise<boolean> => {
    while (held.length < wanted) {
      const chunk = new Uint8Array(Math.max(BUFFER_BYTES, wanted - held.length));
      const read = await file.read(chunk);
      if (read === null) return false;
      const joined = new Uint8Array(held.length + read);
      joined.set(held);
      joined.set(chunk.subarray(0, read), held.length);
      held = joined;
    }
    return true;
  };
  const refuse = () =>
    new SyntaxError(`Cannot read ${path} as records of a backup: it is damaged, or of a newer format`);
  if (!await fill(MAGIC.length) || MAGIC.some((byte, i) => held[i] !== byte)) throw refuse();
  let at = MAGIC.length;
  for (;;) {
    if (held.length - at < LENGTH_BYTES) {
      held = held.slice(at);
      at = 0;
      if (!await fill(LENGTH_BYTES)) {
        if (held.length > 0) throw refuse();
        return;
      }
    }
    const length = new DataView(held.buffer, held.byteOffset + at).getUint32(0, true);
    if (held.length - at < LENGTH_BYTES + length) {
      held = held.slice(at);
      at = 0;
      if (!await fill(LENGTH_BYTES + length)) throw refuse();
    }
    const from = new ByteReader(held.slice(at + LENGTH_BYTES, at + LENGTH_BYTES + length));
    at += LENGTH_BYTES + length;
    const [offset, time, key, headers] = [from.uint(), from.f64(), from.optionalString(), from.string()];
    const value = from.u8() === 0 ? null : from.bytes();
    yield {
      topic,
      partition,
      offset,
      time,
      key,
      value,
      headers: headers === "" ? NO_HEADERS : JSON.parse(headers),
    };
  }
}
