/** Where to begin with a topic that was never read. */

import { parseDate } from "../../src/adapters/mapped.ts";

/** The oldest record, the end, the first record of a time, or an offset per partition. */
export type Start =
  | "earliest"
  | "latest"
  /** Time of the record, milliseconds since the epoch. */
  | { readonly time: number }
  /** Offsets by partition; others begin at the oldest record. */
  | { readonly offsets: ReadonlyMap<number, number> };

export const DEFAULT_START = "earliest";

/** The texts that {@linkcode parseStart} takes, for people. */
export const START_WORDS =
  "earliest, latest, a time (2026-11-01T00:00:00Z) or offsets by partition (0:1200,1:800)";

const TIME = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d))?$/;
const OFFSETS = /^\d{1,9}:\d{1,15}(,\d{1,9}:\d{1,15})*$/;

/**
 * Parses a start. A date is its midnight in UTC.
 *
 * @throws SyntaxError
 *
 * @example
 * ```ts
 * import { parseStart } from "@meander/meander/log";
 * import assert from "node:assert/strict";
 *
 * assert.deepEqual(parseStart("2026-11-01"), { time: Date.UTC(2026, 10, 1) });
 * assert.deepEqual(parseStart("0:12,3:7"), { offsets: new Map([[0, 12], [3, 7]]) });
 * ```
 */
export function parseStart(text: string): Start {
  if (text === "earliest" || text === "latest") return text;
  if (OFFSETS.test(text)) {
    const pairs = text.split(",").map((pair) => pair.split(":").map(Number));
    const offsets = new Map(pairs.map(([partition = 0, offset = 0]) => [partition, offset]));
    if (offsets.size === pairs.length) return { offsets };
  }
  const time = TIME.test(text) ? parseDate(text) : NaN;
  if (time >= 0) return { time };
  throw new SyntaxError(`Cannot read ${JSON.stringify(text)} as a start: expected ${START_WORDS}`);
}
