/**
 * The events that people's behaviour arrives as, and the catalogue record of an item.
 *
 * Times are integer milliseconds since the epoch. Ids are strings of 1..256 UTF-8 bytes without control
 * characters. Fields that are not named here are kept, never refused.
 *
 * @module
 */

/** A scalar attribute of a user, an item or a context. */
export type AttributeValue = string | number | boolean | readonly string[];

/** Attributes by name. */
export type Attributes = Readonly<Record<string, AttributeValue>>;

/** What all events share. */
export interface EventBase {
  /** Unique id of the event; a second event with the same id within the de-duplication window is skipped. */
  readonly id?: string;
  /** Whose event it is; the key of the record on the `events` topic. */
  readonly user: string;
  /** Event time in milliseconds since the epoch. */
  readonly time: number;
}

/** A user did something with an item: a click, a view, a purchase, a rating. */
export interface InteractionEvent extends EventBase {
  /** Tells the types of events apart. */
  readonly type: "interaction";
  /** The item acted upon. */
  readonly item: string;
  /** `click`, `view`, `like`, `cart`, `purchase`, `rating`, `dislike` or any other word of 1..64 bytes. */
  readonly action: string;
  /** Strength in the action's own unit: stars of a rating, price of a purchase, seconds of a view. */
  readonly value?: number;
  /** The request or impression that showed the item. */
  readonly request?: string;
  /** Where in the product it happened. */
  readonly surface?: string;
}

/** How a {@linkcode Condition} compares. */
export const COMPARISONS = ["=", "!=", "<", "<=", ">", ">=", "has"] as const;

/** What an attribute of an item must be. An item without the attribute meets `!=` alone. */
export interface Condition {
  /** Name of the attribute. */
  readonly attribute: string;
  /**
   * How it compares with the value: texts and numbers by their order, never with each other; `has` is for lists
   * that must contain the value.
   */
  readonly is: (typeof COMPARISONS)[number];
  /** With what. */
  readonly value: string | number | boolean;
}

/** Restrictions on the items of an answer. */
export interface RequestFilter {
  /** Keep only items with at least one of these categories. */
  readonly categories?: readonly string[];
  /** Keep only items with all of these categories. */
  readonly allCategories?: readonly string[];
  /** Leave items with any of these categories out. */
  readonly notCategories?: readonly string[];
  /** Keep only items that meet all of these conditions. */
  readonly where?: readonly Condition[];
  /** Whether the user's newest behaviours may be in it. @default {as `retrieval.revisits` says} */
  readonly seen?: boolean;
}

/** A rule: the odds of items that meet all of it are multiplied. */
export interface Boost {
  /** By what, in (0, 1000]; below 1 it lowers them. */
  readonly by: number;
  /** About items with at least one of these categories. */
  readonly categories?: readonly string[];
  /** About items with none of these categories. */
  readonly notCategories?: readonly string[];
  /** About items that meet all of these conditions. */
  readonly where?: readonly Condition[];
}

/** How often the same item may be shown to a user. */
export interface Frequency {
  /** So many times, 1..1000. */
  readonly most: number;
  /** Within so long before the request, milliseconds of event time. */
  readonly withinMs: number;
}

/** The lists of items that a request may ask for, in place of personal ones. */
export const REQUEST_LISTS = ["personal", "popular", "trending", "new"] as const;

/** How different the items of an answer are to be. */
export interface Diversity {
  /** Most items of a category, by each item's first one. */
  readonly perCategory?: number;
  /**
   * λ of maximal marginal relevance, 0..1: 1 = by score alone, 0 = only unlike the items before. Likeness is the
   * share of categories in common.
   */
  readonly relevance?: number;
}

/** A user asks for recommendations. */
export interface RequestEvent extends EventBase {
  /** Tells the types of events apart. */
  readonly type: "request";
  /** Id of the request; the answer and the outcome name it. */
  readonly request: string;
  /** How many items are wanted, 1..1000. */
  readonly count: number;
  /** Items to rank; without it, candidates are retrieved. */
  readonly candidates?: readonly string[];
  /** Retrieve items like this one; ranked by the blend. */
  readonly item?: string;
  /** Retrieve items that go with these, the newest last; ranked by the blend. */
  readonly like?: readonly string[];
  /** Which items to retrieve. @default {"personal"} */
  readonly list?: (typeof REQUEST_LISTS)[number];
  /** Items that must not be in the answer. */
  readonly exclude?: readonly string[];
  /** Restrictions on the items of the answer. */
  readonly filter?: RequestFilter;
  /** How different the items of the answer are to be. */
  readonly diversity?: Diversity;
  /** Rules that raise or lower items, beside those of the deployment. */
  readonly boosts?: readonly Boost[];
  /** Leaves out what the user was shown too often. @default {as the deployment says} */
  readonly frequency?: Frequency;
  /** What else is known now, by name. */
  readonly context?: Attributes;
  /** Where in the product it happens. */
  readonly surface?: string;
}

/** A list that was shown: by another system, or ours as it really appeared. */
export interface ImpressionEvent extends EventBase {
  /** Tells the types of events apart. */
  readonly type: "impression";
  /** The request it answers; a click names it. */
  readonly request?: string;
  /** The items in the order in which they were shown. */
  readonly items: readonly string[];
  /** Probability with which the showing policy chose each item at its position, each in (0, 1]. */
  readonly propensities?: readonly number[];
  /** Position of each item, 0 is the top; without it, the order of `items`. */
  readonly positions?: readonly number[];
  /** What else was known then, by name. */
  readonly context?: Attributes;
  /** Where in the product it was shown. */
  readonly surface?: string;
}

/** Attributes of a user; they replace those of the same name. */
export interface ProfileEvent extends EventBase {
  /** Tells the types of events apart. */
  readonly type: "profile";
  /** At most 64 attributes. */
  readonly attributes: Attributes;
}

/** A behaviour of somebody who was not known by this name yet. */
export interface MergedBehaviour {
  /** The item acted upon. */
  readonly item: string;
  /** What was done. */
  readonly action: string;
  /** Event time in milliseconds since the epoch. */
  readonly time: number;
  /** Strength in the sequence. */
  readonly strength: number;
}

/**
 * What an anonymous session did becomes the user's, as at a login. Only the user's state takes it in: popularity, pairs
 * and outcomes have counted it when it happened.
 */
export interface MergeEvent extends EventBase {
  /** Tells the types of events apart. */
  readonly type: "merge";
  /** Whose behaviours they were. */
  readonly from: string;
  /** The behaviours, in any order; one that the user has already is skipped. */
  readonly behaviours: readonly MergedBehaviour[];
  /** Attributes of the session; those that the user has already stay. */
  readonly attributes?: Attributes;
}

/** Erase all that is known of the user. */
export interface ForgetEvent extends EventBase {
  /** Tells the types of events apart. */
  readonly type: "forget";
}

/** Anything that may stand on the `events` topic. */
export type Event =
  | InteractionEvent
  | RequestEvent
  | ImpressionEvent
  | ProfileEvent
  | MergeEvent
  | ForgetEvent;

/** The catalogue record of one item, on the `items` topic. */
export interface ItemRecord {
  /** Id of the item; the key of the record on the `items` topic. */
  readonly item: string;
  /** When this record became true, milliseconds since the epoch. */
  readonly time: number;
  /** The category, if there is one. */
  readonly category?: string;
  /** All categories, most important first; at most 64. */
  readonly categories?: readonly string[];
  /** What people call it; at most 1024 bytes. */
  readonly title?: string;
  /** Anything else that is known of it, by name; at most 64. */
  readonly attributes?: Attributes;
  /** Never recommended while true. */
  readonly hidden?: boolean;
  /** Not recommended from this time on, milliseconds since the epoch. */
  readonly expires?: number;
}
