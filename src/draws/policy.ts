/**
 * Policies: from scored candidates to an ordered list, with the exact probability of each choice.
 *
 * The propensity of the item at position j is the probability that the policy puts it there given the items
 * above it; the product over positions is the probability of the whole list.
 */

import { largestProbability } from "./thompson.ts";
import { times } from "../values/times.ts";

/** Default factor on the deviations of Thompson sampling. */
export const DEFAULT_SCALE = 1;

/**
 * How a list is chosen from scores: `greedy`, `epsilon` (a uniform draw with probability ε at each place), `boltzmann`
 * (softmax of score / temperature), or `thompson`.
 */
export type PolicyOptions =
  | { readonly name: "greedy" }
  | {
    readonly name: "epsilon";
    /** Probability of a uniform choice at each position, in [0, 1]. */
    readonly epsilon: number;
  }
  | {
    /** At each position the softmax of what is left: the Plackett-Luce distribution over lists. */
    readonly name: "boltzmann";
    /** Divides the scores; above 0. Small values approach greedy, large ones uniform. */
    readonly temperature: number;
  }
  | {
    /** At each position the largest of fresh draws from each candidate's posterior. */
    readonly name: "thompson";
    /** Factor on the deviations, above 0. @default {1} */
    readonly scale?: number;
  };

/** A chosen candidate. */
export interface Choice {
  /** Index into the candidates. */
  readonly index: number;
  /** Probability of this choice at this position, in (0, 1]. */
  readonly propensity: number;
}

/** Candidates as a policy sees them, all arrays of one length. */
export interface Candidates {
  /** One finite logit per candidate; ties go to the smaller index. */
  readonly scores: ArrayLike<number>;
  /** Standard deviation of each score, above 0; only Thompson sampling reads it. @default {1 each} */
  readonly deviations?: ArrayLike<number> | undefined;
}

/**
 * Orders candidates by score, exploring as the policy says.
 *
 * @param count Length of the list, at most the number of candidates.
 * @param random Uniform numbers in [0, 1); greedy draws none.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { choose } from "@meander/meander/evaluation";
 *
 * const list = choose({ scores: [0.1, 0.9, 0.5] }, 2, { name: "greedy" }, () => 0);
 * assert.deepEqual(list, [{ index: 1, propensity: 1 }, { index: 2, propensity: 1 }]);
 * ```
 */
export function choose(
  candidates: Candidates,
  count: number,
  policy: PolicyOptions,
  random: () => number,
): Choice[] {
  if (policy.name === "greedy") {
    return ranked(candidates.scores).slice(0, count).map((index) => ({ index, propensity: 1 }));
  }
  const list = draw(candidates, Math.min(count, candidates.scores.length), policy, random);
  const propensities = propensitiesOf(candidates, list, policy);
  return list.map((index, place) => ({ index, propensity: propensities[place]! }));
}

/**
 * The probabilities with which a policy would have made the choices of a list, each given those above it.
 *
 * Exact for greedy, epsilon and Boltzmann; by numeric integration for Thompson (error: `thompson.ts`).
 *
 * @param list Indices into the candidates, from the top, none twice.
 * @returns One probability in [0, 1] per place.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { propensitiesOf } from "@meander/meander/evaluation";
 *
 * const [first = 0, second] = propensitiesOf({ scores: [1, 0] }, [0, 1], { name: "boltzmann", temperature: 1 });
 * assert.ok(Math.abs(first - Math.E / (Math.E + 1)) < 1e-12);
 * assert.equal(second, 1); // nothing else is left
 * ```
 */
export function propensitiesOf(
  candidates: Candidates,
  list: readonly number[],
  policy: PolicyOptions,
): number[] {
  if (policy.name === "boltzmann") return plackettLuce(candidates.scores, list, policy.temperature);
  const rest = ranked(candidates.scores);
  const deviations = deviationsOf(candidates, policy);
  return list.map((index) => {
    const place = rest.indexOf(index);
    const propensity = policy.name === "thompson"
      ? largestProbability(index, rest, candidates.scores, deviations)
      : policy.name === "epsilon"
      ? (place === 0 ? 1 - policy.epsilon : 0) + policy.epsilon / rest.length
      : place === 0
      ? 1
      : 0;
    rest.splice(place, 1);
    return propensity;
  });
}

/**
 * The probability that each candidate is chosen for the next place.
 *
 * @param above Indices of the candidates above it.
 * @returns One probability per candidate, 0 for those above; they sum to 1.
 */
export function placeDistribution(
  candidates: Candidates,
  above: readonly number[],
  policy: PolicyOptions,
): Float64Array {
  const { scores } = candidates;
  const taken = new Set(above);
  const rest = ranked(scores).filter((index) => !taken.has(index));
  const distribution = new Float64Array(scores.length);
  if (policy.name === "boltzmann") {
    const top = scores[rest[0] ?? 0] ?? 0;
    let sum = 0;
    for (const index of rest) {
      sum += distribution[index] = Math.exp((scores[index]! - top) / policy.temperature);
    }
    for (const index of rest) distribution[index]! /= sum;
  } else if (policy.name === "thompson") {
    const deviations = deviationsOf(candidates, policy);
    for (const index of rest) distribution[index] = largestProbability(index, rest, scores, deviations);
  } else if (rest.length > 0) {
    const epsilon = policy.name === "epsilon" ? policy.epsilon : 0;
    for (const index of rest) distribution[index] = epsilon / rest.length;
    distribution[rest[0]!]! += 1 - epsilon;
  }
  return distribution;
}

/** The indices that {@linkcode choose} draws, without their propensities. */
export function draw(
  candidates: Candidates,
  count: number,
  policy: PolicyOptions,
  random: () => number,
): number[] {
  const { scores } = candidates;
  switch (policy.name) {
    case "greedy":
      return ranked(scores).slice(0, count);
    case "boltzmann":
      // The largest of score/τ + Gumbel noise, and so on down, is a Plackett-Luce draw.
      return ranked(noisy(scores, policy.temperature, random)).slice(0, count);
    case "epsilon": {
      const rest = ranked(scores);
      return times(count, () => {
        const explore = policy.epsilon > 0 && random() < policy.epsilon;
        return rest.splice(explore ? Math.floor(random() * rest.length) : 0, 1)[0]!;
      });
    }
    case "thompson": {
      const rest = ranked(scores);
      const deviations = deviationsOf(candidates, policy);
      return times(count, () => {
        const draws = rest.map((index) => scores[index]! + deviations[index]! * normal(random));
        return rest.splice(draws.indexOf(Math.max(...draws)), 1)[0]!;
      });
    }
  }
}

/**
 * Sums exponentials from the bottom of the list up, relative to the largest score so far. Scores are subtracted before
 * they are divided, so ties stay ties at any temperature and nothing overflows.
 */
function plackettLuce(scores: ArrayLike<number>, list: readonly number[], temperature: number): number[] {
  const chosen = new Set(list);
  let largest = -Infinity;
  let sum = 0;
  const add = (score: number) => {
    if (score > largest) [largest, sum] = [score, sum * Math.exp((largest - score) / temperature) + 1];
    else sum += Math.exp((score - largest) / temperature);
  };
  for (let index = 0; index < scores.length; index++) if (!chosen.has(index)) add(scores[index]!);
  const propensities = new Array<number>(list.length);
  for (let place = list.length - 1; place >= 0; place--) {
    const score = scores[list[place]!]!;
    add(score);
    propensities[place] = Math.exp((score - largest) / temperature) / sum;
  }
  return propensities;
}

/** Indices by score, largest first, ties to the smaller index. */
function ranked(scores: ArrayLike<number>): number[] {
  const indices: number[] = [];
  for (let index = 0; index < scores.length; index++) indices.push(index);
  // Compares rather than subtracts: each difference would be a heap number.
  return indices.sort((a, b) => scores[b]! > scores[a]! ? 1 : scores[b]! < scores[a]! ? -1 : a - b);
}

function deviationsOf({ scores, deviations }: Candidates, policy: PolicyOptions): number[] {
  const scale = policy.name === "thompson" ? policy.scale ?? DEFAULT_SCALE : 0;
  return Array.from(scores, (_, index) => scale * (deviations?.[index] ?? 1));
}

/** Each score minus the largest, over the temperature, plus Gumbel noise. */
function noisy(scores: ArrayLike<number>, temperature: number, random: () => number): number[] {
  const top = Array.from(scores).reduce((a, b) => Math.max(a, b), -Infinity);
  return Array.from(scores, (score) => (score - top) / temperature + gumbel(random));
}

/** −ln(−ln u), u in (0, 1). */
function gumbel(random: () => number): number {
  return -Math.log(-Math.log(positive(random)));
}

function normal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(positive(random))) * Math.cos(2 * Math.PI * random());
}

/** A uniform number that is never 0. */
function positive(random: () => number): number {
  return Math.max(2 ** -33, random());
}
