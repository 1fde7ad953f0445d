/**
 * Calibration and likelihood of predicted probabilities: exact figures over stored rows, with natural logarithms. Every
 * function returns `null` where its figure is undefined.
 */

import type { Numbers } from "./ranking.ts";

/** Predictions are clipped this far from 0 and 1 inside logarithms. */
export const PROBABILITY_FLOOR = 1e-7;

/**
 * Negative log likelihood of one outcome, in nats; the prediction is clipped to
 * [{@linkcode PROBABILITY_FLOOR}, 1 − {@linkcode PROBABILITY_FLOOR}].
 */
export function rowLogLoss(label: number, prediction: number): number {
  const p = Math.min(Math.max(prediction, PROBABILITY_FLOOR), 1 - PROBABILITY_FLOOR);
  return label === 1 ? -Math.log(p) : -Math.log(1 - p);
}

/**
 * Entropy in nats of an outcome that happens with probability `rate`: the log loss of always predicting it.
 *
 * @example
 * ```ts
 * import { entropy } from "@meander/meander/evaluation";
 * import assert from "node:assert/strict";
 * assert.equal(entropy(0.5), Math.LN2);
 * assert.equal(entropy(0), 0);
 * ```
 */
export function entropy(rate: number): number {
  return rate <= 0 || rate >= 1 ? 0 : -(rate * Math.log(rate) + (1 - rate) * Math.log(1 - rate));
}

/**
 * Mean log loss in nats, predictions clipped by {@linkcode PROBABILITY_FLOOR}; `null` without rows.
 *
 * @param labels outcomes in {0, 1}
 * @param predictions probabilities, of the same length
 *
 * @example
 * ```ts
 * import { logLoss } from "@meander/meander/evaluation";
 * import assert from "node:assert/strict";
 * assert.equal(logLoss([1, 0], [0.5, 0.5]), Math.LN2);
 * ```
 */
export function logLoss(labels: Numbers, predictions: Numbers): number | null {
  let total = 0;
  for (let i = 0; i < labels.length; i++) total += rowLogLoss(labels[i]!, predictions[i]!);
  return labels.length === 0 ? null : total / labels.length;
}

/**
 * Log loss of the best constant, the entropy of the mean label; `null` without rows.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { constantLogLoss, entropy } from "@meander/meander/evaluation";
 *
 * assert.equal(constantLogLoss([0, 1, 0, 0]), entropy(0.25));
 * ```
 */
export function constantLogLoss(labels: Numbers): number | null {
  return labels.length === 0 ? null : entropy(sum(labels) / labels.length);
}

/**
 * Log loss relative to that of the best constant *for the same rows* (He et al., ADKDD'14): 1 is no better than a
 * constant, 0 is perfect; `null` with only one label.
 *
 * @example
 * ```ts
 * import { normalizedEntropy } from "@meander/meander/evaluation";
 * import assert from "node:assert/strict";
 * assert.equal(normalizedEntropy([1, 0], [0.5, 0.5]), 1);
 * assert.equal(normalizedEntropy([1, 1], [0.5, 0.5]), null);
 * ```
 */
export function normalizedEntropy(labels: Numbers, predictions: Numbers): number | null {
  const loss = logLoss(labels, predictions);
  const constant = constantLogLoss(labels);
  return loss === null || constant === null || constant === 0 ? null : loss / constant;
}

/**
 * Σ predictions / Σ labels: 1 is calibrated on average, above 1 overestimates; `null` without positives.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { calibration } from "@meander/meander/evaluation";
 *
 * assert.equal(calibration([0, 1, 1], [0.5, 0.5, 0.5]), 0.75); // promises too little
 * ```
 */
export function calibration(labels: Numbers, predictions: Numbers): number | null {
  const positives = sum(labels);
  return positives === 0 ? null : sum(predictions) / positives;
}

/**
 * Share of rows where `prediction >= 0.5` agrees with the label; `null` without rows.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { accuracy } from "@meander/meander/evaluation";
 *
 * assert.equal(accuracy([0, 1, 1, 0], [0.2, 0.7, 0.4, 0.1]), 0.75);
 * ```
 */
export function accuracy(labels: Numbers, predictions: Numbers): number | null {
  let right = 0;
  for (let i = 0; i < labels.length; i++) if ((predictions[i]! >= 0.5) === (labels[i] === 1)) right++;
  return labels.length === 0 ? null : right / labels.length;
}

function sum(values: Numbers): number {
  let total = 0;
  for (let i = 0; i < values.length; i++) total += values[i]!;
  return total;
}
