/** Recommendations, described once, as data, like the events in `schema.ts`. */

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
  about: "The value that the policy chose by: log-odds up to a constant; only if candidates are logged.",
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
    about: "In an interleaved list, the variant credited with its outcome.",
  },
};

const PHASE = {
  ...counter,
  optional: true,
  about: "How often what the experiment compares had changed; absent = never.",
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

export const RECOMMENDATION_FIELDS: Fields<Recommendation> = {
  request: { ...id, about: "Id of the request that it answers." },
  user: { ...id, about: "Id of the user; the key of the record on the recommendations topic." },
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
    about: "What ordered the list: the model, the click rates so far (prior) or a mix of them until it has " +
      "proved itself, what retrieval has learnt (blend), both, several parts (stack), the requested list, or several " +
      "variants.",
  },
  scoreKind: {
    kind: "choice",
    of: SCORE_KINDS,
    optional: true,
    about:
      "Kind of all its scores: the probability of a positive if the item is shown (probability) or, while " +
      "there are too few outcomes, the item's expected share of what is taken among all candidates (share).",
  },
  modelShare: {
    kind: "number",
    minimum: 0,
    maximum: 1,
    optional: true,
    about:
      "Share of the model in the scores until it has proved itself; the click rates so far have the rest.",
  },
  stateVersion: { ...counter, about: "Number of behaviours in the user's state." },
  experiment: { ...name, optional: true, about: "Name of the experiment." },
  variant: { ...name, optional: true, about: "Name of the user's variant in it." },
  phase: PHASE,
  exposures: {
    kind: "list",
    of: { kind: "object", fields: Object.entries(EXPOSURE_FIELDS) },
    minItems: 1,
    maxItems: MAX_EXPOSURES,
    optional: true,
    about: "All experiments that it is part of, when there are several.",
  },
  shadows: {
    kind: "list",
    of: { kind: "object", fields: Object.entries(SHADOW_FIELDS) },
    minItems: 1,
    maxItems: MAX_EXPOSURES,
    optional: true,
    about: "The lists of shadow variants.",
  },
  others: {
    kind: "list",
    of: { kind: "object", fields: Object.entries(SCORED_ITEM_FIELDS) },
    minItems: 0,
    maxItems: MAX_ITEMS,
    optional: true,
    about: "Scored candidates that were not chosen, if the deployment logs them.",
  },
  empty: {
    kind: "choice",
    of: Object.keys(EMPTY_REASONS),
    optional: true,
    about: "Why there are no items: the last of these steps, in this order, that any item reached.",
  },
  degraded: {
    kind: "choice",
    of: ["late"],
    optional: true,
    about: "Why it is degraded: late = made without a model because time had run out.",
  },
  tookMicros: {
    kind: "number",
    minimum: 0,
    about: "Microseconds that a task took to make it, without the way over the log.",
  },
};
