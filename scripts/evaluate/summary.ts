/**
 * From judgements to figures: hit rates and related metrics with intervals, differences from the first method, and
 * figures by part of the stream.
 */

import { clusteredMean, type Estimate } from "../../src/metrics/clustered_mean.ts";
import type { Judged, Judgements } from "./judgements.ts";

/** What a rank from 1 is worth; 0 = not on the list. */
export const METRICS = {
  hitRate: (rank: number): number => rank > 0 ? 1 : 0,
  reciprocalRank: (rank: number): number => rank > 0 ? 1 / rank : 0,
  gain: (rank: number): number => rank > 0 ? 1 / Math.log2(1 + rank) : 0,
} as const;

export type MetricName = keyof typeof METRICS;

/** The figures of a method over some queries. */
export type Figures = Readonly<Record<MetricName, Estimate>>;

/** A line of the leaderboard. */
export interface Standing extends Figures {
  readonly method: string;
  /** The first method's metrics minus this one's, query by query. */
  readonly behind: Readonly<Record<MetricName, Estimate>> | null;
  /** Share of the items of the stream that were on any list of these queries and those after them. */
  readonly coverage: number;
  /** See `Variety`. */
  readonly novelty: number;
}

/** A part of the queries, with the figures of the first method. */
export interface Part {
  readonly name: string;
  readonly queries: number;
  readonly figures: Figures;
}

const USER_AGES = [0, 1, 3, 10, 30, 100];
const ITEM_AGES = [0, 1, 10, 100, 1000];

export function figuresOf(judgements: Judgements, method: number, queries: Uint32Array): Figures {
  return byMetric((metric) =>
    meanOf(judgements, queries, (query) => METRICS[metric](judgements.rank(method, query)))
  );
}

/**
 * The leaderboard over queries, best by reciprocal rank first.
 *
 * Intervals of figures are of 95 %; those of differences hold jointly for all methods with 95 % (Bonferroni), as the
 * best of many is looked at because it is the best.
 */
export function standingsOf(
  judgements: Judgements,
  queries: Uint32Array,
  items: number,
): readonly Standing[] {
  const { methods } = judgements;
  const confidence = 1 - 0.05 / Math.max(1, methods.length - 1);
  return methods.map((method, m): Standing => {
    const behind = m === 0 ? null : byMetric((metric) => {
      const score = METRICS[metric];
      const difference = (query: number) =>
        score(judgements.rank(0, query)) - score(judgements.rank(m, query));
      return meanOf(judgements, queries, difference, confidence);
    });
    const variety = judgements.varietyOf(m, queries[0] ?? judgements.length);
    return {
      method,
      ...figuresOf(judgements, m, queries),
      behind,
      coverage: variety.items / items,
      novelty: variety.novelty,
    };
  }).filter(({ coverage, behind }) => behind === null || coverage > 0) // without sources that such data does not feed
    .sort((a, b) => b.reciprocalRank.mean - a.reciprocalRank.mean);
}

/** The first method by tenth of the stream, by what was known of the user, and by what was known of the item. */
export function partsOf(
  judgements: Judgements,
  interactions: number,
): Readonly<Record<string, readonly Part[]>> {
  const part = (name: string, condition: (judged: Judged) => boolean): Part[] => {
    const queries = judgements.where(condition);
    if (queries.length === 0) return [];
    return [{ name, queries: queries.length, figures: figuresOf(judgements, 0, queries) }];
  };
  const aged = (bounds: readonly number[], age: (judged: Judged) => number) =>
    bounds.flatMap((from, n) => {
      const to = bounds[n + 1] ?? Infinity;
      return part(rangeName(from, to), (judged) => age(judged) >= from && age(judged) < to);
    });
  return {
    "tenth of the stream": Array.from({ length: 10 }, (_, n) => n).flatMap((n) =>
      part(`${n + 1}`, ({ at }) => Math.floor(10 * at / interactions) === n)
    ),
    "behaviours of the user before": aged(USER_AGES, ({ userAge }) => userAge),
    "behaviours with the item before": aged(ITEM_AGES, ({ itemAge }) => itemAge),
  };
}

function rangeName(from: number, to: number): string {
  if (to === Infinity) return `${from.toLocaleString("en")} and more`;
  return to - from === 1 ? `${from}` : `${from} to ${(to - 1).toLocaleString("en")}`;
}

function meanOf(
  judgements: Judgements,
  queries: Uint32Array,
  value: (query: number) => number,
  confidence?: number,
): Estimate {
  const numbers = new Map<number, number>();
  const clusters = Uint32Array.from(queries, (query) => {
    const { user } = judgements.judged(query);
    const known = numbers.get(user);
    if (known !== undefined) return known;
    numbers.set(user, numbers.size);
    return numbers.size - 1;
  });
  return clusteredMean(Float64Array.from(queries, value), clusters, numbers.size, confidence);
}

function byMetric(estimate: (metric: MetricName) => Estimate): Figures {
  return {
    hitRate: estimate("hitRate"),
    reciprocalRank: estimate("reciprocalRank"),
    gain: estimate("gain"),
  };
}
