/**
 * The statistics kept overall, per item and per user for the numeric features: counts, sums and moving averages of
 * final outcomes. `statistics.ts` defines what they mean, and folds outcomes into them.
 */

import { UserKeys } from "./user_keys.ts";
import { ValueScale } from "./value_scale.ts";

/** Number of buckets of item popularity by which a user's surprises are kept. */
export const POPULARITY_BUCKETS = 16;
/** Shared by users without outcomes, such as those who are never shown a list. Never written to. */
const NO_KEYS = new UserKeys(0);
const NO_POPULARITY = new Float32Array(2 * POPULARITY_BUCKETS);

/** Steps per unit to which sums of residuals are rounded. */
export const SUM_STEPS = 2 ** 16;
/** Steps per unit to which keys' moving averages are rounded: rounding errors add up to ten times a single one. */
export const AVERAGE_STEPS = 2 ** 20;

/** Rounds to a multiple of 1 / `steps`: stored as an integer, it takes few bytes and is the same after a restart. */
export function rounded(x: number, steps: number): number {
  return Math.round(x * steps) / steps + 0; // −0 would be decoded as 0
}

/** Outcomes and values of all users and items. */
export class GlobalStatistics {
  /** Outcomes that are final. */
  outcomes = 0;
  /** Positive ones among them. */
  positives = 0;
  /** The usual range of values (stars, prices). */
  readonly values: ValueScale = new ValueScale();

  /** The overall rate of positives, smoothed to lie inside (0, 1). */
  get rate(): number {
    return (this.positives + 1) / (this.outcomes + 2);
  }
}

export class ItemStatistics {
  /** Outcomes that are final. */
  outcomes = 0;
  /** Positive ones among them. */
  positives = 0;
  /** Moving average of the surprise e, step 0.05. */
  recent = 0;
  /** Number of believed values; see `ValueScale`. */
  values = 0;
  valueSum = 0;
  /** Σ (value − r − d_user). */
  valueResidual = 0;
}

export class UserStatistics {
  /** Outcomes that are final. */
  outcomes = 0;
  /** Positive ones among them. */
  positives = 0;
  /** Moving average of the surprise e, step 0.2. */
  recent = 0;
  /** Number of believed values; see `ValueScale`. */
  values = 0;
  valueSum = 0;
  /** Σ (value − r − d_item). */
  valueResidual = 0;
  /** Moving average of the value surprise f, step 0.2. */
  valueRecent = 0;
  /** Residuals by category and attribute value, rounded to what is stored: see {@linkcode rounded}. */
  get keys(): Pick<UserKeys, "size" | "numbers" | "find" | "forEach"> {
    return this.#keys;
  }

  /** Per bucket of ln(1 + outcomes of the item): [outcomes, Σ e]. */
  get popularity(): Float32Array {
    return this.#popularity;
  }

  #keys = NO_KEYS;
  #popularity = NO_POPULARITY;

  /** See {@linkcode UserKeys.touch}. */
  touchKey(key: string): number {
    if (this.#keys === NO_KEYS) this.#keys = new UserKeys();
    return this.#keys.touch(key);
  }

  /** Adds to a bucket. @param at twice its number */
  addPopularity(at: number, outcomes: number, surprise: number): void {
    if (this.#popularity === NO_POPULARITY) this.#popularity = new Float32Array(2 * POPULARITY_BUCKETS);
    const popularity = this.#popularity;
    popularity[at] = popularity[at]! + outcomes;
    popularity[at + 1] = rounded(popularity[at + 1]! + surprise, SUM_STEPS);
  }
}
