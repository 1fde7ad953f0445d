/**
 * Sources by pairs of items that occur together: within the time `far`, on the same page, and liked by the same people at
 * any time. All read the counts of `neighbours.ts`; the first one learns and scores for all of them.
 */

import { PAIR_COLUMNS } from "../folds/pair_scores.ts";
import { byScores } from "../items/scored.ts";
import { durable, type SourceKind } from "./source.ts";

/** Items that occur together with those of the newest behaviours, within `Pace.farMs`. */
export const CO_VISITED: SourceKind = {
  name: "co-visited",
  proposals: 100,
  weight: 0.9,
  create: ({ catalogue, neighbours, pairs }) => ({
    ...byScores(pairs.scores, PAIR_COLUMNS.far),
    ask: (request) => pairs.ask(request),
    learn: (signal) => neighbours.learn(signal, (a, b) => catalogue.compare(a, b)),
    ...durable(neighbours),
  }),
};

/** The same within `Pace.nearMs`. A subset of the co-visited items, so it proposes none of its own. */
export const SAME_PAGE: SourceKind = {
  name: "same-page",
  proposals: 0,
  weight: 0.5,
  create: ({ pairs }) => byScores(pairs.scores, PAIR_COLUMNS.near),
};

/** Items liked by people who like what the user likes, at any time. */
export const TOGETHER_LIKED: SourceKind = {
  name: "together",
  proposals: 20,
  weight: 0.15,
  create: ({ pairs }) => byScores(pairs.scores, PAIR_COLUMNS.together),
};
