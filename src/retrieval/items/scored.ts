/** Proposes from scores by item, or from lists sorted by counts; most sources use one of the two. */

import type { DecayedCounts } from "./decayed_counts.ts";
import { ItemScores } from "./item_scores.ts";

/** Proposes and scores: two of the methods of `SourceActs`. */
export interface ScoredItems {
  /** The best items, about `limit` of them, in no order. */
  propose(limit: number, may: (item: number) => boolean): readonly number[];
  /** Puts the scores of items into `into`. @returns the largest */
  score(items: readonly number[], into: Float64Array): number;
}

/** Proposes by a column of scores. */
export function byScores(scores: ItemScores, column = 0): ScoredItems {
  return {
    propose: (limit, may) => scores.best(limit, may, column),
    score: (items, into) => scores.pick(items, column, into),
  };
}

/** Proposes by scores that are made anew for each request. @param fill makes them, from none */
export function byRequest<Asked>(
  fill: (request: Asked, scores: ItemScores) => void,
): ScoredItems & { ask(request: Asked): void } {
  const scores = new ItemScores();
  const ask = (request: Asked) => {
    scores.clear();
    fill(request, scores);
  };
  return { ...byScores(scores), ask };
}

/** Proposes by counts. @param list Items with the largest counts, largest first */
export function byCounts(
  list: () => Uint32Array,
  counts: DecayedCounts,
): ScoredItems & { list(): Uint32Array } {
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
