/**
 * Bounds a JSON body before it is parsed, and parses it in portions: a few MB may hold millions of values, which take
 * seconds.
 */

import { parseJson, type ParseOptions } from "../../src/events/json.ts";
import { MAX_RECORD_BYTES } from "../../src/events/limits.ts";
import { Problem } from "./contract/problem.ts";

const LF = 0x0a, SPACE = 0x20, QUOTE = 0x22, BACKSLASH = 0x5c, COMMA = 0x2c;
const OPEN_BRACKET = 0x5b, CLOSE_BRACKET = 0x5d, OPEN_BRACE = 0x7b, CLOSE_BRACE = 0x7d;

/** A portion has at most this many bytes, unless it is a single entry. */
const PORTION_BYTES = 64 << 10;
/** Refusing an entry takes as long as parsing this many bytes. */
const ENTRY_BYTES = 256;

/** An entry of a body, with its bytes as they came. */
export interface BodyEntry {
  readonly ok: true;
  readonly value: unknown;
  readonly bytes: Uint8Array;
}

/** Entries in portions that take some milliseconds each. */
export function* portionsOf<Entry extends { readonly bytes: Uint8Array }>(
  entries: readonly Entry[],
): Generator<readonly Entry[]> {
  let from = 0, bytes = 0;
  for (const [at, entry] of entries.entries()) {
    const size = entry.bytes.length + ENTRY_BYTES;
    if (at > from && bytes + size > PORTION_BYTES) {
      yield entries.slice(from, at);
      [from, bytes] = [at, 0];
    }
    bytes += size;
  }
  yield entries.slice(from);
}

/**
 * The values of a body, which is one or a list, in portions.
 *
 * @throws Problem `bad-body` when it is not JSON or has none; what {@linkcode checkList} throws
 */
export function* valuesIn(
  body: Uint8Array,
  maxEntries: number,
  options: Pick<ParseOptions, "keepsLongs"> = {},
): Generator<readonly BodyEntry[]> {
  const parts = checkList(body, maxEntries).map((bytes) => ({ bytes }));
  const placeOf = (part: { readonly bytes: Uint8Array }) => part.bytes.byteOffset - body.byteOffset;
  let count = 0, at = 0;
  for (const portion of portionsOf(parts)) {
    const next = parts[at + portion.length];
    // The first has the bracket that opens the list, the last all that follows it: together they are JSON if the body is.
    const start = at === 0 ? 0 : placeOf(portion[0]!);
    const own = body.subarray(start, next === undefined ? body.length : placeOf(next) - 1);
    const json = bracketed(own, at > 0, next !== undefined);
    const what = at === 0 ? "body" : `body from entry ${at} on`;
    const parsed = parseJson(json, what, { ...options, maxBytes: json.length });
    if (!parsed.ok) throw new Problem("bad-body", parsed.reason, { more: { reasonCode: parsed.code } });
    const values: readonly unknown[] = Array.isArray(parsed.value) ? parsed.value : [parsed.value];
    if (values.length < portion.length && parts.length > 1) {
      throw new Problem("bad-body", `Cannot parse the ${what} as JSON: it has an empty entry`, {
        more: { reasonCode: "invalid-json" },
      });
    }
    count += values.length;
    checkEntries(count, maxEntries);
    yield values.map((value, i) => ({ ok: true, value, bytes: portion[i]!.bytes }));
    at += portion.length;
  }
}

function bracketed(bytes: Uint8Array, opens: boolean, closes: boolean): Uint8Array {
  if (!opens && !closes) return bytes;
  const json = new Uint8Array(bytes.length + Number(opens) + Number(closes));
  if (opens) json[0] = OPEN_BRACKET;
  json.set(bytes, Number(opens));
  if (closes) json[json.length - 1] = CLOSE_BRACKET;
  return json;
}

/** @throws Problem `bad-body` for a body without entries, `too-large` for one with too many */
export function checkEntries(entries: number, maxEntries: number, has: number | "more" = entries): void {
  if (entries === 0) throw new Problem("bad-body", "The body has no entries");
  if (entries > maxEntries) {
    throw new Problem("too-large", `A body has at most ${maxEntries} entries, this one has ${has}`);
  }
}

/** Whether a body begins like a list. */
export function beginsList(bytes: Uint8Array): boolean {
  let at = 0;
  while (at < bytes.length && bytes[at]! <= SPACE) at++;
  return bytes[at] === OPEN_BRACKET;
}

/**
 * Bounds a body that is one value or a list; one pass over the bytes. Does not check that it is JSON.
 *
 * @returns Views of the entries, if the body is JSON, including the white space around them.
 * @throws Problem `too-large` when there are more entries, or one is larger than {@linkcode MAX_RECORD_BYTES} without
 *   its spaces
 */
export function checkList(bytes: Uint8Array, maxEntries: number): readonly Uint8Array[] {
  const isList = beginsList(bytes);
  const entryDepth = isList ? 1 : 0;
  const entries: Uint8Array[] = [];
  let start = isList ? bytes.indexOf(OPEN_BRACKET) + 1 : 0;
  let [depth, size] = [0, 0];
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at]!;
    if (byte > SPACE) size++;
    if (byte === QUOTE) {
      const opened = at++;
      for (; at < bytes.length && bytes[at]! !== QUOTE; at++) if (bytes[at]! === BACKSLASH) at++;
      size += at - opened;
    } else if (byte === OPEN_BRACKET || byte === OPEN_BRACE) {
      depth++;
    } else if (byte === CLOSE_BRACKET || byte === CLOSE_BRACE) {
      depth--;
      if (isList && depth === 0) entries.push(bytes.subarray(start, at));
    } else if (byte === COMMA && depth === entryDepth) {
      size = 0;
      entries.push(bytes.subarray(start, at));
      start = at + 1;
      if (entries.length >= maxEntries) throw tooMany(maxEntries);
    }
    if (size > MAX_RECORD_BYTES) {
      const detail =
        `Entry ${entries.length} is larger than the limit of a record, ${MAX_RECORD_BYTES} bytes`;
      throw new Problem("too-large", detail);
    }
  }
  return isList ? entries : [bytes];
}

/**
 * Bounds a body of consecutive values, on lines of their own or not; one pass over the bytes.
 *
 * @throws Problem `too-large` when it has more values and line ends than about twice `maxEntries`
 */
export function checkSequence(bytes: Uint8Array, maxEntries: number): void {
  let [depth, ends] = [0, 0];
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at]!;
    if (byte === QUOTE) {
      for (at++; at < bytes.length && bytes[at]! !== QUOTE; at++) if (bytes[at]! === BACKSLASH) at++;
    } else if (byte === OPEN_BRACKET || byte === OPEN_BRACE) {
      depth++;
    } else if (byte === CLOSE_BRACKET || byte === CLOSE_BRACE) {
      if (--depth === 0) ends++;
    } else if (byte === LF && depth === 0) {
      ends++;
    }
    if (ends > 2 * maxEntries + 1) throw tooMany(maxEntries);
  }
}

function tooMany(maxEntries: number): Problem {
  return new Problem("too-large", `A body has at most ${maxEntries} entries, this one has more`);
}
