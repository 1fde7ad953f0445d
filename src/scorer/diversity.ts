/**
 * Chooses the candidates of a list so that they differ; the policy then orders them. So a list keeps its limits, and
 * propensities are those of the policy among these candidates.
 */

import type { Diversity } from "../events/event.ts";

export interface Diverse {
  /** The score that orders it. */
  readonly score: number;
  /** Its categories, most important first. */
  readonly categories: readonly string[];
}

/**
 * Indices of at most `count` candidates, chosen one by one: each is the best by λ·score − (1 − λ)·likeness whose first
 * category is not used up (maximal marginal relevance; Carbonell and Goldstein, SIGIR 1998). Scores are first scaled
 * to [0, 1]; the likeness to a list is that to its most similar item, |A ∩ B| / |A ∪ B| of the categories.
 * Ties go to the smaller index. O(candidates · count).
 */
export function diversify(candidates: readonly Diverse[], count: number, diversity: Diversity): number[] {
  const { perCategory = Infinity, relevance = 1 } = diversity;
  const scores = candidates.map(({ score }) => score);
  const lowest = scores.reduce((a, b) => Math.min(a, b), Infinity);
  const range = scores.reduce((a, b) => Math.max(a, b), -Infinity) - lowest || 1;
  const likeness = new Float64Array(candidates.length);
  const left = new Set(candidates.keys());
  const used = new Map<string, number>();
  const list: number[] = [];
  while (list.length < count) {
    let best = -1;
    let most = -Infinity;
    for (const index of left) {
      const first = candidates[index]!.categories[0];
      if (first !== undefined && (used.get(first) ?? 0) >= perCategory) {
        left.delete(index);
        continue;
      }
      const value = relevance * (scores[index]! - lowest) / range - (1 - relevance) * likeness[index]!;
      if (value > most) {
        most = value;
        best = index;
      }
    }
    if (best < 0) return list;
    const { categories } = candidates[best]!;
    list.push(best);
    left.delete(best);
    if (categories[0] !== undefined) used.set(categories[0], (used.get(categories[0]) ?? 0) + 1);
    if (relevance === 1) continue;
    for (const index of left) {
      likeness[index] = Math.max(likeness[index]!, jaccard(categories, candidates[index]!.categories));
    }
  }
  return list;
}

function jaccard(a: readonly string[], b: readonly string[]): number {
  const common = a.filter((category) => b.includes(category)).length;
  return common === 0 ? 0 : common / (a.length + b.length - common);
}
