/**
 * What each action means: whether it is a positive outcome, whether it settles the outcome of the shown item
 * at once, and with what strength it enters the behaviour sequence.
 *
 * @module
 */

/** The meaning of one action. */
export interface ActionPolicy {
  /** Whether it is a positive outcome: always (`true`), never (`false`), or if the event's value is at least this. */
  readonly positive: boolean | number;
  /** Whether it settles the item's outcome at once, even a negative one (a rating, a dislike). @default {false} */
  readonly explicit?: boolean;
  /** Signed weight in the behaviour sequence, such as 1 for a click; `null` leaves the action out. */
  readonly strength: number | null;
  /**
   * Whether the strength is multiplied by the surprise of the value, value − (mean + user's + item's deviation), which
   * turns a rating scale into signed evidence. @default {false}
   */
  readonly surprise?: boolean;
}

/** Policies by action. An action without a policy is neither an outcome nor a behaviour. */
export type ActionPolicies = Readonly<Record<string, ActionPolicy>>;

/** Default policies of the known actions. */
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
