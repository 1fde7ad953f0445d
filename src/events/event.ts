/**
 * The events of users' behaviour, and the catalogue record of an item.
 *
 * Times are integer milliseconds since the epoch. Ids are strings of 1..256 UTF-8 bytes without control
 * characters. Unnamed fields are kept, never rejected.
 *
 * @module
 */

/** An attribute of a user, an item or a context: a list of numbers is a vector. */
export type AttributeValue = string | number | boolean | readonly string[] | readonly number[];

/** Attributes by name. */
export type Attributes = Readonly<Record<string, AttributeValue>>;

/** Fields of all events. */
export interface EventBase {
  /** Unique id of the event; a second event with the same id within the de-duplication window is skipped. */
  readonly id?: string;
  /** Id of the user; the key of the record on the `events` topic. */
  readonly user: string;
  /** Event time in milliseconds since the epoch. */
  readonly time: number;
}

/** A user did something with an item: a click, a view, a purchase, a rating. */
export interface InteractionEvent extends EventBase {
  /** Type of the event. */
  readonly type: "interaction";
  /** The item. */
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

/** A condition on an attribute of an item. An item without the attribute meets `!=` only. */
export interface Condition {
  /** Name of the attribute. */
  readonly attribute: string;
  /**
   * The comparison. Texts and numbers compare by their order, never with each other; `has`: a list contains the value.
   */
  readonly is: (typeof COMPARISONS)[number];
  /** The value to compare with. */
  readonly value: string | number | boolean;
}

/** Restrictions on the items of a list. */
export interface RequestFilter {
  /** Keep only items with at least one of these categories. */
  readonly categories?: readonly string[];
  /** Keep only items with all of these categories. */
  readonly allCategories?: readonly string[];
  /** Leave out items with any of these categories. */
  readonly notCategories?: readonly string[];
  /** Keep only items that meet all of these conditions. */
  readonly where?: readonly Condition[];
  /** Whether items of the user's newest behaviours may be in it. @default {as `retrieval.revisits` says} */
  readonly seen?: boolean;
}

/** A rule that multiplies the odds of the items that meet all of its conditions. */
export interface Boost {
  /** The factor, in (0, 1000]; below 1 lowers them. */
  readonly by: number;
  /** Only items with at least one of these categories. */
  readonly categories?: readonly string[];
  /** Only items with none of these categories. */
  readonly notCategories?: readonly string[];
  /** Only items that meet all of these conditions. */
  readonly where?: readonly Condition[];
}

/** How often the same item may be shown to a user. */
export interface Frequency {
  /** Most times, 1 to 1000. */
  readonly most: number;
  /** Within this time before the request, milliseconds of event time. */
  readonly withinMs: number;
}

/** The lists of items that a request may ask for. */
export const REQUEST_LISTS = ["personal", "popular", "trending", "new", "recent"] as const;

/** How different the items of a list must be. */
export interface Diversity {
  /** Most items per category, by each item's first category. */
  readonly perCategory?: number;
  /**
   * λ of maximal marginal relevance, in [0, 1]: 1 ranks by score alone, 0 by difference from the items above. Likeness
   * is the share of common categories.
   */
  readonly relevance?: number;
}

/** A user asks for recommendations. */
export interface RequestEvent extends EventBase {
  /** Type of the event. */
  readonly type: "request";
  /** Id of the request; the recommendation and its outcome name it. */
  readonly request: string;
  /** Number of items wanted, 1 to 1000. */
  readonly count: number;
  /** Items to rank; without it, candidates are retrieved. */
  readonly candidates?: readonly string[];
  /** Retrieve items like this one; ranked by the blend. */
  readonly item?: string;
  /** Retrieve items that go with these, the newest last; ranked by the blend. */
  readonly like?: readonly string[];
  /** Which items to retrieve. @default {"personal"} */
  readonly list?: (typeof REQUEST_LISTS)[number];
  /** Items to leave out. */
  readonly exclude?: readonly string[];
  /** Restrictions on the items of the list. */
  readonly filter?: RequestFilter;
  /** How different the items of the list must be. */
  readonly diversity?: Diversity;
  /** Rules that raise or lower items, in addition to those of the deployment. */
  readonly boosts?: readonly Boost[];
  /** Leaves out items the user was shown too often. @default {as the deployment says} */
  readonly frequency?: Frequency;
  /** Further context, by name. */
  readonly context?: Attributes;
  /** Where in the product it happens. */
  readonly surface?: string;
}

/** A list that was shown: another system's, or ours as it actually appeared. */
export interface ImpressionEvent extends EventBase {
  /** Type of the event. */
  readonly type: "impression";
  /** The request it answers; a click names it. */
  readonly request?: string;
  /** The items in the order in which they were shown. */
  readonly items: readonly string[];
  /** Probability with which the showing policy chose each item at its position, each in (0, 1]. */
  readonly propensities?: readonly number[];
  /** Position of each item, 0 is the top; without it, the order of `items`. */
  readonly positions?: readonly number[];
  /** Further context, by name. */
  readonly context?: Attributes;
  /** Where in the product it was shown. */
  readonly surface?: string;
}

/** Sets attributes of a user, replacing those of the same name. */
export interface ProfileEvent extends EventBase {
  /** Type of the event. */
  readonly type: "profile";
  /** At most 64 attributes. */
  readonly attributes: Attributes;
}

/** A behaviour of a session that is merged into a user. */
export interface MergedBehaviour {
  /** The item. */
  readonly item: string;
  /** What was done. */
  readonly action: string;
  /** Event time in milliseconds since the epoch. */
  readonly time: number;
  /** Signed weight in the sequence, see `ActionPolicy.strength`. */
  readonly strength: number;
}

/**
 * Declares a user, such as an anonymous session, to be an alias of another user, as at a login. The user's task
 * responds with `merge` events for that other user, which hand over everything done up to the time of the event,
 * including what arrives late.
 */
export interface AliasEvent extends EventBase {
  /** Type of the event. */
  readonly type: "alias";
  /** Id of the user that this one is an alias of. */
  readonly of: string;
}

/** What a user did about a list that was shown to one of their sessions. */
export interface MergedOutcome {
  /** The item. */
  readonly item: string;
  /** What was done. */
  readonly action: string;
  /** Event time in milliseconds since the epoch. */
  readonly time: number;
  /** Value of the action, such as a price or a rating. */
  readonly value?: number;
  /** The list. @default {the newest one with the item} */
  readonly request?: string;
}

/**
 * Adds the behaviours of an anonymous session to a user, as at a login. Only the user's state takes them in:
 * popularity, pairs and outcomes counted them when they happened. A merge with an outcome goes the other way, from the
 * user to their former session, and only applies to a list that is open there.
 */
export interface MergeEvent extends EventBase {
  /** Type of the event. */
  readonly type: "merge";
  /** The user of the session. */
  readonly from: string;
  /** The behaviours, in any order; those the user already has are skipped. */
  readonly behaviours: readonly MergedBehaviour[];
  /** Attributes of the session; those the user already has stay. */
  readonly attributes?: Attributes;
  /** What `from` did about a list of this user, who logged in at `time`. Such an event hands over nothing else. */
  readonly outcome?: MergedOutcome;
}

/** Erases everything known about a user. */
export interface ForgetEvent extends EventBase {
  /** Type of the event. */
  readonly type: "forget";
}

/** Any record of the `events` topic. */
export type Event =
  | InteractionEvent
  | RequestEvent
  | ImpressionEvent
  | ProfileEvent
  | AliasEvent
  | MergeEvent
  | ForgetEvent;

/** The catalogue record of one item, on the `items` topic. */
export interface ItemRecord {
  /** Id of the item; the key of the record on the `items` topic. */
  readonly item: string;
  /** When this record became true, milliseconds since the epoch. */
  readonly time: number;
  /** The category, if there is only one. */
  readonly category?: string;
  /** All categories, most important first; at most 64. */
  readonly categories?: readonly string[];
  /** Its title, at most 1024 bytes. */
  readonly title?: string;
  /** Further attributes, by name; at most 64. */
  readonly attributes?: Attributes;
  /** Whether it must not be recommended. */
  readonly hidden?: boolean;
  /** Not recommended from this time on, milliseconds since the epoch. */
  readonly expires?: number;
}
