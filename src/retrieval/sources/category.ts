/** Popular items of the categories of the newest behaviours, and of those that usually come next. */

import type { ItemLists } from "../items/item_lists.ts";
import { ItemScores } from "../items/item_scores.ts";
import { CategoryTransitions } from "../folds/category_transitions.ts";
import { byRequest } from "../items/scored.ts";
import type { CandidateRequest } from "../signals/candidate_request.ts";
import { durable, type SourceKind } from "./source.ts";

/** Weight of a behaviour relative to the next newer one, and number of behaviours that count. */
const STEP = 0.5;
const BEHAVIOURS = 5;
/** Number of categories that come next, and of items of each. */
const NEXT_CATEGORIES = 6;
const NEXT_ITEMS = 10;

/** Popular items in the categories of the newest behaviours, or in those that the request names. */
export const CATEGORY: SourceKind = {
  name: "category",
  proposals: 60,
  weight: 0.3,
  create: ({ lists }) => {
    /** By number of a category: its weight, and the score of an item per unit of its popularity. */
    const [weights, scales] = [new ItemScores(), new ItemScores()];
    return {
      ...byRequest(({ context, categories }: CandidateRequest, scores) => {
        weights.clear();
        scales.clear();
        for (let x = 0; x < Math.min(BEHAVIOURS, context.size); x++) {
          for (const category of lists.categoriesOf(context.items[x]!)) weights.add(category, STEP ** x);
        }
        for (const category of categories ?? []) {
          const number = lists.numberOf(category);
          if (number !== undefined) weights.add(number, 1);
        }
        for (const category of weights.items()) {
          scales.add(category, scorePopular(lists, category, weights.get(category), scores));
        }
      }),
      // All items of the categories, whether or not they are on the lists.
      score: (items, into) => {
        const { popularity } = lists;
        let most = 0;
        for (let c = 0; c < items.length; c++) {
          const categories = lists.categoriesOf(items[c]!);
          let scale = 0;
          for (let k = 0; k < categories.length; k++) scale += scales.get(categories[k]!);
          const score = into[c] = scale * popularity.count(items[c]!);
          if (score > most) most = score;
        }
        return most;
      },
    };
  },
};

/** Popular items in the categories that usually follow the newest one. */
export const NEXT_CATEGORY: SourceKind = {
  name: "next-category",
  proposals: 40,
  weight: 0.1,
  create: ({ catalogue, lists, pace }) => {
    const transitions = new CategoryTransitions(lists.halfLifeMs);
    return {
      ...byRequest(({ context }: CandidateRequest, scores) => {
        const first = context.size === 0 ? undefined : catalogue.at(context.items[0]!).categories[0];
        if (first === undefined) return;
        for (const { category, share } of transitions.after(first, NEXT_CATEGORIES)) {
          const number = lists.numberOf(category);
          if (number !== undefined) scorePopular(lists, number, share, scores, NEXT_ITEMS);
        }
      }),
      learn: ({ step, time }) => {
        if (step !== null) transitions.learn(step[0], step[1], pace.at(time));
      },
      ...durable(transitions),
    };
  },
};

/** Scores the popular items of a category. @returns The score per unit of popularity. */
function scorePopular(
  lists: ItemLists,
  category: number,
  weight: number,
  into: ItemScores,
  limit = Infinity,
): number {
  const items = lists.category(category);
  const { popularity } = lists;
  let all = 0;
  for (let rank = 0; rank < items.length; rank++) all += popularity.count(items[rank]!);
  // A compromise between an item's count, which favours large categories, and its share of the category, which favours
  // small ones.
  const scaled = all > 0 ? weight / Math.sqrt(all) : 0;
  const count = Math.min(limit, items.length);
  for (let rank = 0; rank < count; rank++) into.add(items[rank]!, scaled * popularity.count(items[rank]!));
  return scaled;
}
