/**
 * Bounds a JSON body before it is parsed: a few MB may hold millions of values, which take seconds.
 *
 * @module
 */

import { MAX_RECORD_BYTES } from "../../src/events/limits.ts";
import { Problem } from "./contract/problem.ts";

const LF = 0x0a, SPACE = 0x20, QUOTE = 0x22, BACKSLASH = 0x5c, COMMA = 0x2c;
const OPEN_BRACKET = 0x5b, CLOSE_BRACKET = 0x5d, OPEN_BRACE = 0x7b, CLOSE_BRACE = 0x7d;

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
