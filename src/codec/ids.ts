/**
 * The ids of a record. Most end in a number, which takes fewer bytes than its digits.
 *
 * ```text
 * ids = prefixes, ids, each after their count
 * id  = 0, string  |  1 + prefix + number · count of prefixes
 * ```
 */

import type { ByteReader } from "./byte_reader.ts";
import type { ByteWriter } from "./byte_writer.ts";
import { times } from "../values/times.ts";

/** Most prefixes: without a limit, each id that ends in a number by chance would add one. */
const MAX_PREFIXES = 8;
const MAX_DIGITS = 12;

/** Writes ids; {@linkcode readIds} reads them back. */
export function writeIds(to: ByteWriter, ids: readonly string[]): void {
  const prefixes: string[] = [];
  const places: number[] = [];
  for (const id of ids) places.push(prefixOf(id, numberStart(id), prefixes));
  to.uint(prefixes.length);
  for (const prefix of prefixes) to.string(prefix);
  to.uint(ids.length);
  for (let i = 0; i < ids.length; i++) {
    const id = ids[i]!, place = places[i]!;
    if (place < 0) to.uint(0).string(id);
    else to.uint(1 + place + numberAt(id, prefixes[place]!.length) * prefixes.length);
  }
}

/** Index of an id's prefix, which is added if there is room; −1 when the id is written whole. */
function prefixOf(id: string, start: number, prefixes: string[]): number {
  if (start === id.length) return -1;
  for (let p = 0; p < prefixes.length; p++) {
    if (prefixes[p]!.length === start && id.startsWith(prefixes[p]!)) return p;
  }
  return prefixes.length === MAX_PREFIXES ? -1 : prefixes.push(id.slice(0, start)) - 1;
}

function numberAt(id: string, start: number): number {
  let number = 0;
  for (let i = start; i < id.length; i++) number = 10 * number + id.charCodeAt(i) - 48;
  return number;
}

/**
 * Reads ids, and returns a look-up by index.
 *
 * @throws {SyntaxError} if the bytes are not ids; the look-up, if there is no such index
 */
export function readIds(from: ByteReader): (index: number) => string {
  const prefixes = times(from.count(), () => from.string());
  const ids = times(from.count(), () => {
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

/** Start of the number at the end of an id, without leading zeros; the id's length when there is none. */
function numberStart(id: string): number {
  let start = id.length;
  while (start > 0 && id.length - start < MAX_DIGITS && isDigit(id.charCodeAt(start - 1))) start--;
  while (start < id.length - 1 && id.charCodeAt(start) === 48) start++;
  return start;
}

function isDigit(code: number): boolean {
  return code >= 48 && code <= 57;
}
