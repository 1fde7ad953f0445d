/** Filters out the repeats of at-least-once delivery, for readers of recommendations. */

import type { LogRecord } from "../log/log.ts";
import { INPUT } from "./delivery.ts";

/** Number of offsets before the newest for which outputs are remembered. */
const WINDOW = 100_000;

/**
 * Recognises outputs that were read before, among the newest `window` offsets of each input partition. A repeat arrives
 * within one commit of its task, 1000 events by default.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { RepeatFilter } from "@meander/meander/log";
 *
 * const filter = new RepeatFilter();
 * const record = { topic: "recommendations", headers: { input: "0/17/0" } };
 * assert.equal(filter.isNew(record), true);
 * assert.equal(filter.isNew(record), false);
 * ```
 */
export class RepeatFilter {
  readonly #window: number;
  /** Values of the header `input` in the order of arrival, by topic and input partition. */
  readonly #seen = new Map<string, Set<string>>();

  /** Starts empty. @param window number of offsets to remember */
  constructor(window = WINDOW) {
    this.#window = window;
  }

  /** Whether an output is read for the first time; always true without the header. */
  isNew({ topic, headers }: Pick<LogRecord, "topic" | "headers">): boolean {
    const number = headers[INPUT];
    if (number === undefined) return true;
    const place = `${topic}/${number.slice(0, number.indexOf("/"))}`;
    const seen = this.#seen.get(place) ?? new Set();
    this.#seen.set(place, seen);
    if (seen.has(number)) return false;
    seen.add(number);
    const oldest = offsetOf(number) - this.#window;
    for (const one of seen) {
      if (offsetOf(one) >= oldest) break;
      seen.delete(one);
    }
    return true;
  }
}

function offsetOf(number: string): number {
  return Number(number.split("/")[1]);
}
