/**
 * Foreign JSON, record by record, wherever it comes from: a file, a topic.
 *
 * @module
 */

import { parseEasyRec } from "../../src/adapters/easyrec.ts";
import { parseGorse } from "../../src/adapters/gorse.ts";
import type { Mapped } from "../../src/adapters/mapped.ts";
import { parseMetarank } from "../../src/adapters/metarank.ts";
import { checkEvent, checkItem } from "../../src/events/check.ts";
import type { Event, ItemRecord } from "../../src/events/event.ts";
import { parseJson } from "../../src/events/json.ts";
import { reject, type Rejected } from "../../src/events/rejected.ts";
import type { OwnRecord } from "../topics/own_records.ts";

/** How a JSON value of a format is taken; `time` is that of what has none. Throws a SyntaxError when it cannot be. */
export type JsonAdapter = (value: unknown, options: { readonly time: number }) => Mapped;

/** Formats whose records are JSON, so that they may come from a topic. */
export const JSON_FORMATS = ["meander", "metarank", "gorse", "easyrec"] as const;

/** One of {@linkcode JSON_FORMATS}. */
export type JsonFormat = (typeof JSON_FORMATS)[number];

/** Adapters of the formats that are JSON. */
export const JSON_ADAPTERS: Readonly<Record<JsonFormat, JsonAdapter>> = {
  meander: parseOwn,
  metarank: parseMetarank,
  gorse: parseGorse,
  easyrec: parseEasyRec,
};

/** What a record gives, or why it is refused. */
export type Adapted = { readonly ok: true; readonly records: readonly OwnRecord[] } | Rejected;

/**
 * Runs an adapter, and checks what it makes: all of it is taken or none. A `SyntaxError` of the adapter is a rejection.
 */
export function adapt(map: () => Mapped): Adapted {
  let mapped: Mapped;
  try {
    mapped = map();
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return reject("malformed-row", error.message);
  }
  const records: OwnRecord[] = [];
  for (const item of mapped.items ?? []) {
    const checked = checkItem(item);
    if (!checked.ok) return checked;
    records.push({ kind: "item", item });
  }
  for (const event of mapped.events ?? []) {
    const checked = checkEvent(event);
    if (!checked.ok) return checked;
    records.push({ kind: "event", event });
  }
  return { ok: true, records };
}

/** Takes bytes of JSON: a value, or a list of values that are taken all or none. */
export function adaptJson(bytes: Uint8Array, adapter: JsonAdapter, time: number): Adapted {
  const parsed = parseJson(bytes, "record");
  if (!parsed.ok) return parsed;
  const { value } = parsed;
  if (!Array.isArray(value)) return adapt(() => adapter(value, { time }));
  return adapt(() => {
    const all = value.map((each) => adapter(each, { time }));
    return {
      items: all.flatMap(({ items = [] }) => items),
      events: all.flatMap(({ events = [] }) => events),
    };
  });
}

/** Ours: an event has a type, an item has none. The validator says what is wrong. */
function parseOwn(value: unknown): Mapped {
  const isItem = typeof value === "object" && value !== null && !("type" in value) && "item" in value;
  return isItem ? { items: [value as ItemRecord] } : { events: [value as Event] };
}
