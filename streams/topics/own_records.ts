/**
 * Events and items as records for the log.
 *
 * @module
 */

import { recordBytes } from "../../src/events/codec.ts";
import type { Event, ItemRecord } from "../../src/events/event.ts";
import type { Rejected } from "../../src/events/rejected.ts";
import type { NewRecord } from "../log/log.ts";
import type { Topics } from "./topics.ts";

/** An event or an item that was checked. */
export type OwnRecord =
  | { readonly kind: "event"; readonly event: Event }
  | { readonly kind: "item"; readonly item: ItemRecord };

/** The record of an event or an item, unless it is too large for the log. @param time of the record, not the event */
export function newRecord(
  { events, items }: Pick<Topics, "events" | "items">,
  own: OwnRecord,
  time: number,
): NewRecord | Rejected {
  const isEvent = own.kind === "event";
  const value = recordBytes(isEvent ? own.event : own.item, own.kind);
  if (!(value instanceof Uint8Array)) return value;
  return isEvent
    ? { topic: events, key: own.event.user, value, time }
    : { topic: items, key: own.item.item, value, time };
}
