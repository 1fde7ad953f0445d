import { type FeatureSchema, numericNames } from "../../src/features/schema.ts";

/** An outcome, a value or both, of a user and an item at the same time. */
export interface Outcome {
  readonly user: string;
  readonly item: string;
  readonly label?: 0 | 1;
  readonly value?: number;
}

/** What the naive formulas use of an item. */
export interface NaiveItem {
  readonly categories: readonly string[];
  /** One value per cross. */
  readonly crosses: readonly (string | null)[];
  readonly firstTime: number;
}

/** An outcome with its predictions. */
interface Past extends Outcome {
  readonly e: number;
  /** Item rate m_i before it. */
  readonly mi: number;
  readonly f: number;
  /** Mean value r, and the deviations d_i and d_u, before it. */
  readonly r: number;
  readonly di: number;
  readonly du: number;
}

const A = 5;
const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
const logit = (p: number) => Math.log(p / (1 - p));
const average = (values: readonly number[], step: number) =>
  values.reduce((mean, value) => mean + step * (value - mean), 0);

/**
 * The formulas of the features as they are defined, each summed over the whole history: slow, and independent of how
 * `src/features/statistics.ts` keeps its sums.
 */
export class NaiveStatistics {
  readonly #schema: FeatureSchema;
  readonly #items: ReadonlyMap<string, NaiveItem>;
  /** Pseudo-values that the mean value starts with. */
  readonly #prior: readonly number[];
  readonly #past: Past[] = [];

  constructor(schema: FeatureSchema, items: ReadonlyMap<string, NaiveItem>, prior: readonly number[] = []) {
    this.#schema = schema;
    this.#items = items;
    this.#prior = prior;
  }

  learn(outcome: Outcome): void {
    const { user, item, value } = outcome;
    const rates = this.rates(user, item);
    const values = this.values(user, item, value);
    this.#past.push({
      ...outcome,
      e: (outcome.label ?? 0) - 1 / (1 + Math.exp(-rates.prior)),
      mi: rates.mi,
      f: (value ?? 0) - values.expected,
      r: values.r,
      di: values.di,
      du: values.du,
    });
  }

  rates(user: string, item: string): { readonly mu: number; readonly mi: number; readonly prior: number } {
    const labelled = this.#labelled();
    const b = (clicks(labelled) + 1) / (labelled.length + 2);
    const rate = (of: readonly Past[]) => (clicks(of) + A * b) / (of.length + A);
    const mu = rate(labelled.filter((past) => past.user === user));
    const mi = rate(labelled.filter((past) => past.item === item));
    return { mu, mi, prior: logit(mu) + logit(mi) - logit(b) };
  }

  /** @param first used as the mean before the first value */
  values(user: string, item: string, first = 0): {
    readonly r: number;
    readonly di: number;
    readonly du: number;
    readonly expected: number;
  } {
    const valued = this.#valued();
    const all = [...this.#prior, ...valued.map(value)];
    if (all.length === 0) return { r: first, di: 0, du: 0, expected: first };
    const r = sum(all) / all.length;
    const ofUser = valued.filter((past) => past.user === user);
    const ofItem = valued.filter((past) => past.item === item);
    const deviation = (of: readonly Past[]) => (sum(of.map(value)) + A * r) / (of.length + A) - r;
    const U = sum(ofUser.map((past) => value(past) - past.r - past.di)) / (ofUser.length + A);
    const I = sum(ofItem.map((past) => value(past) - past.r - past.du)) / (ofItem.length + A);
    return { r, di: deviation(ofItem), du: deviation(ofUser), expected: r + U + I };
  }

  /** The features by name. @param behaviours items of the user's window, and the time of the newest */
  features(
    user: string,
    item: string,
    time: number,
    behaviours: { readonly items: readonly string[]; readonly lastTime: number | null },
  ): Record<string, number> {
    const facts = this.#item(item);
    const labelled = this.#labelled();
    const ofItem = labelled.filter((past) => past.item === item);
    const ofUser = labelled.filter((past) => past.user === user);
    const valuesOfUser = this.#valued().filter((past) => past.user === user);
    const { mu, mi, prior } = this.rates(user, item);
    const e = (past: Past) => past.e;
    const overCategories = (feature: (category: string) => number) =>
      sum(facts.categories.map(feature)) / Math.max(1, facts.categories.length);
    const within = (of: readonly Past[], category: string) =>
      of.filter((past) => this.#item(past.item).categories.includes(category));
    const shrunken = (values: readonly number[]) => sum(values) / (values.length + A);
    /** The bucket of popularity of a past outcome's item, as of then. */
    const bucket = (count: number) => Math.min(15, Math.floor(Math.log1p(count)));
    const bucketThen = (past: Past) =>
      bucket(labelled.slice(0, labelled.indexOf(past)).filter((other) => other.item === past.item).length);

    const features: Record<string, number> = {
      prior,
      itemRate: logit(mi),
      itemCount: Math.log1p(ofItem.length),
      itemRecent: average(ofItem.map(e), 0.05),
      itemAge: Math.log1p(Math.max(0, time - facts.firstTime) / 3_600_000),
      userRate: logit(mu),
      userCount: Math.log1p(ofUser.length),
      userRecent: average(ofUser.map(e), 0.2),
      userCategory: overCategories((category) =>
        shrunken(within(ofUser, category).map((past) => (past.label ?? 0) - past.mi))
      ),
      userCategoryRecent: overCategories((category) => average(within(ofUser, category).map(e), 0.1)),
      userPopularity: shrunken(ofUser.filter((past) => bucketThen(past) === bucket(ofItem.length)).map(e)),
      itemValue: this.values(user, item).di,
      userCategoryValue: overCategories((category) =>
        shrunken(within(valuesOfUser, category).map((past) => value(past) - past.r - past.di))
      ),
      userValueRecent: average(valuesOfUser.map((past) => past.f), 0.2),
      historyLength: Math.log1p(behaviours.items.length),
      recency: behaviours.lastTime === null
        ? 0
        : Math.log1p(Math.max(0, time - behaviours.lastTime) / 60_000),
      seen: Math.log1p(behaviours.items.filter((other) => other === item).length),
    };
    this.#schema.crosses.forEach((name, c) => {
      const same = ofUser.filter((past) => this.#item(past.item).crosses[c] === facts.crosses[c]);
      features[`userCross:${name}`] = shrunken(same.map(e));
    });
    return features;
  }

  /** The features in the order of the schema. */
  numerics(...args: Parameters<NaiveStatistics["features"]>): number[] {
    const features = this.features(...args);
    return numericNames(this.#schema).map((name) => features[name] ?? NaN);
  }

  #item(id: string): NaiveItem {
    const item = this.#items.get(id);
    if (item === undefined) throw new RangeError(`Cannot find item ${id}`);
    return item;
  }

  #labelled(): readonly Past[] {
    return this.#past.filter((past) => past.label !== undefined);
  }

  #valued(): readonly Past[] {
    return this.#past.filter((past) => past.value !== undefined);
  }
}

function clicks(of: readonly Past[]): number {
  return sum(of.map((past) => past.label ?? 0));
}

function value(past: Past): number {
  return past.value ?? 0;
}
