/**
 * What each action means: whether it is a positive outcome, whether it settles the outcome of the shown item
 * at once, and with what strength it enters the behaviour sequence.
 *
 * @module
 */

/** The meaning of one action. */
export interface ActionPolicy {
  /** A positive outcome: always (`true`), never (`false`), or when the event's value is at least this. */
  readonly positive: boolean | number;
  /** Settles the outcome of the item at once, also a negative one (a rating, a dislike). @default {false} */
  readonly explicit?: boolean;
  /** Strength in the behaviour sequence; `null` keeps the action out of the sequence. */
  readonly strength: number | null;
  /**
   * Multiplies the strength by the surprise of the value: value − (mean + user's + item's deviation).
   * Turns a rating scale into signed evidence. @default {false}
   */
  readonly surprise?: boolean;
}

/** Policies by action; an action that is not listed is neither an outcome nor a behaviour. */
export type ActionPolicies = Readonly<Record<string, ActionPolicy>>;

/** The defaults. */
export const DEFAULT_ACTIONS: ActionPolicies = {
  click: { positive: true, strength: 1 },
  view: { positive: false, strength: 0.5 },
  like: { positive: true, strength: 1 },
  cart: { positive: true, strength: 1 },
  purchase: { positive: true, strength: 1 },
  dislike: { positive: false, explicit: true, strength: -1 },
  rating: { positive: 4, explicit: true, strength: 1, surprise: true },
};

/** Whether an action with this value is a positive outcome. */
export function isPositive(policy: ActionPolicy, value: number | undefined): boolean {
  return typeof policy.positive === "number" ? (value ?? -Infinity) >= policy.positive : policy.positive;
}
