/**
 * Ids within a record. Most end in a number, which takes fewer bytes than its digits.
 *
 * ```text
 * ids = prefixes, ids, each with their count
 * id  = 0, string  |  1 + prefix + number · count of prefixes
 * ```
 *
 * @module
 */

import type { ByteReader } from "./byte_reader.ts";
import type { ByteWriter } from "./byte_writer.ts";

/** Prefixes at most: ids that end in a number by chance have one each. */
const MAX_PREFIXES = 8;
const MAX_DIGITS = 12;

/**
 * Writes ids; {@linkcode readIds} gives them back as they were.
 *
 * ```ts
 * import assert from "node:assert/strict";
 * import { ByteReader } from "./byte_reader.ts";
 * import { ByteWriter } from "./byte_writer.ts";
 * import { readIds, writeIds } from "./ids.ts";
 *
 * const ids = ["item-17", "item-300", "item-007", "hat"];
 * const writer = new ByteWriter();
 * writeIds(writer, ids);
 * const at = readIds(new ByteReader(writer.toBytes()));
 * assert.deepEqual(ids.map((_, i) => at(i)), ids);
 * ```
 */
export function writeIds(to: ByteWriter, ids: readonly string[]): void {
  const prefixes: string[] = [];
  const places = ids.map((id) => {
    const start = numberStart(id);
    if (start === id.length) return null;
    const prefix = id.slice(0, start);
    const known = prefixes.indexOf(prefix);
    if (known < 0 && prefixes.length === MAX_PREFIXES) return null;
    return { prefix: known < 0 ? prefixes.push(prefix) - 1 : known, number: Number(id.slice(start)) };
  });
  to.uint(prefixes.length);
  for (const prefix of prefixes) to.string(prefix);
  to.uint(ids.length);
  places.forEach((place, i) => {
    if (place === null) to.uint(0).string(ids[i]!);
    else to.uint(1 + place.prefix + place.number * prefixes.length);
  });
}

/**
 * Reads ids; the function that it returns looks a number up.
 *
 * @throws {SyntaxError} if the bytes are not ids; the function, if there is no such number
 */
export function readIds(from: ByteReader): (index: number) => string {
  const prefixes = Array.from({ length: from.count() }, () => from.string());
  const ids = Array.from({ length: from.count() }, () => {
    const place = from.uint() - 1;
    if (place < 0) return from.string();
    const prefix = prefixes[place % prefixes.length];
    if (prefix === undefined) throw new SyntaxError("Cannot decode an id of a record: it has no prefixes");
    return prefix + Math.floor(place / prefixes.length);
  });
  return (index) => {
    const id = ids[index];
    if (id === undefined) {
      throw new SyntaxError(`Cannot decode id ${index} of a record: it has ${ids.length} ids`);
    }
    return id;
  };
}

/** Where the number begins that an id ends in, without leading zeros; its length when there is none. */
function numberStart(id: string): number {
  let start = id.length;
  while (start > 0 && id.length - start < MAX_DIGITS && isDigit(id.charCodeAt(start - 1))) start--;
  while (start < id.length - 1 && id[start] === "0") start++;
  return start;
}

function isDigit(code: number): boolean {
  return code >= 48 && code <= 57;
}
