/**
 * Every record, described once, as data: the validator (`check.ts`) and the published JSON Schemas
 * (`json_schema.ts`) both come from here, so they cannot drift apart.
 *
 * @module
 */

import {
  type Boost,
  COMPARISONS,
  type Condition,
  type Diversity,
  type Event,
  type EventBase,
  type Frequency,
  type ItemRecord,
  type MergedBehaviour,
  REQUEST_LISTS,
  type RequestFilter,
} from "./event.ts";
import {
  EMPTY_REASONS,
  type Recommendation,
  type RecommendationExposure,
  type RecommendedItem,
  type ScoredItem,
  type ShadowAnswer,
} from "./recommendation.ts";

/** Largest record, in bytes of UTF-8. */
export const MAX_RECORD_BYTES = 1 << 20;
/** Deepest nesting of objects and arrays in a record; the record itself is level 1. */
export const MAX_DEPTH = 32;
/** Largest id, in bytes of UTF-8. */
export const MAX_ID_BYTES = 256;
/** Largest name of an action, an attribute, a surface, in bytes of UTF-8. */
export const MAX_NAME_BYTES = 64;
/** Largest title or text attribute, in bytes of UTF-8. */
export const MAX_TEXT_BYTES = 1024;
/** Most items of a request, an impression or an answer. */
export const MAX_ITEMS = 1000;
/** Most experiments and shadow variants of an answer. */
export const MAX_EXPOSURES = 64;
/** Most items that a request may exclude. */
export const MAX_EXCLUDED = 10_000;
/** Most items that others are to go with: as many as a user's newest behaviours. */
export const MAX_LIKE = 100;
/** Most categories of an item, attributes of anything, values of a list attribute. */
export const MAX_ATTRIBUTES = 64;
/** Earliest time, inclusive: 1990-01-01T00:00:00Z. What claims to be older is a unit error (seconds). */
export const MIN_TIME_MS = 631_152_000_000;
/** Latest time, exclusive: 2100-01-01T00:00:00Z. What claims to be later is a unit error (microseconds). */
export const MAX_TIME_MS = 4_102_444_800_000;

/** Keys that no object of a record may have, at any depth: they reach for a prototype. */
export const FORBIDDEN_KEYS: readonly string[] = ["__proto__", "constructor", "prototype"];

/** What a field may hold. */
export type Kind =
  /** Text of minBytes..maxBytes bytes of UTF-8 without lone surrogates; `plain` = no control characters. */
  | {
    readonly kind: "string";
    readonly minBytes: 0 | 1;
    readonly maxBytes: number;
    readonly plain: boolean;
    readonly noun: string;
  }
  /** A finite number, within bounds if given; `above` is an exclusive lower bound. */
  | { readonly kind: "number"; readonly above?: number; readonly minimum?: number; readonly maximum?: number }
  | { readonly kind: "integer"; readonly minimum: number; readonly maximum: number }
  /** Integer milliseconds since the epoch in [{@linkcode MIN_TIME_MS}, {@linkcode MAX_TIME_MS}). */
  | { readonly kind: "time" }
  | { readonly kind: "boolean" }
  /** One of a few words. */
  | { readonly kind: "choice"; readonly of: readonly string[] }
  /** A text of at most {@linkcode MAX_TEXT_BYTES} bytes, a number or a boolean. */
  | { readonly kind: "scalar" }
  /** Attributes: at most {@linkcode MAX_ATTRIBUTES} scalars or lists of strings by name. */
  | { readonly kind: "attributes" }
  | { readonly kind: "object"; readonly fields: NamedFields }
  | {
    readonly kind: "list";
    readonly of: Kind;
    readonly minItems: 0 | 1;
    readonly maxItems: number;
    readonly unique?: true;
    /** Another list of the record with as many entries. */
    readonly sameLengthAs?: string;
  };

/** A field of a record: what it may hold, what it means, whether it may be absent. */
export type Field = Kind & { readonly about: string; readonly optional?: true };

/** Fields in the order in which they are checked. */
export type NamedFields = readonly (readonly [name: string, field: Field])[];

/** A field for each property of `R`, optional where the property is. */
export type Fields<R> = {
  readonly [K in keyof R]-?: Record<never, never> extends Pick<R, K> ? Field & { readonly optional: true }
    : Field & { readonly optional?: never };
};

const id = { kind: "string", minBytes: 1, maxBytes: MAX_ID_BYTES, plain: true, noun: "an id" } as const;
const name = { kind: "string", minBytes: 1, maxBytes: MAX_NAME_BYTES, plain: true, noun: "a name" } as const;
const text = { kind: "string", minBytes: 0, maxBytes: MAX_TEXT_BYTES, plain: false, noun: "a text" } as const;
const time = { kind: "time" } as const;
const probability = { kind: "number", above: 0, maximum: 1 } as const;
const position = { kind: "integer", minimum: 0, maximum: 9_999 } as const;
const counter = { kind: "integer", minimum: 0, maximum: Number.MAX_SAFE_INTEGER } as const;
const categories = { kind: "list", of: id, minItems: 0, maxItems: MAX_ATTRIBUTES } as const;
const items = { kind: "list", of: id, minItems: 1, maxItems: MAX_ITEMS, unique: true } as const;

/** What the name of an attribute may be. */
export const ATTRIBUTE_NAME: Kind = name;
/** What a text attribute, or an entry of a list attribute, may be. */
export const ATTRIBUTE_TEXT: Kind = text;
/** What a list attribute may be. */
export const ATTRIBUTE_LIST: Kind = { kind: "list", of: text, minItems: 0, maxItems: MAX_ATTRIBUTES };

const base: Fields<EventBase> = {
  id: {
    ...id,
    optional: true,
    about: "Unique id of the event; repeats within the de-duplication window are skipped.",
  },
  user: { ...id, about: "Whose event it is; the key of the record on the events topic." },
  time: { ...time, about: "Event time." },
};
const surface = { ...name, optional: true, about: "Where in the product it happened." } as const;
const context = { kind: "attributes", optional: true, about: "What else was known then, by name." } as const;

const CONDITION_FIELDS: Fields<Condition> = {
  attribute: { ...name, about: "Name of the attribute." },
  is: { kind: "choice", of: COMPARISONS, about: "How it compares with the value; has is for lists." },
  value: { kind: "scalar", about: "With what." },
};

const DIVERSITY_FIELDS: Fields<Diversity> = {
  perCategory: {
    kind: "integer",
    minimum: 1,
    maximum: MAX_ITEMS,
    optional: true,
    about: "Most items of a category, by each item's first one.",
  },
  relevance: {
    kind: "number",
    minimum: 0,
    maximum: 1,
    optional: true,
    about: "λ of maximal marginal relevance: 1 = by score alone, 0 = only unlike the items before.",
  },
};

const FILTER_FIELDS: Fields<RequestFilter> = {
  categories: {
    ...categories,
    optional: true,
    about: "Keep only items with at least one of these categories.",
  },
  allCategories: {
    ...categories,
    optional: true,
    about: "Keep only items with all of these categories.",
  },
  notCategories: {
    ...categories,
    optional: true,
    about: "Leave items with any of these categories out.",
  },
  where: {
    kind: "list",
    of: { kind: "object", fields: Object.entries(CONDITION_FIELDS) },
    minItems: 0,
    maxItems: MAX_ATTRIBUTES,
    optional: true,
    about: "Keep only items that meet all of these conditions.",
  },
  seen: {
    kind: "boolean",
    optional: true,
    about: "Whether the user's newest behaviours may be in it.",
  },
};

const BOOST_FIELDS: Fields<Boost> = {
  by: {
    kind: "number",
    above: 0,
    maximum: 1000,
    about: "By what their odds are multiplied; below 1 lowers them.",
  },
  categories: { ...categories, optional: true, about: "About items with at least one of these categories." },
  notCategories: { ...categories, optional: true, about: "About items with none of these categories." },
  where: { ...FILTER_FIELDS.where, about: "About items that meet all of these conditions." },
};

const FREQUENCY_FIELDS: Fields<Frequency> = {
  most: { kind: "integer", minimum: 1, maximum: MAX_ITEMS, about: "So many times." },
  withinMs: {
    kind: "number",
    above: 0,
    maximum: Number.MAX_SAFE_INTEGER,
    about: "Within so long before the request, milliseconds of event time.",
  },
};

const MERGED_FIELDS: Fields<MergedBehaviour> = {
  item: { ...id, about: "The item acted upon." },
  action: { ...name, about: "What was done." },
  time: { ...time, about: "Event time." },
  strength: { kind: "number", about: "Strength in the sequence." },
};

/** The fields of each type of event, besides `type`. */
export const EVENT_FIELDS: {
  readonly [T in Event["type"]]: Fields<Omit<Extract<Event, { readonly type: T }>, "type">>;
} = {
  interaction: {
    ...base,
    item: { ...id, about: "The item acted upon." },
    action: { ...name, about: "click, view, like, cart, purchase, rating, dislike or any other word." },
    value: {
      kind: "number",
      optional: true,
      about: "Strength in the action's own unit: stars of a rating, price of a purchase, seconds of a view.",
    },
    request: { ...id, optional: true, about: "The request or impression that showed the item." },
    surface,
  },
  request: {
    ...base,
    request: { ...id, about: "Id of the request; the answer and the outcome name it." },
    count: { kind: "integer", minimum: 1, maximum: MAX_ITEMS, about: "How many items are wanted." },
    candidates: { ...items, optional: true, about: "Items to rank; without it, candidates are retrieved." },
    item: { ...id, optional: true, about: "Retrieve items like this one; ranked by the blend." },
    like: {
      kind: "list",
      of: id,
      minItems: 1,
      maxItems: MAX_LIKE,
      optional: true,
      about: "Retrieve items that go with these, the newest last; ranked by the blend.",
    },
    list: {
      kind: "choice",
      of: REQUEST_LISTS,
      optional: true,
      about: "Which items to retrieve; personal if absent.",
    },
    exclude: {
      kind: "list",
      of: id,
      minItems: 0,
      maxItems: MAX_EXCLUDED,
      optional: true,
      about: "Items that must not be in the answer.",
    },
    filter: {
      kind: "object",
      fields: Object.entries(FILTER_FIELDS),
      optional: true,
      about: "Restrictions on the items of the answer.",
    },
    diversity: {
      kind: "object",
      fields: Object.entries(DIVERSITY_FIELDS),
      optional: true,
      about: "How different the items of the answer are to be.",
    },
    boosts: {
      kind: "list",
      of: { kind: "object", fields: Object.entries(BOOST_FIELDS) },
      minItems: 0,
      maxItems: MAX_ATTRIBUTES,
      optional: true,
      about: "Rules that raise or lower items, beside those of the deployment.",
    },
    frequency: {
      kind: "object",
      fields: Object.entries(FREQUENCY_FIELDS),
      optional: true,
      about: "Leaves out what the user was shown too often; as the deployment says if absent.",
    },
    context,
    surface,
  },
  impression: {
    ...base,
    request: { ...id, optional: true, about: "The request it answers; a click names it." },
    items: { ...items, about: "The items in the order in which they were shown." },
    propensities: {
      kind: "list",
      of: probability,
      minItems: 1,
      maxItems: MAX_ITEMS,
      sameLengthAs: "items",
      optional: true,
      about: "Probability with which the showing policy chose each item at its position.",
    },
    positions: {
      kind: "list",
      of: position,
      minItems: 1,
      maxItems: MAX_ITEMS,
      sameLengthAs: "items",
      optional: true,
      about: "Position of each item, 0 is the top; without it, the order of items.",
    },
    context,
    surface,
  },
  profile: {
    ...base,
    attributes: { kind: "attributes", about: "Attributes of the user; they replace those of the same name." },
  },
  merge: {
    ...base,
    from: { ...id, about: "Whose behaviours they were." },
    behaviours: {
      kind: "list",
      of: { kind: "object", fields: Object.entries(MERGED_FIELDS) },
      minItems: 0,
      maxItems: MAX_ITEMS,
      about: "The behaviours, in any order; one that the user has already is skipped.",
    },
    attributes: {
      kind: "attributes",
      optional: true,
      about: "Attributes of the session; those that the user has already stay.",
    },
  },
  forget: base,
};

/** The fields of an item of the catalogue. */
export const ITEM_FIELDS: Fields<ItemRecord> = {
  item: { ...id, about: "Id of the item; the key of the record on the items topic." },
  time: { ...time, about: "When this record became true." },
  category: { ...id, optional: true, about: "The category, if there is one." },
  categories: { ...categories, optional: true, about: "All categories, most important first." },
  title: { ...text, optional: true, about: "What people call it." },
  attributes: { kind: "attributes", optional: true, about: "Anything else that is known of it, by name." },
  hidden: { kind: "boolean", optional: true, about: "Never recommended while true." },
  expires: { ...time, optional: true, about: "Not recommended from this time on." },
};

const RECOMMENDED_ITEM_FIELDS: Fields<RecommendedItem> = {
  item: { ...id, about: "The item." },
  score: { kind: "number", about: "Score of the model; larger is better." },
  position: { ...position, about: "0 is the top." },
  propensity: {
    ...probability,
    about: "Probability with which the policy chose the item at its position.",
  },
  source: { ...name, about: "Where the candidate came from." },
  team: { ...name, optional: true, about: "The variant that drafted it, in a list that was interleaved." },
};

const EXPOSURE_FIELDS: Fields<RecommendationExposure> = {
  experiment: { ...name, about: "Name of the experiment." },
  variant: { ...name, about: "Name of the user's variant in it." },
};

const SCORED_ITEM_FIELDS: Fields<ScoredItem> = {
  item: { ...id, about: "The item." },
  score: { kind: "number", about: "Score of the model; larger is better." },
};

const SHADOW_FIELDS: Fields<ShadowAnswer> = {
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

/** The fields of an answer. */
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
  stateVersion: { ...counter, about: "Number of behaviours that the user's state had folded." },
  experiment: { ...name, optional: true, about: "Name of the experiment." },
  variant: { ...name, optional: true, about: "Name of the user's variant in it." },
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
