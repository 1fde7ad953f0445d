/**
 * How often a user was shown an item, for frequency caps.
 *
 * By default only lists whose outcome is open count, which are those of the newest outcome window. With
 * `frequency.remembered`, the newest n shown items are part of the user's state, at about 4 bytes each.
 */

import type { Frequency } from "../events/event.ts";
import type { Rows } from "../samples/rows.ts";
import { isShown } from "./pending/pending.ts";
import type { ShownItem, UserState } from "./user_state.ts";

/** How often the same item may be shown, unless a request says otherwise. */
export interface FrequencyOptions extends Frequency {
  /** Newest shown items to remember per user; 0: count open lists only. @default {0} */
  readonly remembered?: number;
}

/**
 * Remembers the items of a shown list. O(new + kept)
 *
 * @param list what was shown, and when
 * @param before the same list before its confirmation, if its items are already remembered
 */
export function rememberShown(
  user: UserState,
  { rows, time }: { readonly rows: Rows; readonly time: number },
  before: Rows | undefined,
  remembered: number,
): void {
  if (remembered === 0) return;
  const shown = [...user.shown];
  for (let row = 0; row < rows.length; row++) {
    const item = rows.items[row]!.index;
    if (before === undefined || before.find(item) < 0) shown.push({ item, time });
  }
  user.shown = shown.slice(-remembered);
}

/**
 * Indices of the items that were shown at least `most` times in (time − within, time].
 *
 * @param remembered number of remembered items, as for {@linkcode rememberShown}
 */
export function overshown(
  user: UserState,
  { most, withinMs }: Frequency,
  time: number,
  remembered: number,
): ReadonlySet<number> {
  const counts = new Map<number, number>();
  const over = new Set<number>();
  const count = ({ item, time: at }: ShownItem) => {
    if (at <= time - withinMs || at > time) return;
    const times = (counts.get(item) ?? 0) + 1;
    counts.set(item, times);
    if (times >= most) over.add(item);
  };
  if (remembered > 0) { for (const each of user.shown) count(each); }
  else {
    for (const list of user.pending.values()) {
      const { time, rows } = list;
      if (!isShown(list)) continue;
      for (let row = 0; row < rows.length; row++) count({ item: rows.items[row]!.index, time });
    }
  }
  return over;
}
