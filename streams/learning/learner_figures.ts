/** Figures of a learner, in a form that other threads can send. */

import type { Health, HealthChange } from "../../src/learner/guard/guard.ts";
import { calibration, normalizedEntropy } from "../../src/metrics/probability.ts";
import { auc, type Numbers } from "../../src/metrics/ranking.ts";
import type { Learning } from "./learning.ts";

/** Metrics of the newest judged predictions; see `docs/reference/metrics.md`. */
export interface Quality {
  /** Number of predictions. */
  readonly rows: number;
  /** Share of positives; `null` without rows. */
  readonly ctr: number | null;
  /** Area under the ROC curve; `null` with fewer than two classes. */
  readonly auc: number | null;
  /** Log loss divided by that of the constant rate, or `null`. */
  readonly entropy: number | null;
  /** Sum of the predictions divided by that of the labels, or `null`. */
  readonly calibration: number | null;
}

export interface LearnerFigures {
  /** Newest version made. */
  readonly version: number;
  /** Number of predictions judged since the beginning. */
  readonly rows: number;
  /** Positions after the last learnt samples, by partition. */
  readonly positions: readonly number[];
  /** Whether the guard trusts the served weights. */
  readonly health: Health;
  /** The newest changes of the health, oldest first. */
  readonly changes: readonly HealthChange[];
  /** Share of the model in the order of lists: 0, ½, or 1 once it has proved itself; see `proof.ts`. */
  readonly modelShare: number;
  /** Number of offsets of samples that the log had dropped before they were learnt. */
  readonly lost: number;
  /** Number of batches dropped because of a non-finite loss or gradient. */
  readonly failures: number;
  /** Number of rollbacks of served weights by the guard. */
  readonly rollbacks: number;
  /** Number of batches withheld because the guard tripped. */
  readonly heldBatches: number;
  /** Memory of its embedding tables, bytes. */
  readonly tableBytes: number;
  /** Metrics of the newest {@linkcode QUALITY_ROWS} predictions. */
  readonly quality: Quality;
}

/** Number of the newest judged rows that the quality covers. */
const QUALITY_ROWS = 5000;
const NEWEST_CHANGES = 16;

/** Collects figures of a learner; recomputes the quality, which sorts rows, only when there are new ones. */
export class FigureTaker {
  readonly #learning: Learning;
  #judged = -1;
  #quality: Quality = qualityOf([], []);

  /** Collects from a learner. */
  constructor(learning: Learning) {
    this.#learning = learning;
  }

  take(): LearnerFigures {
    const {
      version,
      validation,
      positions,
      guard,
      proof,
      failures,
      lost,
      rollbacks,
      heldBatches,
      learner,
    } = this.#learning;
    if (validation.judged !== this.#judged) {
      const { labels, predictions } = validation.rows;
      this.#judged = validation.judged;
      this.#quality = qualityOf(labels.subarray(-QUALITY_ROWS), predictions.subarray(-QUALITY_ROWS));
    }
    return {
      version,
      rows: validation.judged,
      positions,
      health: guard.health,
      changes: guard.changes.slice(-NEWEST_CHANGES),
      modelShare: proof?.share ?? 1,
      failures,
      lost,
      rollbacks,
      heldBatches,
      tableBytes: learner.tableBytes,
      quality: this.#quality,
    };
  }
}

/** Computes the metrics of predictions. */
function qualityOf(labels: Numbers, predictions: Numbers): Quality {
  let positives = 0;
  for (let i = 0; i < labels.length; i++) positives += labels[i]!;
  return {
    rows: labels.length,
    ctr: labels.length === 0 ? null : positives / labels.length,
    auc: auc(labels, predictions),
    entropy: normalizedEntropy(labels, predictions),
    calibration: calibration(labels, predictions),
  };
}
