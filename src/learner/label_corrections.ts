/**
 * Corrects the loss and the judge for labels that are sampled or premature: logits are shifted for the negatives left
 * out, and rows whose clicks may still come are weighted.
 */

import { lateClickWeight } from "../nn/losses/delayed.ts";
import { samplingOffset } from "../nn/losses/log_odds.ts";
import { logisticLoss } from "../nn/losses/logistic.ts";
import type { Rows } from "../samples/rows.ts";
import type { Sample } from "../samples/sample.ts";

/** Log loss of judged rows. */
export interface JudgedLoss {
  /** Number of rows; a sampled negative also counts for those that were left out. */
  rows: number;
  /** Their log loss, summed. */
  loss: number;
}

/** The corrections of one learner. Logits are as the loss sees them, by row. */
export class LabelCorrections {
  /** Share of the negatives that is learnt, in (0, 1]. */
  readonly negativeRate: number;
  /** Added to every logit in the loss; 0 when all negatives are learnt. */
  readonly offset: number;

  /** @throws RangeError when the rate is out of range */
  constructor(negativeRate: number) {
    this.negativeRate = negativeRate;
    this.offset = samplingOffset(negativeRate);
  }

  /** Loss weights of rows whose labels were given before all clicks had arrived. */
  lateWeights({ rows, lateShare = 0 }: Sample, logits: Float32Array): Float32Array {
    return logits.map((logit, c) => lateClickWeight(logit - this.offset, rows.label(c), lateShare));
  }

  /** Adds the log loss of final labels, as served, to `judged`. */
  judge(rows: Rows, logits: Float32Array, judged: JudgedLoss): void {
    for (let c = 0; c < rows.length; c++) {
      const label = rows.label(c);
      const weight = label === 1 ? 1 : 1 / this.negativeRate;
      judged.rows += weight;
      judged.loss += logisticLoss(logits[c]! - this.offset, label, weight).value;
    }
  }
}
