/** Merges the behaviours of an anonymous session into those of its user. */

import type { MergedBehaviour } from "../../events/event.ts";
import type { SequenceSlab } from "./sequence.ts";

/**
 * The behaviours that are not in the user's sequence yet, by time, so a merge that is repeated or extended adds only what
 * is new.
 *
 * @param itemAt index in the catalogue of an item's id
 */
export function newBehaviours(
  sequences: SequenceSlab,
  row: number,
  behaviours: readonly MergedBehaviour[],
  itemAt: (id: string, time: number) => number,
): readonly (MergedBehaviour & { readonly index: number })[] {
  const keyOf = (item: number, action: string, time: number) => `${item} ${time} ${action}`;
  const known = new Set(
    Array.from(
      { length: sequences.length(row) },
      (_, i) => keyOf(sequences.item(row, i), sequences.action(row, i), sequences.time(row, i)),
    ),
  );
  return behaviours.toSorted((a, b) => a.time - b.time).flatMap((behaviour) => {
    const { item, action, time } = behaviour;
    const index = itemAt(item, time);
    const key = keyOf(index, action, time);
    if (known.has(key)) return [];
    known.add(key);
    return [{ ...behaviour, index }];
  });
}
