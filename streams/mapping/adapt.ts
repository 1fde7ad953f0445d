/** Validates the events and items that an adapter makes from a value. */

import type { Mapped } from "../../src/adapters/mapped.ts";
import { checkEvent, checkItem } from "../../src/events/check.ts";
import type { OwnRecord } from "../../src/events/own_record.ts";
import { reject } from "../../src/events/rejected.ts";
import type { MappedRecords } from "../../src/mapping/entries.ts";

/**
 * Runs an adapter and validates its output, which is accepted as a whole or not at all. A `SyntaxError` of the adapter
 * is a rejection.
 */
export function adapt(map: () => Mapped): MappedRecords {
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
