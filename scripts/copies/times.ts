/** Parses times in flags. */

import { InvalidArgumentError } from "commander";
import { parseDate } from "../../src/adapters/mapped.ts";

/** Milliseconds since the epoch, from ISO 8601 (UTC unless it names a zone) or from digits. */
export function timeOf(text: string): number {
  if (/^\d{12,13}$/.test(text)) return Number(text);
  const isIso = /^\d{4}-\d\d-\d\d(?:T[\d:.]+(?:Z|[+-]\d\d:\d\d)?)?$/.test(text);
  const time = isIso ? parseDate(text) : NaN;
  if (Number.isNaN(time)) {
    throw new InvalidArgumentError("Not a time such as 2026-11-28 or 2026-11-28T09:00:00Z.");
  }
  return time;
}
