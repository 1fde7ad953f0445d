/**
 * Causal running statistics and the numeric features derived from them. Every number is a function of outcomes
 * that were final before the impression; nothing looks ahead.
 *
 * Smoothing: a rate with c positives among n outcomes is `m = (c + A·b) / (n + A)`, A = 5, b the overall rate.
 * `prior = logit m_user + logit m_item − logit b` is the logit that the models start from, and
 * `e = y − σ(prior)` is the surprise of an outcome. Values (stars, prices) have the additive analogue: overall
 * mean r, item's and user's deviations d, and the surprise `f = value − (r + U + I)`.
 */

import { Keys } from "./keys.ts";
import {
  AVERAGE_STEPS,
  GlobalStatistics,
  type ItemStatistics,
  POPULARITY_BUCKETS,
  rounded,
  SUM_STEPS,
  type UserStatistics,
} from "./kept_statistics.ts";
import { type FeatureSchema, numericNames } from "./schema.ts";
import { KEY_NUMBERS } from "./user_keys.ts";

const {
  outcomes: OUTCOMES,
  residual: RESIDUAL,
  recent: RECENT,
  values: VALUES,
  valueResidual: VALUE_RESIDUAL,
} = KEY_NUMBERS;

/** Pseudo-outcomes that a smoothed rate starts with. */
const A = 5;
const USER_STEP = 0.2;
const CATEGORY_STEP = 0.1;
const ITEM_STEP = 0.05;

/** The data of an item that features are computed from. */
export interface ItemFacts {
  /** Categories, most important first. */
  readonly categories: readonly string[];
  /** Values of the schema's crosses. */
  readonly crosses: readonly (string | null)[];
  /** Event time of the first event, milliseconds since the epoch. */
  readonly firstTime: number;
  readonly statistics: ItemStatistics;
}

/** The data of a user that features are computed from. */
export interface UserFacts {
  readonly statistics: UserStatistics;
  /** Number of behaviours in the window. */
  readonly historyLength: number;
  /** Event time of the newest behaviour, or `null`. */
  readonly lastTime: number | null;
}

export type WriteNumerics = (item: ItemFacts, seen: number, out: Float32Array, at: number) => void;

/** Computes numeric features and folds outcomes into the statistics of one task. */
export class FeatureStatistics {
  /** Statistics of all users and items. */
  readonly overall: GlobalStatistics;
  readonly count: number;
  readonly #schema: FeatureSchema;
  readonly #crossKeys: readonly Keys[];

  /**
   * Statistics for a schema, starting from `overall`.
   *
   * @throws RangeError when the schema names its own numeric features, which are not computed here.
   */
  constructor(schema: FeatureSchema, overall: GlobalStatistics = new GlobalStatistics()) {
    if (schema.numerics !== undefined) {
      throw new RangeError(
        `Cannot compute the numeric features of a schema that names its own: ${schema.numerics.join(", ")}`,
      );
    }
    this.#schema = schema;
    this.count = numericNames(schema).length;
    this.#crossKeys = schema.crosses.map((name) => new Keys(`cross:${name}\0`));
    this.overall = overall;
  }

  get rateLogit(): number {
    return logit(this.overall.rate);
  }

  /** The logit of the additive prior. */
  prior(user: UserStatistics, item: ItemStatistics): number {
    const b = this.overall.rate;
    return logit(rate(user, b)) + logit(rate(item, b)) - logit(b);
  }

  /**
   * The numeric features of showing `item` to `user` at `time`, in the order of `numericNames`.
   *
   * @param seen How often the item is among the user's behaviours in the window.
   */
  numerics(user: UserFacts, item: ItemFacts, time: number, seen: number): Float32Array {
    const out = new Float32Array(this.count);
    this.numericsFor(user, time)(item, seen, out, 0);
    return out;
  }

  /**
   * The same for many items, written into `out` from `at` on. Statistics must not change between items, because what
   * depends on the user alone is computed once.
   */
  numericsFor(user: UserFacts, time: number): WriteNumerics {
    const { statistics: u } = user;
    const b = this.overall.rate;
    const overall = logit(b);
    const userRate = logit(rate(u, b));
    const userCount = logOfCount(u.outcomes);
    const length = Math.log1p(user.historyLength);
    const age = user.lastTime === null ? 0 : Math.log1p(Math.max(0, time - user.lastTime) / 60_000);
    const { crosses } = this.#schema;
    const known = crosses.map(() => new Map<string | null, number>());
    const ofCategories = new Map<string, CategoryTerms>();
    return (item, seen, out, at) => {
      const { statistics: i, categories } = item;
      const itemRate = logit(rate(i, b));
      const itemCount = logOfCount(i.outcomes);
      let residual = 0, recent = 0, value = 0;
      if (u.keys.size > 0) {
        for (let c = 0; c < categories.length; c++) {
          const terms = ofCategories.get(categories[c]!) ?? look(ofCategories, u, categories[c]!);
          residual += terms.residual;
          recent += terms.recent;
          value += terms.value;
        }
      }
      const n = Math.max(1, categories.length);
      const bucket = 2 * Math.min(POPULARITY_BUCKETS - 1, Math.floor(itemCount));
      out[at++] = userRate + itemRate - overall;
      out[at++] = itemRate;
      out[at++] = itemCount;
      out[at++] = i.recent;
      out[at++] = Math.log1p(Math.max(0, time - item.firstTime) / 3_600_000);
      out[at++] = userRate;
      out[at++] = userCount;
      out[at++] = u.recent;
      out[at++] = residual / n;
      out[at++] = recent / n;
      out[at++] = u.popularity[bucket + 1]! / (u.popularity[bucket]! + A);
      out[at++] = this.#deviation(i);
      out[at++] = value / n;
      out[at++] = u.valueRecent;
      out[at++] = length;
      out[at++] = age;
      out[at++] = seen === 0 ? 0 : Math.log1p(seen);
      for (let c = 0; c < crosses.length; c++) {
        const cross = item.crosses[c] ?? null;
        let taste = known[c]!.get(cross);
        if (taste === undefined) {
          known[c]!.set(cross, taste = tasteOf(u, this.#crossKeys[c]!.of(cross ?? "")));
        }
        out[at++] = taste;
      }
    };
  }

  /** How much better an item's smoothed rate of positives is than the overall one. */
  quality(item: ItemStatistics): number {
    const b = this.overall.rate;
    return rate(item, b) - b;
  }

  /** How much more often than others a user was positive about a category. */
  taste(user: UserStatistics, category: string): number {
    return user.keys.size === 0 ? 0 : tasteOf(user, CATEGORY_KEYS.of(category));
  }

  /** The surprise f of a value, before it is learnt. A missing value counts as the mean. */
  valueSurprise(user: UserStatistics, item: ItemStatistics, value?: number): number {
    const { values } = this.overall;
    if (values.count === 0) return 0;
    const ofUser = user.valueResidual / (user.values + A), ofItem = item.valueResidual / (item.values + A);
    return (value === undefined ? values.mean : values.clip(value)) - (values.mean + ofUser + ofItem);
  }

  /** Folds a final outcome. */
  learnOutcome(user: UserStatistics, item: ItemFacts, label: 0 | 1): void {
    const i = item.statistics;
    const b = this.overall.rate;
    const itemRate = rate(i, b);
    const surprise = label - 1 / (1 + Math.exp(-this.prior(user, i)));
    for (const category of item.categories) {
      const at = user.touchKey(CATEGORY_KEYS.of(category));
      const numbers = user.keys.numbers;
      const residual = numbers[at + RESIDUAL]!, recent = numbers[at + RECENT]!;
      numbers[at + OUTCOMES]!++;
      numbers[at + RESIDUAL] = rounded(residual + label - itemRate, SUM_STEPS);
      numbers[at + RECENT] = rounded(recent + CATEGORY_STEP * (surprise - recent), AVERAGE_STEPS);
    }
    for (let c = 0; c < this.#schema.crosses.length; c++) {
      const at = user.touchKey(this.#crossKeys[c]!.of(item.crosses[c] ?? ""));
      const numbers = user.keys.numbers;
      numbers[at + OUTCOMES]!++;
      numbers[at + RESIDUAL] = rounded(numbers[at + RESIDUAL]! + surprise, SUM_STEPS);
    }
    const bucket = 2 * Math.min(POPULARITY_BUCKETS - 1, Math.floor(Math.log1p(i.outcomes)));
    user.addPopularity(bucket, 1, surprise);
    user.recent += USER_STEP * (surprise - user.recent);
    i.recent += ITEM_STEP * (surprise - i.recent);
    user.outcomes++;
    user.positives += label;
    i.outcomes++;
    i.positives += label;
    this.overall.outcomes++;
    this.overall.positives += label;
  }

  /** Folds a value (stars, price). One that is not believed is counted, but changes no item and no user. */
  learnValue(user: UserStatistics, item: ItemFacts, raw: number): void {
    const { values } = this.overall;
    const i = item.statistics;
    const surprise = this.valueSurprise(user, i, raw);
    const before = values.count === 0 ? null : values.mean;
    if (!values.learn(raw)) return;
    const value = values.clip(raw);
    const mean = before ?? value;
    const itemDeviation = deviation(i, mean);
    const userDeviation = deviation(user, mean);
    for (const category of item.categories) {
      const at = user.touchKey(CATEGORY_KEYS.of(category));
      const numbers = user.keys.numbers;
      numbers[at + VALUES]!++;
      numbers[at + VALUE_RESIDUAL] = Math.fround(
        numbers[at + VALUE_RESIDUAL]! + value - mean - itemDeviation,
      );
    }
    user.valueRecent += USER_STEP * (surprise - user.valueRecent);
    user.valueResidual += value - mean - itemDeviation;
    i.valueResidual += value - mean - userDeviation;
    user.values++;
    user.valueSum += value;
    i.values++;
    i.valueSum += value;
  }

  #deviation(item: ItemStatistics): number {
    const { values } = this.overall;
    return values.count === 0 ? 0 : deviation(item, values.mean);
  }
}

interface CategoryTerms {
  readonly residual: number;
  readonly recent: number;
  readonly value: number;
}

const NO_TERMS: CategoryTerms = { residual: 0, recent: 0, value: 0 };

/** Computes the terms of a user's category, and adds them to `found` for the other items of the list. */
function look(found: Map<string, CategoryTerms>, { keys }: UserStatistics, category: string): CategoryTerms {
  const { numbers } = keys;
  const at = keys.find(CATEGORY_KEYS.of(category));
  const terms = at < 0 ? NO_TERMS : {
    residual: numbers[at + RESIDUAL]! / (numbers[at + OUTCOMES]! + A),
    recent: numbers[at + RECENT]!,
    value: numbers[at + VALUE_RESIDUAL]! / (numbers[at + VALUES]! + A),
  };
  found.set(category, terms);
  return terms;
}

function tasteOf({ keys }: UserStatistics, key: string): number {
  const { numbers } = keys;
  const at = keys.find(key);
  return at < 0 ? 0 : numbers[at + RESIDUAL]! / (numbers[at + OUTCOMES]! + A);
}

const CATEGORY_KEYS = new Keys("category\0");

function rate(of: { readonly outcomes: number; readonly positives: number }, overall: number): number {
  return (of.positives + A * overall) / (of.outcomes + A);
}

function deviation(of: { readonly values: number; readonly valueSum: number }, mean: number): number {
  return (of.valueSum + A * mean) / (of.values + A) - mean;
}

/** ln(1 + n) of the counts that most items have. */
const LOGS = Float64Array.from({ length: 4096 }, (_, n) => Math.log1p(n));

function logOfCount(n: number): number {
  return LOGS[n] ?? Math.log1p(n);
}

function logit(p: number): number {
  return Math.log(p / (1 - p));
}
