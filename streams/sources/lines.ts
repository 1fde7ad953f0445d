/** Reads numbered lines of bounded size as bytes, from plain or gzipped files, in constant memory. */

import { pipeline, Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import { joined } from "../../src/codec/joined.ts";
import { rejectLarge } from "../../src/events/json.ts";
import { reject, type Rejected } from "../../src/events/rejected.ts";
import { MAX_REJECTED_BYTES } from "../../src/events/rejection.ts";
import { MAX_RECORD_BYTES } from "../../src/events/limits.ts";
import { reasonOf } from "../../src/values/reason.ts";

/** A non-blank line, without its terminator. */
export interface Line {
  /** Number of the line from 1; blank lines count. */
  readonly number: number;
  /** The bytes of the line; a rejected line may be truncated. */
  readonly bytes: Uint8Array;
  /** Size of the whole line in bytes. */
  readonly size: number;
  /** Why it cannot be used: it is too large, or the file is truncated here. */
  readonly rejected?: Rejected;
}

const LF = 0x0a, CR = 0x0d, SPACE = 0x20, TAB = 0x09;

/**
 * Splits chunks of bytes into lines. The chunking makes no difference.
 *
 * Lines end with LF or CR LF; the last one may end with neither. Blank lines and a leading byte order mark are dropped.
 * A line of more than {@linkcode MAX_RECORD_BYTES} is rejected, and only its beginning is kept in memory.
 */
export class LineSplitter {
  readonly #maxLines: number;
  readonly #held = new HeldBytes();
  #number = 1;
  #cut = 0;

  /** @param maxLines Stops splitting after one line more than this, so that the caller can tell that there are more. */
  constructor(maxLines: number = Infinity) {
    this.#maxLines = maxLines;
  }

  /** Returns the lines completed by this chunk. They may be views of it: do not write to it afterwards. */
  push(chunk: Uint8Array): Line[] {
    const lines: Line[] = [];
    let start = this.#held.isEmpty ? this.#skipBlank(chunk, 0) : 0;
    for (let end = chunk.indexOf(LF, start); end >= 0; end = chunk.indexOf(LF, start)) {
      this.#held.push(chunk.subarray(start, end));
      this.#finish(lines);
      if (this.#cut > this.#maxLines) return lines;
      start = this.#skipBlank(chunk, end + 1);
    }
    this.#held.push(chunk.subarray(start));
    return lines;
  }

  /**
   * Returns the last line when it is not terminated; a `rejected` means that the file was truncated in or before it.
   */
  end(rejected?: Rejected): Line[] {
    const lines: Line[] = [];
    this.#finish(lines, rejected);
    return lines;
  }

  /**
   * Index, from `start` on, of the first line that is not blank or not complete: millions of blank lines are cheap to
   * skip.
   */
  #skipBlank(chunk: Uint8Array, start: number): number {
    for (let at = start; at < chunk.length; at++) {
      const byte = chunk[at];
      if (byte === LF) {
        this.#number++;
        start = at + 1;
      } else if (byte !== SPACE && byte !== TAB && (byte !== CR || chunk[at + 1] !== LF)) {
        return start;
      }
    }
    return start;
  }

  #finish(lines: Line[], rejected?: Rejected): void {
    if (this.#cut > this.#maxLines) return;
    const before = lines.length;
    this.#add(lines, rejected);
    this.#cut += lines.length - before;
  }

  #add(lines: Line[], rejected?: Rejected): void {
    const number = this.#number++;
    let { bytes, size } = this.#held.take();
    if (bytes.length === size && bytes[size - 1] === CR) bytes = bytes.subarray(0, --size);
    if (number === 1 && bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) {
      bytes = bytes.subarray(3);
      size -= 3;
    }
    if (rejected !== undefined) lines.push({ number, bytes, size, rejected });
    else if (size > MAX_RECORD_BYTES) {
      lines.push({ number, bytes, size, rejected: rejectLarge(size, "line") });
    } else if (!isBlank(bytes)) lines.push({ number, bytes, size });
  }
}

/**
 * Collects a record that arrives in parts: all of it up to {@linkcode MAX_RECORD_BYTES}, beyond that only its
 * beginning.
 */
export class HeldBytes {
  #parts: Uint8Array[] = [];
  #held = 0;
  #size = 0;

  /** Adds a part, which is kept as a view. */
  push(part: Uint8Array): void {
    if (part.length === 0) return;
    this.#size += part.length;
    if (this.#size <= MAX_RECORD_BYTES + 1) { // one more for a CR
      this.#parts.push(part);
      this.#held += part.length;
    } else if (this.#held < MAX_REJECTED_BYTES) {
      this.#parts.push(new Uint8Array(part.subarray(0, MAX_REJECTED_BYTES - this.#held)));
      this.#held = Math.min(this.#held + part.length, MAX_REJECTED_BYTES);
    } else if (this.#held > MAX_REJECTED_BYTES) {
      this.#parts = [new Uint8Array(this.#joined().subarray(0, MAX_REJECTED_BYTES))];
      this.#held = MAX_REJECTED_BYTES;
    }
  }

  /** Whether nothing was added since the last record. */
  get isEmpty(): boolean {
    return this.#size === 0;
  }

  /** Returns the collected bytes and the total size, and starts a new record. */
  take(): { readonly bytes: Uint8Array; readonly size: number } {
    const whole = { bytes: this.#joined(), size: this.#size };
    this.#parts = [];
    this.#held = 0;
    this.#size = 0;
    return whole;
  }

  #joined(): Uint8Array {
    const [first] = this.#parts;
    if (first !== undefined && this.#parts.length === 1) return first;
    return joined(this.#parts);
  }
}

function isBlank(bytes: Uint8Array): boolean {
  for (const byte of bytes) if (byte !== SPACE && byte !== TAB) return false;
  return true;
}

/** Splits the chunks of a file into records. */
export interface Splitter {
  /** Returns the records completed by this chunk; they may be views of it. */
  push(chunk: Uint8Array): readonly Line[];
  /** Returns the remaining record at the end; a `rejected` means that the file was truncated. */
  end(rejected?: Rejected): readonly Line[];
}

/**
 * Reads the lines of a file, a few hundred at a time; a file whose name ends with `.gz` is decompressed.
 *
 * A truncated or corrupt gzip file ends with a rejected line that says so.
 *
 * @param splitter used when the records are not lines
 * @throws Deno.errors.NotFound, or another error of reading the file
 */
export async function* readLines(
  path: string,
  signal?: AbortSignal,
  splitter: Splitter = new LineSplitter(),
): AsyncGenerator<readonly Line[]> {
  const gzipped = path.endsWith(".gz");
  const file = (await Deno.open(path)).readable;
  try {
    for await (const chunk of gzipped ? gunzip(file) : file) {
      signal?.throwIfAborted();
      const lines = splitter.push(chunk);
      if (lines.length > 0) yield lines;
    }
  } catch (error) {
    const rejected = gzipped ? rejectedGzip(error) : undefined;
    if (rejected === undefined) throw error;
    yield splitter.end(rejected);
    return;
  }
  yield splitter.end();
}

// Not DecompressionStream: it cannot tell a truncated file from a corrupt one, decompresses a whole chunk at once
// whatever the ratio, and fails on files of several members, such as `cat a.gz b.gz` makes.
function gunzip(file: ReadableStream<Uint8Array>): AsyncIterable<Uint8Array> {
  // Errors are thrown by the iteration; leaving it closes the file.
  return pipeline(Readable.from(file), createGunzip({ chunkSize: 64 * 1024 }), () => {});
}

function rejectedGzip(error: unknown): Rejected | undefined {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (code === "Z_BUF_ERROR") {
    return reject(
      "truncated-gzip",
      "Cannot read the file as gzip: it ends in the middle of the compressed data",
    );
  }
  if (code === "Z_DATA_ERROR") {
    return reject("corrupt-gzip", `Cannot read the file as gzip: ${reasonOf(error)}`);
  }
  return undefined;
}
