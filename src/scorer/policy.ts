/**
 * Policies: from scored candidates to an ordered list, with the exact probability of each choice.
 *
 * The propensity of the item at position j is the probability that the policy puts it there given the items
 * above it; the product over positions is the probability of the whole list.
 *
 * @module
 */

/** How a list is chosen. */
export type PolicyOptions =
  | { readonly name: "greedy" }
  | {
    readonly name: "epsilon";
    /** Probability of a uniform choice at each position, in [0, 1]. */
    readonly epsilon: number;
  };

/** A chosen candidate. */
export interface Choice {
  /** Index into the candidates. */
  readonly index: number;
  /** Probability of this choice at this position, in (0, 1]. */
  readonly propensity: number;
}

/**
 * Orders candidates by score, exploring as the policy says.
 *
 * @param scores One score a candidate; ties go to the smaller index.
 * @param count Length of the list, at most the number of candidates.
 * @param random Uniform numbers in [0, 1); greedy draws none.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { choose } from "./policy.ts";
 *
 * const list = choose([0.1, 0.9, 0.5], 2, { name: "greedy" }, () => 0);
 * assert.deepEqual(list, [{ index: 1, propensity: 1 }, { index: 2, propensity: 1 }]);
 * ```
 */
export function choose(
  scores: ArrayLike<number>,
  count: number,
  policy: PolicyOptions,
  random: () => number,
): Choice[] {
  const epsilon = policy.name === "epsilon" ? policy.epsilon : 0;
  const rest = Array.from({ length: scores.length }, (_, index) => index)
    .sort((a, b) => scores[b]! - scores[a]! || a - b);
  const list: Choice[] = [];
  while (list.length < count && rest.length > 0) {
    const explore = epsilon > 0 && random() < epsilon;
    const place = explore ? Math.floor(random() * rest.length) : 0;
    const propensity = (place === 0 ? 1 - epsilon : 0) + epsilon / rest.length;
    list.push({ index: rest.splice(place, 1)[0]!, propensity });
  }
  return list;
}
