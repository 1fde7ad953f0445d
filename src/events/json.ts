/**
 * Strict JSON from bytes: like `JSON.parse`, but rejects, with a reason, duplicate keys (of which `JSON.parse` silently
 * keeps the last), deep nesting and non-finite numbers.
 *
 * `JSON.parse` does the work. One scan over the bytes before it bounds the depth and counts the colons outside
 * of strings, which in valid JSON is the number of keys written: it is bounded, too, and the parsed value has fewer when
 * one was written twice. Only a rejected text is parsed again, slowly, to find the error.
 */

import { Buffer } from "node:buffer";
import { rejectManyKeys, rejectUnplain } from "./check.ts";
import { explainJson } from "./explain_json.ts";
import { countKeys } from "./plain.ts";
import { reject, type Rejected } from "./rejected.ts";
import { MAX_DEPTH, MAX_KEYS, MAX_RECORD_BYTES } from "./limits.ts";

/** A JSON value, or why the bytes are not one. */
export type ParsedJson = { readonly ok: true; readonly value: unknown } | Rejected;

export interface ParseOptions {
  /** Most bytes. @default {MAX_RECORD_BYTES} */
  readonly maxBytes?: number;
  /** The text of the bytes, if known. @default {decoded} */
  readonly text?: string | undefined;
  /** Whether an integer that a number cannot hold is read as its digits, like a long of Avro. @default {false} */
  readonly keepsLongs?: boolean;
}

// A byte order mark in a record is an error; readers of files strip it from the start of a file.
const DECODER = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

const QUOTE = 0x22, BACKSLASH = 0x5c, COLON = 0x3a;
/** Matches every integer beyond 2^53 in a text, and a few strings. */
const LONG = /[:[,\s]-?\d{16,}[\s,}\]]/;
const OPEN_BRACE = 0x7b, CLOSE_BRACE = 0x7d, OPEN_BRACKET = 0x5b, CLOSE_BRACKET = 0x5d;

/**
 * Parses the JSON of one `what` (an event, an item).
 *
 * @example
 * ```ts
 * import { parseJson } from "./json.ts";
 * import assert from "node:assert/strict";
 *
 * const parse = (text: string) => parseJson(new TextEncoder().encode(text), "event");
 * assert.deepEqual(parse('{"a":1}'), { ok: true, value: { a: 1 } });
 * assert.deepEqual(parse('{"a":1,"a":2}'), {
 *   ok: false,
 *   code: "duplicate-key",
 *   reason: 'Cannot parse the event as JSON: key "a" at character 7 occurs twice',
 * });
 * ```
 */
export function parseJson(bytes: Uint8Array, what: string, options: ParseOptions = {}): ParsedJson {
  const { maxBytes = MAX_RECORD_BYTES } = options;
  if (bytes.length > maxBytes) return rejectLarge(bytes.length, what);
  const scan = scanJson(bytes);
  if (scan === null) {
    return reject("too-deep", `Cannot parse the ${what} as JSON: it is nested more than ${MAX_DEPTH} deep`);
  }
  if (scan.colons > MAX_KEYS) return rejectManyKeys(scan.colons, what);
  let text: string;
  try {
    text = options.text ?? (scan.isAscii ? latin1(bytes) : DECODER.decode(bytes));
  } catch {
    return rejectUtf8(bytes, what);
  }
  let value: unknown;
  try {
    value = JSON.parse(text, options.keepsLongs === true && LONG.test(text) ? longAsText : undefined);
  } catch {
    return explainJson(text, what);
  }
  const keys = countKeys(value);
  if (keys < 0) return rejectUnplain(value, what);
  return keys === scan.colons ? { ok: true, value } : explainJson(text, what);
}

function longAsText(_key: string, value: unknown, context?: { readonly source?: string }): unknown {
  const { source = "" } = context ?? {};
  return typeof value === "number" && !Number.isSafeInteger(value) && /^-?\d+$/.test(source) ? source : value;
}

/**
 * The text of many records if all characters are single bytes, so that offsets in bytes and text agree; else
 * `undefined`. Decoding once is faster than a call per record.
 */
export function asciiOf(bytes: Uint8Array): string | undefined {
  try {
    const text = DECODER.decode(bytes);
    return text.length === bytes.length ? text : undefined;
  } catch {
    return undefined; // parsing the invalid record reports it
  }
}

/** The rejection of a record of `size` bytes. */
export function rejectLarge(size: number, what: string): Rejected {
  return reject(
    "too-large",
    `Cannot take the ${what} as a record of at most ${MAX_RECORD_BYTES} bytes: current value has ${size} bytes`,
  );
}

/** Colons outside of strings, and whether all bytes are ASCII; `null` when brackets nest too deep. */
function scanJson(bytes: Uint8Array): { readonly colons: number; readonly isAscii: boolean } | null {
  let colons = 0;
  let depth = 0;
  let all = 0;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i]!;
    all |= byte;
    if (byte === QUOTE) {
      for (i++; i < bytes.length && bytes[i]! !== QUOTE; i++) {
        all |= bytes[i]!;
        if (bytes[i]! === BACKSLASH) all |= bytes[++i] ?? 0;
      }
    } else if (byte === COLON) {
      colons++;
    } else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
      if (++depth > MAX_DEPTH) return null;
    } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
      depth--;
    }
  }
  return { colons, isAscii: all < 0x80 };
}

/** The text of ASCII bytes, in a quarter of the decoder's time for a record. */
function latin1(bytes: Uint8Array): string {
  return Buffer.prototype.latin1Slice.call(bytes, 0, bytes.length);
}

function rejectUtf8(bytes: Uint8Array, what: string): Rejected {
  let good = 0;
  let bad = bytes.length;
  while (bad - good > 1) {
    const middle = (good + bad) >>> 1;
    if (isUtf8Start(bytes.subarray(0, middle))) good = middle;
    else bad = middle;
  }
  const at = bad - 1;
  const byte = (bytes[at] ?? 0).toString(16).padStart(2, "0");
  return reject("invalid-utf8", `Cannot decode the ${what} as UTF-8: byte ${at} is 0x${byte}`);
}

function isUtf8Start(bytes: Uint8Array): boolean {
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(bytes, { stream: true });
    return true;
  } catch {
    return false;
  }
}
