/**
 * Items without a catalogue record. Memory for an id is never released, and any sender of events can invent ids, so their
 * number is bounded.
 *
 * @module
 */

import type { Catalogue } from "../items/catalogue.ts";
import type { TaskRejection } from "./task_outputs.ts";

/** Why an event's items cannot be added to the catalogue, or `null` if they are in it or there is room for them. */
export function rejectUnknown(catalogue: Catalogue, items: readonly string[]): TaskRejection | null {
  const { room } = catalogue;
  if (room >= items.length) return null;
  const unknown = new Set(items.filter((id) => catalogue.get(id) === undefined));
  if (unknown.size <= room) return null;
  const reason =
    `Cannot take ${unknown.size} items that are not in the catalogue: there is room for ${room} more; ` +
    "send them to `items` first, or raise maxUnlistedItems";
  return { code: "unknown-item", reason };
}
