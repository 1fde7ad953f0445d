/**
 * The declaration of pooled pair statistics: what is known of each pair of one of the user's newest behaviours and a
 * candidate, summed over the m behaviours and divided by √m. A new one needs an entry here, and nothing else.
 *
 * After the pair inputs of DIN's activation unit (Zhou et al. 2018, "Deep Interest Network"), without a net between: the
 * models read the sums. Agreement and prediction are those of item-based collaborative filtering (Sarwar et al. 2001).
 *
 * @module
 */

/** The newest behaviours of a user, newest first, and the sums over them of what is known of each with the candidate in hand. */
export interface Pairs {
  /** Number of behaviours m. */
  size: number;
  /** Signed strength of each. */
  readonly strengths: Float64Array;
  /** Age in half-lives of the stream. */
  readonly ages: Float64Array;
  /** Σ ln(1 + n) of the behaviours with their items. */
  popularities: number;
  /** ln(1 + n) of the behaviours with the candidate. */
  popularity: number;
  /** Number of behaviours with the candidate itself. */
  same: number;
  /** Σ ln(1 + c) of the decayed count c of their items and the candidate within a few behaviours of a user. */
  together: number;
  /** The same, each times its strength. */
  liked: number;
  /** Σ ln(1 + times that the candidate came right after their item). */
  after: number;
  /** Σ (Σ f f' / (n + 5)) of the strengths of users who had both. */
  agreement: number;
  /** Σ f (Σ f f' / (Σ f² + 10)): what their strengths say of the candidate's. */
  predicted: number;
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
  { name: "together", needs: "items", of: "pair", sum: ({ together }) => together },
  { name: "after", needs: "items", of: "pair", sum: ({ after }) => after },
  {
    name: "lift",
    needs: "items",
    of: "pair",
    sum: ({ size, together, popularities, popularity }) =>
      together - 0.5 * popularities - 0.2 * size * popularity,
  },
  { name: "same", needs: "items", of: "pair", sum: ({ same }) => same },
  { name: "categories", needs: "categories", of: "pair", sum: ({ categories }) => categories },
  { name: "step", needs: "categories", of: "pair", sum: ({ kinds }) => kinds.steps },
  { name: "kinds", needs: "categories", of: "pair", sum: ({ kinds }) => kinds.kinds },
  { name: "common", needs: "categories", of: "pair", sum: ({ kinds }) => kinds.common },
  { name: "liked", needs: "strengths", of: "pair", sum: ({ liked }) => liked },
  { name: "agreement", needs: "strengths", of: "pair", sum: ({ agreement }) => agreement },
  { name: "predicted", needs: "strengths", of: "pair", sum: ({ predicted }) => predicted },
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
    sum: ({ popularities }) => POPULARITY * popularities,
  },
  {
    name: "strength",
    needs: "strengths",
    of: "behaviour",
    sum: ({ size, strengths }) => mapped(strengths, size, (strength) => strength),
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

function mapped(values: Float64Array, size: number, of: (value: number) => number): number {
  let sum = 0;
  for (let j = 0; j < size; j++) sum += of(values[j]!);
  return sum;
}
