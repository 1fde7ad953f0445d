/**
 * What the scores of an answer mean: probabilities once as many positives come as they say, until then shares.
 *
 * @module
 */

import type { ScoreKind } from "../events/recommendation.ts";
import type { FeatureStatistics } from "../features/statistics.ts";
import { sigmoid } from "../nn/losses/logistic.ts";
import type { Candidate } from "../retrieval/finder.ts";
import type { CandidateOrder } from "./ordering.ts";

/** Number of final outcomes from which two standard errors of a rate of positives are at most 0.1. */
const RATED_OUTCOMES = 100;

/** Logarithm of how many times as many positives may be said as come, or as few. */
const TOLERANCE = Math.log(1.2);
/** Standard errors of the number of positives that came; three, as people differ and all is judged at every row. */
const ERRORS = 3;

/** What was said of shown items that the deployment's own model predicted, and what came. */
export interface Said {
  /** Positives that came. */
  judgedPositives: number;
  /** Positives that the model said, in millionths. */
  modelMicros: number;
  /** Positives that the prior said, in millionths. */
  priorMicros: number;
  /** How often the model was found to be right, or to be no more; right now, if odd. */
  modelTurns: number;
  /** The same of the prior. */
  priorTurns: number;
}

/** Counts the outcome of a row, and what the model and the prior, as probabilities, had said of it. */
export function judge(
  said: Said,
  label: number,
  { model, prior }: { readonly model: number; readonly prior: number },
): void {
  said.judgedPositives += label;
  said.modelMicros += Math.round(1e6 * model);
  said.priorMicros += Math.round(1e6 * prior);
  said.modelTurns += turnOf(said.modelMicros, said.modelTurns, said.judgedPositives);
  said.priorTurns += turnOf(said.priorMicros, said.priorTurns, said.judgedPositives);
}

/** 1 when a judgement changes: it takes {@linkcode ERRORS} to be right within the tolerance, and as many to be outside. */
function turnOf(micros: number, turns: number, came: number): number {
  if (came === 0) return 0;
  const [off, error] = [Math.abs(Math.log(micros / 1e6 / came)), ERRORS / Math.sqrt(came)];
  const isTurn = turns % 2 === 0 ? off + error <= TOLERANCE : off - error > TOLERANCE;
  return isTurn ? 1 : 0;
}

/** Whether a task knows enough outcomes for rates. */
export function knowsRates({ overall }: FeatureStatistics): boolean {
  return overall.outcomes >= RATED_OUTCOMES;
}

/** What a task's scores mean now, by what the prior and its model have said of shown items. */
export function scoreKindOf({ modelTurns, priorTurns }: Readonly<Said>, modelShare: number): ScoreKind {
  const isRight = (modelShare === 0 || modelTurns % 2 === 1) && (modelShare === 1 || priorTurns % 2 === 1);
  return isRight ? "probability" : "share";
}

/** The data from which candidates' scores are computed. */
export interface ScoredBy {
  readonly candidates: readonly Candidate[];
  /** Logits of the model, the prior or their mix, for each candidate. */
  readonly logits: Float64Array;
  readonly ranking: CandidateOrder;
  /** The scores by which it orders, without boosts. */
  readonly scores: Float64Array;
  /** Whether these include the model's scores: then they are not shares yet. */
  readonly isModelled: boolean;
}

/**
 * The score in [0, 1] of a candidate, by its index. Shares are those by which `ranking` orders, without boosts:
 * over all candidates they add up to at most 1.
 */
export function scoreIn(
  kind: ScoreKind,
  { candidates, logits, ranking, scores, isModelled }: ScoredBy,
): (c: number) => number {
  if (kind === "probability") return (c) => sigmoid(logits[c]!);
  if (ranking === "blend") return (c) => candidates[c]!.share;
  if (ranking === "both") return (c) => candidates[c]!.share * sigmoid(logits[c]!);
  if (ranking === "auto" && !isModelled) return (c) => Math.exp(scores[c]!);
  const highest = scores.reduce((most, score) => Math.max(most, score), -Infinity);
  const sum = scores.reduce((sum, score) => sum + Math.exp(score - highest), 0);
  return (c) => Math.exp(scores[c]! - highest) / sum;
}
