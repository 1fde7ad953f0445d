/**
 * The checksum of a record in a SQLite file. It covers topic, partition, offset, key, time, headers and value, so it
 * detects changed records and misplaced ones.
 *
 * ```text
 * sum   = crc32(value, mix(partition, topic, offset, time, key, headers, length of the value))    int32
 * rest  = sum                           for a record without headers
 *       | sum JSON                      for one with headers, as one text
 * ```
 */

import { crc32 } from "node:zlib";

/** The seed of a partition's checksums. */
export function placeSeed(topic: string, partition: number): number {
  return mixText(mix(0, partition), topic);
}

export interface SummedRow {
  readonly offset: number;
  readonly key: string | null;
  readonly value: Uint8Array | null;
  readonly time: number;
}

/** The checksum of a row. @param json its headers, `""` when there are none */
export function rowSum(seed: number, { offset, key, value, time }: SummedRow, json: string): number {
  let h = mixNumber(mixNumber(seed, offset), time);
  h = key === null ? mix(h, -1) : mixText(h, key);
  if (json !== "") h = mixText(h, json);
  return value === null ? mix(h, -1) : crc32(value, mix(h, value.length) >>> 0) | 0;
}

/** The checksum of some fields in their order. */
export function sumOf(fields: readonly (string | number)[]): number {
  return fields.reduce<number>(
    (h, field) => typeof field === "string" ? mixText(h, field) : mixNumber(h, field),
    0,
  );
}

/** The column `headers` of a row: its checksum, and its headers if it has any. */
export function encodeRest(sum: number, json: string): number | string {
  return json === "" ? sum : `${sum}${json}`;
}

/** Decodes the column `headers`; `sum` is NaN where it is missing, which is damage. */
export function decodeRest(rest: string | number | null): { readonly sum: number; readonly json: string } {
  if (rest === null) return { sum: NaN, json: "" };
  if (typeof rest === "number") return { sum: rest, json: "" };
  const at = rest.indexOf("{");
  if (at < 0) return { sum: Number(rest), json: "" };
  return { sum: at === 0 ? NaN : Number(rest.slice(0, at)), json: rest.slice(at) };
}

/** A bijection in `h` and in `x`: a change of either changes the result. */
function mix(h: number, x: number): number {
  const m = Math.imul(h ^ x, 0x9e3779b1);
  return m ^ (m >>> 15);
}

function mixNumber(h: number, x: number): number {
  return mix(mix(h, x | 0), Math.floor(x / 2 ** 32));
}

function mixText(h: number, text: string): number {
  const { length } = text;
  for (let i = 0; i < length; i++) h = mix(h, text.charCodeAt(i));
  return mix(h, length);
}
