/**
 * The declaration of pooled pair statistics: what is known of each pair of one of the user's newest behaviours and a
 * candidate, summed over the m behaviours and divided by √m. A new one needs an entry here, and nothing else.
 *
 * After the pair inputs of DIN's activation unit (Zhou et al. 2018, "Deep Interest Network"), without a net between: the
 * models read the sums. Agreement and prediction are those of item-based collaborative filtering (Sarwar et al. 2001).
 *
 * @module
 */

/** The newest behaviours of a user, newest first, and what is known of each of them with the candidate in hand. */
export interface Pairs {
  /** Number of behaviours m. */
  size: number;
  /** Signed strength of each. */
  readonly strengths: Float64Array;
  /** Age in half-lives of the stream. */
  readonly ages: Float64Array;
  /** ln(1 + n) of the behaviours with its item. */
  readonly popularities: Float64Array;
  /** ln(1 + n) of the behaviours with the candidate. */
  popularity: number;
  /** 1 where it is the candidate itself. */
  readonly same: Float64Array;
  /** ln(1 + c) of the decayed count c of its item and the candidate within a few behaviours of a user. */
  readonly together: Float64Array;
  /** ln(1 + times that the candidate came right after its item). */
  readonly after: Float64Array;
  /** Σ f f' / (n + 5) of the strengths of users who had both. */
  readonly agreement: Float64Array;
  /** f Σ f f' / (Σ f² + 10): what its strength says of the candidate's. */
  readonly predicted: Float64Array;
  /** Cosine of the sets of categories, summed over the behaviours. */
  categories: number;
  /** What is known of the first categories of the behaviours and the candidate. */
  kinds: KindSums;
}

/** Sums over the behaviours of what is known of their first category a and the candidate's b. */
export interface KindSums {
  /** Log of how much more often b comes right after a than at all. */
  readonly steps: number;
  /** Log of how much larger the decayed count of pairs of a and b is than their shares say. */
  readonly kinds: number;
  /** ln(1 + that count). */
  readonly common: number;
}

/** Of a candidate without a category. */
export const NO_KINDS: KindSums = { steps: 0, kinds: 0, common: 0 };

/** What a statistic needs to say anything; where a stream does not have it, it is the same number for all. */
export type Need = "items" | "categories" | "strengths" | "times";

/** A statistic. */
export interface PairStatistic {
  /** Its name among the numeric features, after `pooled:`. */
  readonly name: string;
  readonly needs: Need;
  /** What it depends on: the behaviour alone is asked once per list. */
  readonly of: "pair" | "behaviour";
  /** Its sum over the behaviours. */
  readonly sum: (pairs: Pairs) => number;
}

/** Scale of counts of behaviours, which are larger than those of pairs. */
const POPULARITY = 0.3;
/** Half-lives in 60 parts: about a behaviour each. */
const AGE_PARTS = 60;

/** All of them, in the order of their columns. */
export const PAIR_STATISTICS: readonly PairStatistic[] = [
  { name: "together", needs: "items", of: "pair", sum: ({ size, together }) => total(together, size) },
  { name: "after", needs: "items", of: "pair", sum: ({ size, after }) => total(after, size) },
  {
    name: "lift",
    needs: "items",
    of: "pair",
    sum: ({ size, together, popularities, popularity }) =>
      total(together, size) - 0.5 * total(popularities, size) - 0.2 * size * popularity,
  },
  { name: "same", needs: "items", of: "pair", sum: ({ size, same }) => total(same, size) },
  { name: "categories", needs: "categories", of: "pair", sum: ({ categories }) => categories },
  { name: "step", needs: "categories", of: "pair", sum: ({ kinds }) => kinds.steps },
  { name: "kinds", needs: "categories", of: "pair", sum: ({ kinds }) => kinds.kinds },
  { name: "common", needs: "categories", of: "pair", sum: ({ kinds }) => kinds.common },
  {
    name: "liked",
    needs: "strengths",
    of: "pair",
    sum: ({ size, strengths, together }) => product(strengths, together, size),
  },
  { name: "agreement", needs: "strengths", of: "pair", sum: ({ size, agreement }) => total(agreement, size) },
  { name: "predicted", needs: "strengths", of: "pair", sum: ({ size, predicted }) => total(predicted, size) },
  {
    name: "popularity",
    needs: "items",
    of: "pair",
    sum: ({ size, popularity }) => POPULARITY * size * popularity,
  },
  {
    name: "popularities",
    needs: "items",
    of: "behaviour",
    sum: ({ size, popularities }) => POPULARITY * total(popularities, size),
  },
  {
    name: "strength",
    needs: "strengths",
    of: "behaviour",
    sum: ({ size, strengths }) => total(strengths, size),
  },
  {
    name: "age",
    needs: "times",
    of: "behaviour",
    sum: ({ size, ages }) => mapped(ages, size, (age) => Math.log1p(AGE_PARTS * age)),
  },
  {
    name: "fresh",
    needs: "times",
    of: "behaviour",
    sum: ({ size, ages }) => mapped(ages, size, (age) => 2 ** -age),
  },
  {
    name: "now",
    needs: "times",
    of: "behaviour",
    sum: ({ size, ages }) => mapped(ages, size, (age) => age === 0 ? 1 : 0),
  },
];

/** Names of the numeric features. */
export const POOLED_NAMES: readonly string[] = PAIR_STATISTICS.map(({ name }) => `pooled:${name}`);

function total(values: Float64Array, size: number): number {
  let sum = 0;
  for (let j = 0; j < size; j++) sum += values[j]!;
  return sum;
}

function product(a: Float64Array, b: Float64Array, size: number): number {
  let sum = 0;
  for (let j = 0; j < size; j++) sum += a[j]! * b[j]!;
  return sum;
}

function mapped(values: Float64Array, size: number, of: (value: number) => number): number {
  let sum = 0;
  for (let j = 0; j < size; j++) sum += of(values[j]!);
  return sum;
}
