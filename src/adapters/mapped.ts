/**
 * The result of adapters for foreign formats, and helpers that those for JSON share.
 *
 * Our events keep unknown fields, so nothing of a foreign record is lost: `other` holds values that cannot be
 * attributes, by name.
 */

import { isAttribute } from "../events/check.ts";
import type { Attributes, AttributeValue, Event, ItemRecord } from "../events/event.ts";
import { shown } from "../events/rejected.ts";
import { MAX_ATTRIBUTES } from "../events/limits.ts";
import { isRecord } from "../values/record.ts";

/** The items and events of one foreign record. */
export interface Mapped {
  /** Items; they apply before the events. */
  readonly items?: readonly ItemRecord[];
  /** Events, in their order. */
  readonly events?: readonly Event[];
}

/** A JSON object. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** Takes a value as an object. @throws SyntaxError when it is not one */
export function objectOf(value: unknown, what: string): JsonObject {
  if (isRecord(value)) return value;
  throw new SyntaxError(`Cannot take ${what} as an object: current value is ${shown(value)}`);
}

/** Takes a field as a string; `null` is absent. @throws SyntaxError when it is anything else */
export function stringIn(record: JsonObject, field: string): string | undefined {
  const value = record[field] ?? undefined;
  if (value === undefined || typeof value === "string") return value;
  throw fieldError(field, "a string", value);
}

/** Takes a field as a string. @throws SyntaxError when it is missing or anything else */
export function requiredIn(record: JsonObject, field: string): string {
  const value = stringIn(record, field);
  if (value !== undefined) return value;
  throw new SyntaxError(`Cannot take field ${field} as a string: it is missing`);
}

/** Takes a field as a number; `null` is absent. @throws SyntaxError when it is anything else */
export function numberIn(record: JsonObject, field: string): number | undefined {
  const value = record[field] ?? undefined;
  if (value === undefined || typeof value === "number") return value;
  throw fieldError(field, "a number", value);
}

export function fieldError(field: string, wanted: string, value: unknown): SyntaxError {
  return new SyntaxError(`Cannot take field ${field} as ${wanted}: current value is ${shown(value)}`);
}

const DATE =
  /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d)?)(\.\d{1,9})?)?(?: ?(Z|UTC|[-+]\d\d:?\d\d))?(?: [A-Z]{1,5})?$/;

/**
 * Milliseconds of a date as ISO 8601, SQL or Go's `String()` write it, UTC without a zone, truncated; `NaN` when it is
 * not a date, or does not exist.
 *
 * @example
 * ```ts
 * import { parseDate } from "./mapped.ts";
 * import assert from "node:assert/strict";
 *
 * const time = Date.UTC(2020, 0, 1, 1, 1, 1);
 * assert.equal(parseDate("2020-01-01 01:01:01.000000001 +0000 UTC"), time);
 * assert.equal(parseDate("2020-01-01T03:01:01+02:00"), time);
 * assert.ok(Number.isNaN(parseDate("yesterday")));
 * assert.ok(Number.isNaN(parseDate("2026-02-30")));
 * ```
 */
export function parseDate(text: string): number {
  const instant = parseInstant(text);
  if (!Number.isNaN(instant)) return instant;
  const [, day, clock = "00:00", fraction = "", zone = "Z"] = DATE.exec(text) ?? [];
  if (day === undefined) return NaN;
  // Date.parse takes 30 February as 2 March.
  if (new Date(Date.parse(day)).getUTCDate() !== Number(day.slice(8))) return NaN;
  const seconds = clock.length === 5 ? `${clock}:00` : clock;
  const offset = zone === "UTC" || zone === "Z" ? "Z" : `${zone.slice(0, 3)}:${zone.slice(-2)}`;
  return Date.parse(`${day}T${seconds}${fraction.slice(0, 4)}${offset}`);
}

/** Milliseconds of `2026-11-27T10:00:00Z`, with or without three decimals, in a tenth of the time of other formats. */
function parseInstant(text: string): number {
  const isLong = text.length === 24 && text.charCodeAt(19) === DOT;
  if (!isLong && text.length !== 20) return NaN;
  if (text.charCodeAt(4) !== DASH || text.charCodeAt(7) !== DASH || text.charCodeAt(10) !== T) return NaN;
  if (text.charCodeAt(13) !== COLON || text.charCodeAt(16) !== COLON) return NaN;
  if (text.charCodeAt(text.length - 1) !== Z) return NaN;
  const month = digits(text, 5, 7), day = digits(text, 8, 10), hours = digits(text, 11, 13);
  const minutes = digits(text, 14, 16),
    seconds = digits(text, 17, 19),
    ms = isLong ? digits(text, 20, 23) : 0;
  if (!(day >= 1 && day <= 28 && month >= 1 && month <= 12 && hours < 24 && minutes < 60 && seconds < 60)) {
    return NaN;
  }
  const year = digits(text, 0, 4);
  return year < 100 ? NaN : Date.UTC(year, month - 1, day, hours, minutes, seconds, ms);
}

const DASH = 0x2d, DOT = 0x2e, COLON = 0x3a, T = 0x54, Z = 0x5a;

function digits(text: string, from: number, to: number): number {
  let number = 0;
  for (let i = from; i < to; i++) {
    const digit = text.charCodeAt(i) - 0x30;
    if (digit < 0 || digit > 9) return NaN;
    number = number * 10 + digit;
  }
  return number;
}

/** Attributes, and values that cannot be one (lists of numbers, objects, long texts), by name. */
export interface Split {
  /** Values that can be attributes. */
  readonly attributes?: Attributes;
  /** The others, which are only kept. */
  readonly other?: JsonObject;
}

/** Splits named values into attributes and others; an empty part is absent. */
export function splitAttributes(values: JsonObject): Split {
  const attributes: Record<string, AttributeValue> = {};
  const other: Record<string, unknown> = {};
  let room = MAX_ATTRIBUTES;
  for (const [name, value] of Object.entries(values)) {
    if (room > 0 && isAttribute(name, value)) {
      attributes[name] = value;
      room--;
    } else other[name] = value;
  }
  return given({
    attributes: room < MAX_ATTRIBUTES ? attributes : undefined,
    other: Object.keys(other).length > 0 ? other : undefined,
  });
}

/** The fields that are not `undefined`. */
export function given<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const there = Object.entries(fields).filter(([, value]) => value !== undefined);
  return Object.fromEntries(there) as { [K in keyof T]?: Exclude<T[K], undefined> }; // some of its names
}
