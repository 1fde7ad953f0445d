/**
 * The declaration of pooled pair statistics: numbers of a candidate and each of the user's m newest behaviours, summed
 * over the behaviours and divided by √m. A new statistic takes an entry here, and nothing else.
 *
 * Modelled on the pair inputs of DIN's activation unit (Zhou et al. 2018, "Deep Interest Network"), but models read the
 * sums directly. Agreement and prediction are from item-based collaborative filtering (Sarwar et al. 2001).
 *
 * @module
 */

/** The newest behaviours of a user, newest first, and sums over their pairs with the current candidate. */
export interface Pairs {
  /** Number of behaviours m. */
  size: number;
  /** Signed strength of each. */
  readonly strengths: Float64Array;
  /** Age in half-lives of the stream. */
  readonly ages: Float64Array;
  /** Σ ln(1 + n), where n is the number of behaviours of all users with the item. */
  popularities: number;
  /** ln(1 + n) of the candidate. */
  popularity: number;
  /** Number of behaviours with the candidate itself. */
  same: number;
  /** Σ ln(1 + c), where c is the decayed count of co-occurrences of the item and the candidate. */
  together: number;
  /** The same, weighted by the behaviours' strengths. */
  liked: number;
  /** Σ ln(1 + a), where a is how often the candidate came right after the item. */
  after: number;
  /** Σ 3 (Σ f f' / (n + 5)), where f and f' are the strengths of item and candidate in their n co-occurrences. */
  agreement: number;
  /** Σ 3 f (Σ f f' / (Σ f² + 10)): the candidate's strength as predicted from theirs. */
  predicted: number;
  /** Cosine of the sets of categories, summed over the behaviours. */
  categories: number;
  /** Sums over the first categories of the behaviours. */
  kinds: KindSums;
}

/** Sums over the behaviours, with their first category a and the candidate's first category b, times 0.3. */
export interface KindSums {
  /** Log of how much more often b comes right after a than overall. */
  readonly steps: number;
  /** Log of how much larger the decayed count of pairs of a and b is than their shares imply. */
  readonly kinds: number;
  /** ln(1 + that count). */
  readonly common: number;
  /** Σ ⟨v_a, v_b⟩ of their vectors, not times 0.3. */
  readonly affinity: number;
}

/** The sums of a candidate without a category. */
export const NO_KINDS: KindSums = { steps: 0, kinds: 0, common: 0, affinity: 0 };

/** The data that a statistic needs; in a stream without such data it is the same for all candidates. */
export type Need = "items" | "categories" | "strengths" | "times";

export interface PairStatistic {
  /** Its name among the numeric features, after `pooled:`. */
  readonly name: string;
  readonly needs: Need;
  /** What it depends on: one that depends on the behaviours alone is computed once per list. */
  readonly of: "pair" | "behaviour";
  readonly sum: (pairs: Pairs) => number;
}

/** Scale of counts of behaviours, which are larger than those of pairs. */
const POPULARITY = 0.3;
/** Parts of a half-life, of about one behaviour each. */
const AGE_PARTS = 60;

/** All statistics, in the order of their columns. */
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
  { name: "affinity", needs: "categories", of: "pair", sum: ({ kinds }) => kinds.affinity },
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

export const POOLED_NAMES: readonly string[] = PAIR_STATISTICS.map(({ name }) => `pooled:${name}`);

function mapped(values: Float64Array, size: number, of: (value: number) => number): number {
  let sum = 0;
  for (let j = 0; j < size; j++) sum += of(values[j]!);
  return sum;
}
