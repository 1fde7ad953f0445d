/**
 * How a variant orders scored candidates: from logits, the blend and boosts to those that its policy chooses from.
 */

import type { RANKINGS, VariantSettings } from "../assignment/experiment.ts";
import { listPicker, type Picker } from "../assignment/interleaving.ts";
import { type Candidates, choose, draw, type PolicyOptions, propensitiesOf } from "../draws/policy.ts";
import { logitDeviation } from "../draws/thompson.ts";
import type { Boost, Diversity, RequestEvent } from "../events/event.ts";
import type { Candidate } from "../retrieval/finder.ts";
import { boostOf } from "./boosts.ts";
import { diversify } from "./diversity.ts";

/**
 * What orders retrieved candidates: the model's probability of a positive outcome (`model`), the blend's of being taken
 * next (`blend`), their product (`both`), or a mixture of everything that can order, learnt by `stack.ts` (`auto`).
 */
export type CandidateOrder = typeof RANKINGS[number];

export interface Order {
  /** Rules that raise or lower items. */
  readonly boosts: readonly Boost[];
  readonly policy: PolicyOptions;
}

/**
 * The scores that candidates are ordered by, as log-odds.
 *
 * @param own The result of {@linkcode rankingScores}
 * @param logits Those of the model, the prior or their mix
 */
export function scoresOf(
  candidates: readonly Candidate[],
  { own, logits }: { readonly own: Float64Array; readonly logits: Float64Array },
  { boosts, policy }: Order,
): Candidates {
  const boost = boostOf(boosts);
  const scores = boost === null ? own : own.map((score, c) => score + boost(candidates[c]!.item));
  if (policy.name !== "thompson") return { scores };
  const deviations = logits.map((logit, c) => logitDeviation(candidates[c]!.item.statistics.outcomes, logit));
  return { scores, deviations };
}

/**
 * The scores that `ranking` orders candidates by, without boosts, as log-odds.
 *
 * @param logits Those of the model, the prior or their mix
 * @param modelPart What the model adds to the stack; `null` = nothing
 */
export function rankingScores(
  candidates: readonly Candidate[],
  logits: Float64Array,
  ranking: CandidateOrder,
  modelPart: ArrayLike<number> | null,
): Float64Array {
  if (ranking === "model") return logits;
  if (ranking !== "auto") {
    return logits.map((logit, c) => candidates[c]!.score + (ranking === "both" ? logSigmoid(logit) : 0));
  }
  return logits.map((_, c) => candidates[c]!.stacked! + (modelPart?.[c] ?? 0));
}

/** Indices of the candidates that a variant chooses from. */
export function eligibleOf(
  candidates: readonly Candidate[],
  { candidates: given }: RequestEvent,
  { maxCandidates, retrieval }: VariantSettings,
): number[] {
  const all = [...candidates.keys()];
  if (given !== undefined) return all;
  const without: readonly string[] = retrieval?.without ?? [];
  return all.filter((c) => !without.includes(candidates[c]!.source)).slice(0, maxCandidates);
}

/** The eligible candidates that may be on a list of `count`, so that it is as diverse as required. */
export function diverseOf(
  eligible: readonly number[],
  candidates: readonly Candidate[],
  { scores }: Candidates,
  { count, diversity }: { readonly count: number; readonly diversity: Diversity | undefined },
): readonly number[] {
  if (diversity === undefined) return eligible;
  const diverse = eligible.map((c) => ({ categories: candidates[c]!.item.categories, score: scores[c]! }));
  return diversify(diverse, count, diversity).map((index) => eligible[index]!);
}

/** The candidates that a variant chooses from, and how. */
export interface Choosable {
  /** Indices of the candidates. */
  readonly eligible: readonly number[];
  readonly ordered: Candidates;
  readonly policy: PolicyOptions;
  readonly random: () => number;
}

/** Picks the item that a variant would show next, of those that are left. */
export function pickerOf({ eligible, ordered, policy, random }: Choosable, count: number): Picker<number> {
  if (policy.name === "greedy") {
    return listPicker(choose(ordered, count, policy, random).map(({ index }) => eligible[index]!));
  }
  const left = (above: ReadonlySet<number>) => [...eligible.keys()].filter((at) => !above.has(eligible[at]!));
  return {
    left: (above) => left(above).length,
    draw(above) {
      const places = left(above);
      const [index] = places.length === 0 ? [] : draw(subset(ordered, places), 1, policy, random);
      return index === undefined ? undefined : eligible[places[index]!];
    },
    probability(item, above) {
      const places = left(above);
      const at = places.findIndex((place) => eligible[place] === item);
      return at < 0 ? 0 : propensitiesOf(subset(ordered, places), [at], policy)[0]!;
    },
  };
}

export function subset(candidates: Candidates, indices: readonly number[]): Candidates {
  const { scores, deviations } = candidates;
  if (indices.length === scores.length && indices.every((index, at) => index === at)) return candidates;
  const of = (values: ArrayLike<number>) => indices.map((index) => values[index]!);
  return { scores: of(scores), deviations: deviations && of(deviations) };
}

/** ln σ(x). */
function logSigmoid(x: number): number {
  return x < 0 ? x - Math.log1p(Math.exp(x)) : -Math.log1p(Math.exp(-x));
}
