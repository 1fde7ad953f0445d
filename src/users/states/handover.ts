/**
 * Hands over the behaviours and attributes of an alias to the user that it stands for, as events of that user.
 */

import type { Attributes, MergedBehaviour, MergeEvent } from "../../events/event.ts";
import { MAX_ATTRIBUTES, MAX_ITEMS, MAX_RECORD_BYTES } from "../../events/limits.ts";
import type { Alias } from "./aliases.ts";

/** Most bytes of UTF-8 per character of JSON. */
const LETTER_BYTES = 3;

/**
 * `merge` events that give a user the behaviours and attributes of an alias; none if it has none. Each fits into a
 * record.
 *
 * @param hasLists whether the alias has open lists; then there is an event even if nothing is handed over
 */
export function handedOver(
  from: string,
  { of: user, until: time }: Alias,
  behaviours: readonly MergedBehaviour[],
  attributes: Attributes,
  hasLists = false,
): MergeEvent[] {
  const base = { type: "merge", user, from, time } as const;
  const given = Object.entries(attributes);
  if (hasLists && behaviours.length + given.length === 0) return [{ ...base, behaviours: [] }];
  return [
    ...parts(behaviours, MAX_ITEMS).map((behaviours) => ({ ...base, behaviours })),
    ...parts(given, MAX_ATTRIBUTES).map((entries) => {
      return { ...base, behaviours: [], attributes: Object.fromEntries(entries) };
    }),
  ];
}

/** Cuts a list into parts of at most `most` entries, each of at most half a record. */
function parts<T>(list: readonly T[], most: number): T[][] {
  const made: T[][] = [];
  let room = 0;
  for (const entry of list) {
    const bytes = LETTER_BYTES * JSON.stringify(entry).length;
    if (made.length === 0 || made.at(-1)!.length === most || bytes > room) {
      made.push([]);
      room = MAX_RECORD_BYTES / 2;
    }
    made.at(-1)!.push(entry);
    room -= bytes;
  }
  return made;
}
