/**
 * What the scores of an answer are: probabilities once there are outcomes to learn them from, until then shares.
 *
 * @module
 */

import type { ScoreKind } from "../events/recommendation.ts";
import type { FeatureStatistics } from "../features/statistics.ts";
import { sigmoid } from "../nn/losses/logistic.ts";
import type { Candidate } from "../retrieval/finder.ts";
import type { CandidateOrder } from "./ordering.ts";

/** Final outcomes from which on a rate of positives is known to some points: ±0.1 at most, with two standard errors. */
const PROBABLE_OUTCOMES = 100;

/** What a task's scores are, as of now. */
export function scoreKindOf({ overall }: FeatureStatistics): ScoreKind {
  return overall.outcomes >= PROBABLE_OUTCOMES ? "probability" : "share";
}

/** What candidates are scored by. */
export interface ScoredBy {
  readonly candidates: readonly Candidate[];
  /** Of the model, the prior or their mix, for each candidate. */
  readonly logits: Float64Array;
  readonly ranking: CandidateOrder;
  /** What it orders by, without boosts. */
  readonly scores: Float64Array;
  /** Whether these have what the model says: then they are no shares yet. */
  readonly isModelled: boolean;
}

/**
 * The score in [0, 1] of a candidate, by its index. Shares are those by which `ranking` orders, without boosts:
 * of all candidates they add up to 1 at most.
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
