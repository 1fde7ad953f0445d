import { hashString } from "../../../src/embeddings/hash.ts";
import type { PooledBehaviour } from "../../../src/features/pooled/pooled_pairs.ts";
import { NaiveVectors } from "./naive_vectors.ts";

/** A behaviour of a stream. */
export interface Act {
  readonly user: string;
  readonly item: number;
  readonly time: number;
  readonly strength: number;
}

/** A user's newest behaviours, newest first. */
export function before(acts: readonly Act[], user: string): PooledBehaviour["context"] {
  const own = acts.filter((act) => act.user === user).reverse().slice(0, 40);
  return {
    size: own.length,
    items: own.map(({ item }) => item),
    times: own.map(({ time }) => time),
    strengths: own.map(({ strength }) => strength),
  };
}

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);

/**
 * The features of a candidate from the whole past, each by its formula, without state. Half-lives are given, one for
 * each act, since they depend on what was known at that time.
 */
export function naive(
  acts: readonly Act[],
  { user, time, candidate, categoryOf, halfLives, halfLife }: {
    readonly user: string;
    readonly time: number;
    readonly candidate: number;
    readonly categoryOf: (item: number) => string;
    readonly halfLives: readonly number[];
    readonly halfLife: number;
  },
): Readonly<Record<string, number>> {
  const pairs = acts.flatMap(({ user, item, time, strength }, n) => {
    const { size, items, times, strengths } = before(acts.slice(0, n), user);
    return Array.from({ length: size }, (_, x) => ({
      x,
      item,
      strength,
      past: items[x]!,
      pastStrength: strengths[x]!,
      weight: 0.93 ** x * 2 ** (-Math.max(0, time - times[x]!) / halfLives[n]!),
    }));
  });
  const own = before(acts, user);
  const m = own.size;
  const behaviours = Array.from({ length: m }, (_, x) => ({
    item: own.items[x]!,
    strength: own.strengths[x]!,
    age: Math.max(0, time - own.times[x]!) / halfLife,
  }));
  const count = (item: number) => Math.log1p(acts.filter((act) => act.item === item).length);
  const both = (a: number, b: number) =>
    a === b ? [] : pairs.filter(({ item, past }) => (item === a && past === b) || (item === b && past === a));
  const together = (a: number, b: number) => Math.log1p(sum(both(a, b).map(({ weight }) => weight)));
  const products = (a: number, b: number) => sum(both(a, b).map((pair) => pair.strength * pair.pastStrength));
  const squares = (a: number, b: number) =>
    sum(both(a, b).map((pair) => (pair.item === a ? pair.strength : pair.pastStrength) ** 2));
  const to = categoryOf(candidate);
  const steps = pairs.filter(({ x }) => x === 0).map((
    { past, item },
  ) => [categoryOf(past), categoryOf(item)]);
  const share = (steps.filter(([, b]) => b === to).length + 1) / (steps.length + 1);
  const kinds = pairs.flatMap(({ item, past, weight }) => [
    { from: categoryOf(past), to: categoryOf(item), weight },
    { from: categoryOf(item), to: categoryOf(past), weight },
  ]).filter(({ weight }) => weight >= 1e-4);
  const weightOf = (of: (pair: typeof kinds[number]) => boolean) =>
    sum(kinds.filter(of).map(({ weight }) => weight));
  const weightShare = (weightOf((pair) => pair.to === to) + 1) / (weightOf(() => true) + 1);
  const kind = (item: number) => weightOf((pair) => pair.from === categoryOf(item) && pair.to === to);
  const hashOf = (item: number) => hashString(categoryOf(item), 0);
  const vectors = new NaiveVectors(acts.map(({ user, item }, n) => ({
    context: Array.from(before(acts.slice(0, n), user).items, hashOf),
    category: hashOf(item),
  })));
  const pooled = (of: (behaviour: typeof behaviours[number]) => number) =>
    m === 0 ? 0 : sum(behaviours.map(of)) / Math.sqrt(m);
  return {
    together: pooled(({ item }) => together(item, candidate)),
    after: pooled(({ item }) =>
      item === candidate ? 0 : Math.log1p(
        pairs.filter((pair) => pair.x === 0 && pair.past === item && pair.item === candidate).length,
      )
    ),
    lift: pooled(({ item }) => together(item, candidate) - 0.5 * count(item) - 0.2 * count(candidate)),
    same: pooled(({ item }) => item === candidate ? 1 : 0),
    categories: pooled(({ item }) => categoryOf(item) === to ? 1 : 0),
    step: pooled(({ item }) => {
      const from = steps.filter(([a]) => a === categoryOf(item));
      return 0.3 *
        Math.log((from.filter(([, b]) => b === to).length + 0.5 * share) / (from.length + 0.5) / share);
    }),
    kinds: pooled(({ item }) =>
      0.3 * Math.log(
        (kind(item) + 2 * weightShare) / (weightOf((pair) => pair.from === categoryOf(item)) + 2) /
          weightShare,
      )
    ),
    common: pooled(({ item }) => 0.3 * Math.log1p(kind(item))),
    affinity: pooled(({ item }) => vectors.affinity([hashOf(item)], hashOf(candidate))),
    liked: pooled(({ item, strength }) => strength * together(item, candidate)),
    agreement: pooled(({ item }) => 3 * products(item, candidate) / (both(item, candidate).length + 5)),
    predicted: pooled(({ item, strength }) =>
      3 * strength * products(item, candidate) / (squares(item, candidate) + 10)
    ),
    popularity: pooled(() => 0.3 * count(candidate)),
    popularities: pooled(({ item }) => 0.3 * count(item)),
    strength: pooled(({ strength }) => strength),
    age: pooled(({ age }) => Math.log1p(60 * age)),
    fresh: pooled(({ age }) => 2 ** -age),
    now: pooled(({ age }) => age === 0 ? 1 : 0),
  };
}
