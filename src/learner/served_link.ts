/**
 * Between the logits of the loss and those that are served: the loss knows of negatives that were left out and of labels
 * that came too soon; what is served is corrected for both, and calibrated.
 *
 * @module
 */

import type { ByteReader } from "../codec/byte_reader.ts";
import type { ByteWriter } from "../codec/byte_writer.ts";
import { lateClickWeight } from "../nn/losses/delayed.ts";
import { type Link, withoutFakeNegatives } from "../nn/losses/link.ts";
import { samplingOffset } from "../nn/losses/log_odds.ts";
import { logisticLoss } from "../nn/losses/logistic.ts";
import { Calibration } from "./calibration.ts";
import type { LearnerSettings } from "./learner_options.ts";
import type { Sample, SampleRow } from "../samples/sample.ts";

/** What of a learner's options is about what it serves. */
export type ServedLinkOptions = Pick<LearnerSettings, "negativeRate" | "fakeNegatives" | "calibrationRate">;

/** Log loss of judged rows. */
export interface JudgedLoss {
  /** Rows; a negative stands for those that were left out. */
  rows: number;
  /** Their log loss, summed. */
  loss: number;
}

/** The corrections of one learner. */
export class ServedLink {
  /** Share of the negatives that is learnt, in (0, 1]. */
  readonly negativeRate: number;
  /** Added to every logit in the loss; 0 when all negatives are learnt. */
  readonly offset: number;
  readonly #fakeNegatives: boolean;
  readonly #calibration: Calibration;

  /** Nothing is calibrated yet. @throws RangeError when a rate is out of its range */
  constructor({ negativeRate, fakeNegatives, calibrationRate }: ServedLinkOptions) {
    this.negativeRate = negativeRate;
    this.offset = samplingOffset(negativeRate);
    this.#fakeNegatives = fakeNegatives;
    this.#calibration = new Calibration(calibrationRate);
  }

  /** What leads from the logits of the weights to those that are served, as of now. */
  get link(): Link {
    const { scale, bias } = this.#calibration;
    return { fakeNegatives: this.#fakeNegatives, scale, bias };
  }

  /**
   * Weights in the loss of rows whose labels were given before all clicks had come.
   *
   * @param logits of the loss, by row
   */
  lateWeights({ rows, lateShare = 0 }: Sample, logits: Float32Array): Float32Array {
    return logits.map((logit, c) => lateClickWeight(logit - this.offset, rows[c]!.label, lateShare));
  }

  /**
   * Judges final labels as they would have been served, adds them to `judged`, and calibrates with them.
   *
   * @param logits of the loss, by row
   */
  judge(rows: readonly SampleRow[], logits: Float32Array, judged: JudgedLoss): void {
    const link = { fakeNegatives: this.#fakeNegatives };
    rows.forEach(({ label }, c) => {
      const weight = label === 1 ? 1 : 1 / this.negativeRate;
      const u = withoutFakeNegatives(logits[c]! - this.offset, link);
      const { scale, bias } = this.#calibration;
      judged.rows += weight;
      judged.loss += logisticLoss(scale * u + bias, label, weight).value;
      this.#calibration.update(u, label, weight);
    });
  }

  /** Writes the calibration. */
  encode(to: ByteWriter): void {
    this.#calibration.encode(to);
  }

  /** Reads the calibration. */
  decode(from: ByteReader): void {
    this.#calibration.decode(from);
  }
}
