/** The figures of the protocols. */

import { accuracy, logLoss, normalizedEntropy } from "../../../src/metrics/probability.ts";
import { auc, gauc, prAuc } from "../../../src/metrics/ranking.ts";
import type { Judged } from "./trial.ts";

/** Figures by name; `null` where one is undefined. */
export type Figures = Readonly<Record<string, number | null>>;

/** Figures of P2: independent rows. */
export function rowFigures({ labels, predictions }: Judged): Figures {
  return {
    auc: auc(labels, predictions),
    prAuc: prAuc(labels, predictions),
    logLoss: logLoss(labels, predictions),
    accuracy: accuracy(labels, predictions),
  };
}

/** Figures of P3: tasks of `size` rows, the first of which is the positive one. */
export function taskFigures({ users, labels, predictions }: Judged, size: number): Figures {
  return {
    auc: auc(labels, predictions),
    gauc: gauc(users, labels, predictions),
    mrr: meanReciprocalRank(predictions, size),
    logLoss: logLoss(labels, predictions),
    ne: normalizedEntropy(labels, predictions),
  };
}

/**
 * Mean of 1/rank of the first of each `size` scores among them; a tie counts half a place. `null` without scores.
 *
 * @example
 * ```ts
 * import { meanReciprocalRank } from "./figures.ts";
 * import assert from "node:assert/strict";
 * assert.equal(meanReciprocalRank([3, 2, 1, 1, 2, 2], 3), (1 + 1 / 3) / 2);
 * assert.equal(meanReciprocalRank([1, 1, 1], 3), 1 / 2);
 * ```
 */
export function meanReciprocalRank(scores: ArrayLike<number>, size: number): number | null {
  let total = 0;
  for (let task = 0; task < scores.length; task += size) {
    let rank = 1;
    for (let i = task + 1; i < task + size; i++) {
      if (scores[i]! > scores[task]!) rank++;
      else if (scores[i]! === scores[task]!) rank += 0.5;
    }
    total += 1 / rank;
  }
  return scores.length === 0 ? null : total / (scores.length / size);
}
