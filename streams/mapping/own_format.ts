/**
 * Records that are events and items of ours already.
 *
 * @module
 */

import { checkEvent, checkItem } from "../../src/events/check.ts";
import type { ItemRecord } from "../../src/events/event.ts";
import type { OwnRecord } from "../../src/events/own_record.ts";
import { reject } from "../../src/events/rejected.ts";
import { type MappedRecords, MAX_MAPPED } from "../../src/mapping/mapping.ts";

/** Whether a value is meant as an item: an event has a type. */
export function isOwnItem(value: unknown): value is ItemRecord {
  return typeof value === "object" && value !== null && !("type" in value) && "item" in value;
}

/** Takes a value, or a list of them, as it is; all of it or nothing. Does not throw. */
export function mapOwn(value: unknown): MappedRecords {
  const values: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (values.length > MAX_MAPPED) {
    return reject(
      "too-many-items",
      `Cannot take ${values.length} events and items of one record: ${MAX_MAPPED} may be`,
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
