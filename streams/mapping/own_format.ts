/**
 * Records that already are events and items in our format.
 *
 * @module
 */

import { checkEvent, checkItem } from "../../src/events/check.ts";
import type { ItemRecord } from "../../src/events/event.ts";
import type { OwnRecord } from "../../src/events/own_record.ts";
import { reject } from "../../src/events/rejected.ts";
import { type MappedRecords, MAX_MAPPED } from "../../src/mapping/mapping.ts";
import type { RecordMeta } from "../../src/mapping/scope.ts";

/** Whether a value is an item rather than an event, which has a type. */
export function isOwnItem(value: unknown): value is ItemRecord {
  return typeof value === "object" && value !== null && !("type" in value) && "item" in value;
}

/** Takes a value, or each value of a list, unchanged: all or none. A tombstone removes the item of its key. Does not throw. */
export function mapOwn(value: unknown, { tombstone, key, time = 0 }: RecordMeta = {}): MappedRecords {
  if (tombstone) return removalOf(key ?? null, time);
  const values: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (values.length > MAX_MAPPED) {
    return reject(
      "too-many-items",
      `Cannot take ${values.length} events and items from one record: at most ${MAX_MAPPED} are allowed`,
    );
  }
  const records: OwnRecord[] = [];
  for (const each of values) {
    if (isOwnItem(each)) {
      const checked = checkItem(each);
      if (!checked.ok) return checked;
      records.push({ kind: "item", item: checked.item });
    } else {
      const checked = checkEvent(each);
      if (!checked.ok) return checked;
      records.push({ kind: "event", event: checked.event });
    }
  }
  return { ok: true, records };
}

/** The removal of an item; nothing without a key. */
export function removalOf(key: string | null, time: number): MappedRecords {
  if (key === null) return { ok: true, records: [] };
  const checked = checkItem({ item: key, time });
  return checked.ok
    ? { ok: true, records: [{ kind: "item", item: checked.item, isRemoved: true }] }
    : checked;
}
