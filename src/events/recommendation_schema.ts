/**
 * Recommendations, described once, as data, as events are in `schema.ts`.
 *
 * @module
 */

import { counter, type Fields, id, name, position, probability, time } from "./field.ts";
import { MAX_EXPOSURES, MAX_ITEMS } from "./limits.ts";
import {
  EMPTY_REASONS,
  ORDERED_BY,
  type Recommendation,
  type RecommendationExposure,
  type RecommendedItem,
  SCORE_KINDS,
  type ScoredItem,
  type ShadowSlate,
} from "./recommendation.ts";

const ORDER = {
  kind: "number",
  optional: true,
  about: "What the policy chose by, as log-odds but for a constant; only where candidates are logged.",
} as const;

const RECOMMENDED_ITEM_FIELDS: Fields<RecommendedItem> = {
  item: { ...id, about: "The item." },
  score: { kind: "number", about: "A probability or a share, in [0, 1]: scoreKind says which." },
  order: ORDER,
  position: { ...position, about: "0 is the top." },
  propensity: {
    ...probability,
    about: "Probability with which the policy chose the item at its position.",
  },
  source: { ...name, about: "Where the candidate came from." },
  team: {
    ...name,
    optional: true,
    about: "The variant that is credited with it, in a list that was interleaved.",
  },
};

const PHASE = {
  ...counter,
  optional: true,
  about: "How often the experiment had been started again with other settings; absent = never.",
} as const;

const EXPOSURE_FIELDS: Fields<RecommendationExposure> = {
  experiment: { ...name, about: "Name of the experiment." },
  variant: { ...name, about: "Name of the user's variant in it." },
  phase: PHASE,
};

const SCORED_ITEM_FIELDS: Fields<ScoredItem> = {
  item: { ...id, about: "The item." },
  score: { kind: "number", about: "As in the list: scoreKind says what it is; larger is better." },
  order: ORDER,
};

const SHADOW_FIELDS: Fields<ShadowSlate> = {
  variant: { ...name, about: "Name of the variant." },
  model: {
    ...name,
    about: "Name of the model that scored; `model@version` when an experiment pins the version.",
  },
  version: { ...counter, about: "Version of its parameters." },
  items: {
    kind: "list",
    of: { kind: "object", fields: Object.entries(SCORED_ITEM_FIELDS) },
    minItems: 0,
    maxItems: MAX_ITEMS,
    about: "Its list, best first.",
  },
};

/** The fields of a recommendation. */
export const RECOMMENDATION_FIELDS: Fields<Recommendation> = {
  request: { ...id, about: "Id of the request that it answers." },
  user: { ...id, about: "For whom; the key of the record on the recommendations topic." },
  time: { ...time, about: "Event time of the request." },
  items: {
    kind: "list",
    of: {
      kind: "object",
      fields: Object.entries(RECOMMENDED_ITEM_FIELDS),
    },
    minItems: 0,
    maxItems: MAX_ITEMS,
    about: "The ranked items, best first.",
  },
  model: {
    ...name,
    about: "Name of the model that scored; `model@version` when an experiment pins the version.",
  },
  version: { ...counter, about: "Version of its parameters." },
  orderedBy: {
    kind: "choice",
    of: ORDERED_BY,
    optional: true,
    about: "Who ordered the list: the model, the click rates so far (prior) or a mix of them until it has " +
      "proved itself, what retrieval has learnt (blend), both, several parts (stack), the list that was asked for, or several variants.",
  },
  scoreKind: {
    kind: "choice",
    of: SCORE_KINDS,
    optional: true,
    about:
      "What all scores in it are: the probability of a positive if the item is shown (probability), or, while " +
      "there are too few outcomes to know that, the share of the item in what is expected to be taken among all " +
      "candidates (share).",
  },
  modelShare: {
    kind: "number",
    minimum: 0,
    maximum: 1,
    optional: true,
    about:
      "Share of the model in the scores while it has yet to prove itself; the rest is click rates so far.",
  },
  stateVersion: { ...counter, about: "Number of behaviours that the user's state had folded." },
  experiment: { ...name, optional: true, about: "Name of the experiment." },
  variant: { ...name, optional: true, about: "Name of the user's variant in it." },
  phase: PHASE,
  exposures: {
    kind: "list",
    of: { kind: "object", fields: Object.entries(EXPOSURE_FIELDS) },
    minItems: 1,
    maxItems: MAX_EXPOSURES,
    optional: true,
    about: "All experiments that it was part of, when they are several.",
  },
  shadows: {
    kind: "list",
    of: { kind: "object", fields: Object.entries(SHADOW_FIELDS) },
    minItems: 1,
    maxItems: MAX_EXPOSURES,
    optional: true,
    about: "What shadow variants would have answered.",
  },
  others: {
    kind: "list",
    of: { kind: "object", fields: Object.entries(SCORED_ITEM_FIELDS) },
    minItems: 0,
    maxItems: MAX_ITEMS,
    optional: true,
    about: "Candidates that were scored and not chosen, if the deployment logs them.",
  },
  empty: {
    kind: "choice",
    of: Object.keys(EMPTY_REASONS),
    optional: true,
    about: "Why there are no items: the last of these steps, in this order, that any item came to.",
  },
  degraded: {
    kind: "choice",
    of: ["late"],
    optional: true,
    about: "Why it is less than it could be: late = made without a model, since the time was over.",
  },
  tookMicros: { kind: "number", minimum: 0, about: "Microseconds from taking the request up to the answer." },
};
