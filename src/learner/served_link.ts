/**
 * From the logits in the loss to those that are served: the loss sees sampled negatives and premature labels; served
 * logits are corrected for both, and calibrated.
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
import type { Rows } from "../samples/rows.ts";
import type { Sample } from "../samples/sample.ts";

/** The options of a learner that concern served logits. */
export type ServedLinkOptions = Pick<LearnerSettings, "negativeRate" | "fakeNegatives" | "calibrationRate">;

/** Log loss of judged rows. */
export interface JudgedLoss {
  /** Number of rows; a sampled negative also counts for those that were left out. */
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

  /** Starts uncalibrated. @throws RangeError when a rate is out of range */
  constructor({ negativeRate, fakeNegatives, calibrationRate }: ServedLinkOptions) {
    this.negativeRate = negativeRate;
    this.offset = samplingOffset(negativeRate);
    this.#fakeNegatives = fakeNegatives;
    this.#calibration = new Calibration(calibrationRate);
  }

  /** The current link from learnt to served logits. */
  get link(): Link {
    const { scale, bias } = this.#calibration;
    return { fakeNegatives: this.#fakeNegatives, scale, bias };
  }

  /**
   * Loss weights of rows whose labels were given before all clicks had arrived.
   *
   * @param logits as the loss sees them, by row
   */
  lateWeights({ rows, lateShare = 0 }: Sample, logits: Float32Array): Float32Array {
    return logits.map((logit, c) => lateClickWeight(logit - this.offset, rows.label(c), lateShare));
  }

  /**
   * Adds the log loss of final labels, as served, to `judged`, and calibrates on them.
   *
   * @param logits as the loss sees them, by row
   */
  judge(rows: Rows, logits: Float32Array, judged: JudgedLoss): void {
    const link = { fakeNegatives: this.#fakeNegatives };
    for (let c = 0; c < rows.length; c++) {
      const label = rows.label(c);
      const weight = label === 1 ? 1 : 1 / this.negativeRate;
      const u = withoutFakeNegatives(logits[c]! - this.offset, link);
      const { scale, bias } = this.#calibration;
      judged.rows += weight;
      judged.loss += logisticLoss(scale * u + bias, label, weight).value;
      this.#calibration.update(u, label, weight);
    }
  }

  encode(to: ByteWriter): void {
    this.#calibration.encode(to);
  }

  decode(from: ByteReader): void {
    this.#calibration.decode(from);
  }
}
