/** Records that callers send, weighed by the work that they cause for the tasks. The unit is an interaction. */

import type { Event } from "../../../src/events/event.ts";
import type { OwnRecord } from "../../../src/events/own_record.ts";
import type { NewRecord } from "../../log/log.ts";

/** A record to append, weighed. */
export interface ArrivingRecord extends NewRecord {
  /** See {@linkcode workOf}. */
  readonly work: number;
}

/** Items scored, and bytes parsed, in the time that an interaction takes; measured with two models. */
const SCORED = 5;
const BYTES = 10_000;
/** Items that are scored for a list whose candidates are retrieved. */
const RETRIEVED = 100;

/**
 * The work of applying an event or item, relative to that of an interaction. An integer, so that sums are exact and
 * come back to 0.
 *
 * @param bytes of its record
 */
export function workOf(own: OwnRecord, bytes: number): number {
  const items = own.kind === "event" ? itemsOf(own.event) : 0;
  return Math.floor(1 + items / SCORED + bytes / BYTES);
}

function itemsOf(event: Event): number {
  switch (event.type) {
    case "impression":
      return event.items.length;
    case "request":
      return event.count + (event.candidates?.length ?? RETRIEVED);
    case "merge":
      return event.behaviours.length;
    default:
      return 0;
  }
}
