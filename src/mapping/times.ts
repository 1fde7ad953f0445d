/** Times as other systems write them. */

import { parseDate } from "../adapters/mapped.ts";
import { shown, type Violation } from "../events/rejected.ts";
import { Misfit } from "./scope.ts";

/** Units of a time. */
export const TIME_UNITS = ["any", "ms", "s", "us", "ns", "iso"] as const;

/** One of {@linkcode TIME_UNITS}; `any` infers the unit from the size of a number, and accepts dates. */
export type TimeUnit = (typeof TIME_UNITS)[number];

/** Milliseconds per unit. */
const MS_OF: Readonly<Record<Exclude<TimeUnit, "any" | "iso">, number>> = {
  s: 1000,
  ms: 1,
  us: 1e-3,
  ns: 1e-6,
};
const WORDS: Readonly<Record<TimeUnit, string>> = {
  any: "a time: seconds, milli-, micro- or nanoseconds since 1970, or a date of ISO 8601",
  s: "seconds since 1970",
  ms: "milliseconds since 1970",
  us: "microseconds since 1970",
  ns: "nanoseconds since 1970",
  iso: "a date of ISO 8601",
};
const NUMBER = /^-?\d{1,19}(?:\.\d{1,9})?$/;

/**
 * Whole milliseconds since the epoch, rounded down. The ranges of the years 1990 to 2100 in seconds, milli-, micro- and
 * nanoseconds do not overlap, so `any` is unambiguous for every valid event time. A date without a zone is UTC.
 *
 * @throws Misfit when the value is not such a time, or is a date that does not exist
 *
 * @example
 * ```ts
 * import { timeOf } from "./times.ts";
 * import assert from "node:assert/strict";
 *
 * const time = Date.UTC(2026, 10, 27, 10);
 * for (const value of [time, time / 1000, time * 1000, String(time), "2026-11-27T11:00:00+01:00"]) {
 *   assert.equal(timeOf(value, "any"), time);
 * }
 * ```
 */
export function timeOf(value: unknown, unit: TimeUnit): number {
  const isNumber = typeof value === "number" || typeof value === "bigint";
  const isDigits = typeof value === "string" && NUMBER.test(value);
  if (unit !== "iso" && (isNumber || isDigits)) {
    const number = Number(value);
    const ms = number * MS_OF[unit === "any" ? unitOf(number) : unit];
    if (Number.isFinite(ms)) return Math.floor(ms);
  }
  if (typeof value === "string" && (unit === "any" || unit === "iso")) {
    let time = parseDate(value);
    if (Number.isNaN(time)) time = parseDate(value.toUpperCase()); // RFC 3339 allows t and z
    if (!Number.isNaN(time)) return time;
  }
  throw new Misfit(timeViolation(value, unit));
}

/** The unit of a time that is a number, as `any` infers it; `undefined` = it is none. */
export function inferredUnit(value: string): "s" | "ms" | "us" | "ns" | undefined {
  return NUMBER.test(value) ? unitOf(Number(value)) : undefined;
}

/** The unit of a number: 1990 to 2100 is 0.6e9 to 4.2e9 in seconds, and a thousand times that in each finer unit. */
function unitOf(number: number): "s" | "ms" | "us" | "ns" {
  if (number < 1e11) return "s";
  if (number < 1e14) return "ms";
  return number < 1e17 ? "us" : "ns";
}

function timeViolation(value: unknown, unit: TimeUnit): Violation {
  return { code: "wrong-type", wanted: WORDS[unit], got: shown(value), path: "" };
}
