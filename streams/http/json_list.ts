/**
 * How many entries a list in JSON has, and how large they are, before anything is made of it: a body of a few MB may
 * hold millions of values, which cost the thread seconds to parse.
 *
 * @module
 */

import { MAX_RECORD_BYTES } from "../../src/events/limits.ts";
import { Problem } from "./contract/problem.ts";

const LF = 0x0a, SPACE = 0x20, QUOTE = 0x22, BACKSLASH = 0x5c, COMMA = 0x2c;
const OPEN_BRACKET = 0x5b, CLOSE_BRACKET = 0x5d, OPEN_BRACE = 0x7b, CLOSE_BRACE = 0x7d;

/** Whether a body begins as a list does. */
export function isList(bytes: Uint8Array): boolean {
  let at = 0;
  while (at < bytes.length && bytes[at]! <= SPACE) at++;
  return bytes[at] === OPEN_BRACKET;
}

/**
 * Looks at a body that is one value or a list of them; one pass over the bytes. Whether it is JSON is for its parser.
 *
 * @throws Problem `too-large` when it has more entries, or one of more than {@linkcode MAX_RECORD_BYTES} but for its spaces
 */
export function checkList(bytes: Uint8Array, maxEntries: number): void {
  const entryDepth = isList(bytes) ? 1 : 0;
  let [depth, entries, size] = [0, 1, 0];
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at]!;
    if (byte > SPACE) size++;
    if (byte === QUOTE) {
      const start = at++;
      for (; at < bytes.length && bytes[at]! !== QUOTE; at++) if (bytes[at]! === BACKSLASH) at++;
      size += at - start;
    } else if (byte === OPEN_BRACKET || byte === OPEN_BRACE) {
      depth++;
    } else if (byte === CLOSE_BRACKET || byte === CLOSE_BRACE) {
      depth--;
    } else if (byte === COMMA && depth === entryDepth) {
      size = 0;
      if (++entries > maxEntries) {
        throw new Problem("too-large", `A body has at most ${maxEntries} entries, this one has more`);
      }
    }
    if (size > MAX_RECORD_BYTES) {
      const detail = `Entry ${entries - 1} is larger than a record may be, ${MAX_RECORD_BYTES} bytes`;
      throw new Problem("too-large", detail);
    }
  }
}

/**
 * Looks at a body of values one behind the other, in lines or not; one pass over the bytes.
 *
 * @throws Problem `too-large` when it has more values and blank lines than twice the entries
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
    if (ends > 2 * maxEntries + 1) {
      throw new Problem("too-large", `A body has at most ${maxEntries} entries, this one has more`);
    }
  }
}
