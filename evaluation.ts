/**
 * How good predictions and policies are: exact figures over arrays, and what another policy would have earned, from a log
 * of choices made at random. Pure.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { auc, normalizedEntropy } from "@meander/meander/evaluation";
 *
 * const labels = [0, 1, 0, 1], predictions = [0.1, 0.4, 0.4, 0.8];
 * assert.equal(auc(labels, predictions), 0.875);
 * assert.ok((normalizedEntropy(labels, predictions) ?? 1) < 1); // better than the overall rate
 * ```
 *
 * @module
 */

// Predictions, in the order of their outcomes.
export {
  type MetricsReport,
  type ProgressiveRow,
  ProgressiveRows,
  type Segment,
} from "./src/metrics/progressive_rows.ts";

// Figures over arrays.
export { auc, gauc, type Numbers, prAuc } from "./src/metrics/ranking.ts";
export {
  accuracy,
  calibration,
  constantLogLoss,
  entropy,
  logLoss,
  normalizedEntropy,
} from "./src/metrics/probability.ts";

// Other policies, from a log.
export {
  type EstimatorName,
  ESTIMATORS,
  evaluatePolicy,
  type Evaluation,
  type EvaluationOptions,
  type LoggedList,
  type LoggedPlace,
  type PolicyEstimate,
  type Slate,
  SLATES,
} from "./src/experiments/off_policy.ts";
export type { Overlap } from "./src/experiments/policy_overlap.ts";
export type { Interval } from "./src/metrics/confidence_sequence.ts";
export { bernoulliThompson, type BetaArm } from "./src/experiments/bernoulli_thompson.ts";
export {
  type Candidates,
  type Choice,
  choose,
  type PolicyOptions,
  propensitiesOf,
} from "./src/draws/policy.ts";
