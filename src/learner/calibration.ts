/**
 * Platt's calibration, learnt online: `p = σ(scale·u + bias)` for the corrected logit u, by gradient descent on final
 * labels. Each row is predicted before it is learnt, so over-confidence shows.
 *
 * @module
 */

import type { ByteReader } from "../codec/byte_reader.ts";
import type { ByteWriter } from "../codec/byte_writer.ts";
import { sigmoid } from "../nn/losses/logistic.ts";

/** The scale stays within [1/4, 4]: beyond that the model is broken, not mis-scaled. */
const MOST = 4;

/** A scale and a bias that follow the stream. */
export class Calibration {
  /** Factor of the logit. */
  scale = 1;
  /** Added to the scaled logit. */
  bias = 0;
  readonly #rate: number;

  /** @param rate learning rate per row; 0 leaves logits as they are @throws RangeError when it is below 0 */
  constructor(rate: number) {
    if (!(rate >= 0)) {
      throw new RangeError(`Cannot calibrate at a rate below 0: current value is ${rate}`);
    }
    this.#rate = rate;
  }

  /**
   * Learns a row.
   *
   * @param u logit after the corrections
   * @param y final outcome in {0, 1}
   * @param weight how many rows this one stands for
   */
  update(u: number, y: number, weight: number): void {
    if (this.#rate === 0 || !Number.isFinite(u)) return;
    const step = this.#rate * weight * (sigmoid(this.scale * u + this.bias) - y);
    this.bias -= step;
    this.scale = Math.min(MOST, Math.max(1 / MOST, this.scale - step * u));
  }

  encode(to: ByteWriter): void {
    to.f64(this.scale).f64(this.bias);
  }

  decode(from: ByteReader): void {
    this.scale = from.f64();
    this.bias = from.f64();
  }
}
