/** Records that already are events and items in our format. */

import { checkEvent, checkItem } from "../../src/events/check.ts";
import type { ItemRecord } from "../../src/events/event.ts";
import { reject } from "../../src/events/rejected.ts";
import { mapEach, type MappedRecords, MAX_MAPPED } from "../../src/mapping/entries.ts";
import type { RecordMeta } from "../../src/mapping/scope.ts";

/** Whether a value is an item rather than an event, which has a type. */
function isOwnItem(value: unknown): value is ItemRecord {
  return typeof value === "object" && value !== null && !("type" in value) && "item" in value;
}

/** Accepts a value, or each value of a list, unchanged. A tombstone removes the item of its key. Does not throw. */
export function mapOwn(value: unknown, { tombstone, key, time = 0 }: RecordMeta = {}): MappedRecords {
  if (tombstone) return removalOf(key ?? null, time);
  if (!Array.isArray(value)) return takeOwn(value);
  if (value.length <= MAX_MAPPED) return mapEach(value, takeOwn);
  return reject(
    "too-many-items",
    `Cannot take ${value.length} events and items from one record: at most ${MAX_MAPPED} are allowed`,
  );
}

function takeOwn(value: unknown): MappedRecords {
  if (isOwnItem(value)) {
    const checked = checkItem(value);
    return checked.ok ? { ok: true, records: [{ kind: "item", item: checked.item }] } : checked;
  }
  const checked = checkEvent(value);
  return checked.ok ? { ok: true, records: [{ kind: "event", event: checked.event }] } : checked;
}

/** The removal of an item; nothing without a key. */
function removalOf(key: string | null, time: number): MappedRecords {
  if (key === null) return { ok: true, records: [] };
  const checked = checkItem({ item: key, time });
  return checked.ok
    ? { ok: true, records: [{ kind: "item", item: checked.item, isRemoved: true }] }
    : checked;
}
