/** Splits a file into JSON values as bytes: one per line, or the entries of a list. */

import { rejectLarge } from "../../src/events/json.ts";
import { reject, type Rejected } from "../../src/events/rejected.ts";
import { MAX_RECORD_BYTES } from "../../src/events/limits.ts";
import { HeldBytes, type Line, LineSplitter, type Splitter } from "./lines.ts";

const LF = 0x0a, QUOTE = 0x22, BACKSLASH = 0x5c, COMMA = 0x2c;
const OPEN_BRACE = 0x7b, CLOSE_BRACE = 0x7d, OPEN_BRACKET = 0x5b, CLOSE_BRACKET = 0x5d;

/**
 * Splits a file whose first character is `[` into the entries of that list, and any other file into lines; an entry is
 * numbered by the line it begins on. The chunking of the bytes makes no difference.
 *
 * Another list may follow. Entries are separated by commas only; whether one is valid JSON is left to the reader. Like
 * a line, an entry of more than 1 MiB is rejected without being buffered.
 */
export class JsonSplitter implements Splitter {
  #inner: Splitter | undefined;
  /** The chunks at the start that hold only white space. */
  #blank: Uint8Array[] = [];

  push(chunk: Uint8Array): readonly Line[] {
    if (this.#inner !== undefined) return this.#inner.push(chunk);
    this.#blank.push(chunk);
    const first = chunk.find((byte) => !isBlank(byte));
    if (first === undefined && this.#blank.length < MAX_BLANK_CHUNKS) return [];
    return this.#begin(first === OPEN_BRACKET ? new ListSplitter() : new LineSplitter());
  }

  end(rejected?: Rejected): readonly Line[] {
    const before = this.#inner === undefined ? this.#begin(new LineSplitter()) : [];
    return [...before, ...this.#inner?.end(rejected) ?? []];
  }

  #begin(inner: Splitter): readonly Line[] {
    this.#inner = inner;
    const lines = this.#blank.flatMap((chunk) => inner.push(chunk));
    this.#blank = [];
    return lines;
  }
}

/** A file that starts with this much white space is read as lines. */
const MAX_BLANK_CHUNKS = 100;

/** Splits `[a, b, c]` at its top-level commas. */
class ListSplitter implements Splitter {
  readonly #held = new HeldBytes();
  /** Line of the current byte, from 1. */
  #line = 1;
  /** Line on which the entry began; 0 = only white space so far. */
  #began = 0;
  /** Number of open brackets, including the list's own; 0 = outside the list. */
  #depth = 0;
  #inString = false;
  #escaped = false;

  push(chunk: Uint8Array): readonly Line[] {
    const entries: Line[] = [];
    let start = 0;
    for (let i = 0; i < chunk.length; i++) {
      const byte = chunk[i]!;
      if (byte === LF) this.#line++;
      if (this.#inString) {
        if (this.#escaped) this.#escaped = false;
        else if (byte === BACKSLASH) this.#escaped = true;
        else if (byte === QUOTE) this.#inString = false;
        continue;
      }
      if (this.#began === 0 && isBlank(byte)) {
        start = i + 1;
        continue;
      }
      if (this.#depth === 0 && this.#began === 0 && byte === OPEN_BRACKET) { // the first list, or another
        this.#depth = 1;
        start = i + 1;
        continue;
      }
      if (this.#depth === 1 && (byte === COMMA || byte === CLOSE_BRACKET)) {
        this.#held.push(chunk.subarray(start, i));
        this.#finish(entries);
        start = i + 1;
        if (byte === CLOSE_BRACKET) this.#depth = 0;
        continue;
      }
      if (this.#began === 0) [this.#began, start] = [this.#line, i];
      if (byte === QUOTE) this.#inString = true;
      else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) this.#depth++;
      else if ((byte === CLOSE_BRACE || byte === CLOSE_BRACKET) && this.#depth > 1) this.#depth--;
    }
    if (this.#began !== 0) this.#held.push(chunk.subarray(start));
    return entries;
  }

  end(rejected?: Rejected): readonly Line[] {
    const entries: Line[] = [];
    const broken = rejected ??
      (this.#depth > 0
        ? reject("truncated-json", "Cannot parse the file as a list of JSON: it ends before the list does")
        : undefined);
    if (this.#began === 0 && broken !== undefined) this.#began = this.#line;
    this.#finish(entries, broken);
    return entries;
  }

  #finish(entries: Line[], rejected?: Rejected): void {
    const number = this.#began;
    const { bytes, size } = this.#held.take();
    this.#began = 0;
    this.#inString = this.#escaped = false;
    if (number === 0) return; // an empty list, or an extra comma
    if (rejected !== undefined) entries.push({ number, bytes, size, rejected });
    else if (size > MAX_RECORD_BYTES) {
      entries.push({ number, bytes, size, rejected: rejectLarge(size, "entry") });
    } else entries.push({ number, bytes, size });
  }
}

/** Whether a byte is white space or part of a byte order mark. */
function isBlank(byte: number): boolean {
  return byte === 0x20 || (byte >= 0x09 && byte <= 0x0d) || byte === 0xef || byte === 0xbb || byte === 0xbf;
}
