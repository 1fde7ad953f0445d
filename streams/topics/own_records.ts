/** Events and items as records for the log. */

import { recordBytes } from "../../src/events/codec.ts";
import type { OwnRecord } from "../../src/events/own_record.ts";
import type { Rejected } from "../../src/events/rejected.ts";
import type { NewRecord } from "../log/log.ts";
import type { Topics } from "./topics.ts";

/** The record of an event or item, or a rejection if it is too large. @param time of the record, not of the event */
export function newRecord(
  { events, items }: Pick<Topics, "events" | "items">,
  own: OwnRecord,
  time: number,
): NewRecord | Rejected {
  const isEvent = own.kind === "event";
  if (!isEvent && own.isRemoved) return { topic: items, key: own.item.item, value: null, time };
  const value = recordBytes(isEvent ? own.event : own.item, own.kind);
  if (!(value instanceof Uint8Array)) return value;
  return isEvent
    ? { topic: events, key: own.event.user, value, time }
    : { topic: items, key: own.item.item, value, time };
}
