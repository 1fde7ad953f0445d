/**
 * What the scores of an answer mean: probabilities once there are outcomes to learn them from, until then shares.
 *
 * @module
 */

import type { ScoreKind } from "../events/recommendation.ts";
import type { FeatureStatistics } from "../features/statistics.ts";
import { sigmoid } from "../nn/losses/logistic.ts";
import type { Candidate } from "../retrieval/finder.ts";
import type { CandidateOrder } from "./ordering.ts";

/** Number of final outcomes from which two standard errors of a rate of positives are at most 0.1. */
const PROBABLE_OUTCOMES = 100;

/** What a task's scores mean now. */
export function scoreKindOf({ overall }: FeatureStatistics): ScoreKind {
  return overall.outcomes >= PROBABLE_OUTCOMES ? "probability" : "share";
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
