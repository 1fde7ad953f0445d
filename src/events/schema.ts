/**
 * Events and items, described once, as data, from which the validator (`check.ts`) and the published JSON Schemas
 * (`json_schema.ts`) derive. Recommendations are in `recommendation_schema.ts`.
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
  type MergedOutcome,
  REQUEST_LISTS,
  type RequestFilter,
} from "./event.ts";
import {
  categories,
  type Fields,
  id,
  items,
  name,
  position,
  probability,
  SCALAR,
  text,
  time,
} from "./field.ts";
import { MAX_ATTRIBUTES, MAX_EXCLUDED, MAX_ITEMS, MAX_LIKE } from "./limits.ts";

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
const context = { kind: "attributes", optional: true, about: "Further context, by name." } as const;

const CONDITION_FIELDS: Fields<Condition> = {
  attribute: { ...name, about: "Name of the attribute." },
  is: { kind: "choice", of: COMPARISONS, about: "How it compares with the value; has is for lists." },
  value: { ...SCALAR, about: "The value to compare with." },
};

const DIVERSITY_FIELDS: Fields<Diversity> = {
  perCategory: {
    kind: "integer",
    minimum: 1,
    maximum: MAX_ITEMS,
    optional: true,
    about: "Most items per category, by each item's first category.",
  },
  relevance: {
    kind: "number",
    minimum: 0,
    maximum: 1,
    optional: true,
    about: "λ of maximal marginal relevance: 1 = by score alone, 0 = by difference from the items above.",
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
    about: "Leave out items with any of these categories.",
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
    about: "Factor of the odds; below 1 lowers them.",
  },
  categories: { ...categories, optional: true, about: "Only items with at least one of these categories." },
  notCategories: { ...categories, optional: true, about: "Only items with none of these categories." },
  where: { ...FILTER_FIELDS.where, about: "Only items that meet all of these conditions." },
};

const FREQUENCY_FIELDS: Fields<Frequency> = {
  most: { kind: "integer", minimum: 1, maximum: MAX_ITEMS, about: "Most times per item." },
  withinMs: {
    kind: "number",
    above: 0,
    maximum: Number.MAX_SAFE_INTEGER,
    about: "Within this time before the request, milliseconds of event time.",
  },
};

const MERGED_FIELDS: Fields<MergedBehaviour> = {
  item: { ...id, about: "The item acted upon." },
  action: { ...name, about: "What was done." },
  time: { ...time, about: "Event time." },
  strength: { kind: "number", about: "Strength in the sequence." },
};

const OUTCOME_FIELDS: Fields<MergedOutcome> = {
  item: { ...id, about: "The item acted upon." },
  action: { ...name, about: "What was done." },
  time: { ...time, about: "Event time." },
  value: { kind: "number", optional: true, about: "Value of the action." },
  request: { ...id, optional: true, about: "The list; without it, the newest one that has the item." },
};

/** The fields of each type of event, except `type`. */
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
      about: "How different the items of the answer must be.",
    },
    boosts: {
      kind: "list",
      of: { kind: "object", fields: Object.entries(BOOST_FIELDS) },
      minItems: 0,
      maxItems: MAX_ATTRIBUTES,
      optional: true,
      about: "Rules that raise or lower items, in addition to those of the deployment.",
    },
    frequency: {
      kind: "object",
      fields: Object.entries(FREQUENCY_FIELDS),
      optional: true,
      about: "Leaves out items that the user was shown too often; absent, as the deployment says.",
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
  alias: {
    ...base,
    of: { ...id, about: "Id of the actual user, who takes over everything done until then." },
  },
  merge: {
    ...base,
    from: { ...id, about: "The user of the session." },
    behaviours: {
      kind: "list",
      of: { kind: "object", fields: Object.entries(MERGED_FIELDS) },
      minItems: 0,
      maxItems: MAX_ITEMS,
      about: "The behaviours, in any order; those that the user already has are skipped.",
    },
    attributes: {
      kind: "attributes",
      optional: true,
      about: "Attributes of the session; those that the user already has stay.",
    },
    outcome: {
      kind: "object",
      fields: Object.entries(OUTCOME_FIELDS),
      optional: true,
      about: "What `from` did about a list of this user; nothing is handed over then.",
    },
  },
  forget: base,
};

export const ITEM_FIELDS: Fields<ItemRecord> = {
  item: { ...id, about: "Id of the item; the key of the record on the items topic." },
  time: { ...time, about: "When this record became true." },
  category: { ...id, optional: true, about: "The category, if there is one." },
  categories: { ...categories, optional: true, about: "All categories, most important first." },
  title: { ...text, optional: true, about: "Its title." },
  attributes: { kind: "attributes", optional: true, about: "Further attributes, by name." },
  hidden: { kind: "boolean", optional: true, about: "Never recommended while true." },
  expires: { ...time, optional: true, about: "Not recommended from this time on." },
};
