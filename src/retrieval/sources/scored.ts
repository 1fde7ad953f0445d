/**
 * Proposing from scores by item, and from lists by counts: what most sources do with what they know.
 *
 * @module
 */

import type { DecayedCounts } from "../items/decayed_counts.ts";
import type { ItemScores } from "../items/item_scores.ts";
import type { SourceActs } from "./source.ts";

/** By a column of scores. */
export function byScores(scores: ItemScores, column = 0): Pick<SourceActs, "propose" | "score"> {
  return {
    propose: (limit, may) => scores.best(limit, may, column),
    score: (items, into) => scores.pick(items, column, into),
  };
}

/** By counts, of which a list has the largest. */
export function byCounts(
  list: () => Uint32Array,
  counts: DecayedCounts,
): Pick<SourceActs, "propose" | "score" | "list"> {
  return {
    list,
    propose: (limit, may) => {
      const ranked = list();
      const items: number[] = [];
      let border = 0;
      for (let place = 0; place < ranked.length; place++) {
        const item = ranked[place]!;
        const count = counts.count(item);
        if (count === 0 || (items.length >= limit && count < border)) break;
        if (may(item) && items.push(item) === limit) border = count;
      }
      return items;
    },
    score: (items, into) => {
      let most = 0;
      for (let c = 0; c < items.length; c++) {
        const count = into[c] = counts.count(items[c]!);
        if (count > most) most = count;
      }
      return most;
    },
  };
}
