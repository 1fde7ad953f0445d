/**
 * Items without a catalogue record. Any sender of events can invent ids. Memory for an id is never released, so their
 * number is bounded (`items/room.ts`); and one event on a new id could put it first on most lists, so where the
 * catalogue lists nearly all that users take, other items are not recommended.
 */

import type { Catalogue, CatalogueItem } from "../items/catalogue.ts";
import type { TaskCounters } from "./task_counters.ts";
import type { TaskRejection } from "./task_outputs.ts";

/** Fewest behaviours on listed items before a catalogue counts as complete. */
const ENOUGH = 1000;
/** Fewest behaviours on listed items per behaviour on an unlisted one in a complete catalogue. */
const PER_UNLISTED = 100;

/** What {@linkcode judgeCatalogue} reads and changes. */
interface Judged {
  readonly catalogue: Catalogue;
  readonly counters: TaskCounters;
}

export function countBehaviour(judged: Judged, { listed }: CatalogueItem): void {
  judged.counters[listed ? "listedBehaviours" : "unlistedBehaviours"]++;
  judgeCatalogue(judged);
}

/** Sets whether a catalogue counts as complete, by the behaviours counted so far. */
export function judgeCatalogue({ catalogue, counters }: Judged): void {
  const { listedBehaviours, unlistedBehaviours } = counters;
  catalogue.isComplete = listedBehaviours >= Math.max(ENOUGH, PER_UNLISTED * unlistedBehaviours);
}

/** Why an event's items cannot be added to the catalogue, or `null` if they are in it or there is room for them. */
export function rejectUnknown(
  catalogue: Catalogue,
  items: readonly string[],
  user: string,
): TaskRejection | null {
  const { room } = catalogue;
  if (room.open >= items.length) return null;
  const unknown = new Set(items.filter((id) => catalogue.get(id) === undefined));
  if (room.admits([...unknown], user)) return null;
  const reason =
    `Cannot take ${unknown.size} items that are not in the catalogue: there is room for ${room.open} more that ` +
    "nobody else has named; send them to `items` first, or raise maxUnlistedItems";
  return { code: "unknown-item", reason };
}
