/**
 * Calibrates probabilities by level. A model may be right on average, and yet too sure of its highest and lowest scores.
 *
 * ```text
 * a knot at each logit c of a grid counts the rows whose logit z is nearest to it:
 *   expected = Σ σ(z),   positives = Σ labels,   rows = expected / σ(c),   information = rows σ(c) (1 − σ(c))
 *   moved to   m = c + (positives − expected) / (information + PRIOR)     one Newton step from "it is calibrated",
 *              but not past the logit of positives / rows                 which it would leap over from far away;
 *                                                                         none of either counts as half a row
 *   worth      rows σ(m) (1 − σ(m)) + PRIOR
 * the corrected logit is linear between the knots, after pooling adjacent violators (isotonic regression)
 * ```
 *
 * So it never falls where the logit rises. Memory: two numbers per knot. Once a knot's information reaches
 * {@linkcode MOST}, both are halved, so rare levels remember for longer.
 */

import { sigmoid } from "../nn/losses/logistic.ts";
import { isotonic } from "../metrics/isotonic.ts";

/** The grid: knots from {@linkcode LOWEST} in steps, as logits. */
const LOWEST = -6, STEP = 0.5, KNOTS = 21;
/** Weight of "it is calibrated", in units of information: that of a thousand rows at 0.2. */
const PRIOR = 160;
/** Information at which a knot forgets half. */
const MOST = 500;

export class Levels {
  /** Expected and observed positives, by knot, in millionths. */
  readonly #expected = new Float64Array(KNOTS);
  readonly #positives = new Float64Array(KNOTS);
  /** The corrected logits of the knots; `null` = to be computed. */
  #corrected: Float64Array | null = null;

  /** Counts the outcome of a row. */
  learn(logit: number, label: number): void {
    const knot = Math.min(KNOTS - 1, Math.max(0, Math.round((logit - LOWEST) / STEP)));
    this.#expected[knot] = this.#expected[knot]! + Math.round(1e6 * sigmoid(logit));
    this.#positives[knot] = this.#positives[knot]! + 1e6 * label;
    if (this.#informationAt(knot) >= MOST) {
      for (const sums of [this.#expected, this.#positives]) sums[knot] = Math.floor(sums[knot]! / 2);
    }
    this.#corrected = null;
  }

  /** The corrected logit; beyond the grid, it is moved as far as at its end. */
  correct(logit: number): number {
    const corrected = this.#corrected ??= this.#fit();
    const at = (logit - LOWEST) / STEP;
    if (at <= 0) return logit + corrected[0]! - LOWEST;
    if (at >= KNOTS - 1) return logit + corrected[KNOTS - 1]! - logitOf(KNOTS - 1);
    const knot = Math.floor(at);
    return corrected[knot]! + (at - knot) * (corrected[knot + 1]! - corrected[knot]!);
  }

  #informationAt(knot: number): number {
    return this.#expected[knot]! / 1e6 * sigmoid(-logitOf(knot));
  }

  #fit(): Float64Array {
    const [moved, weights] = [new Float64Array(KNOTS), new Float64Array(KNOTS)];
    for (let knot = 0; knot < KNOTS; knot++) {
      const logit = logitOf(knot);
      const [expected, positives] = [this.#expected[knot]! / 1e6, this.#positives[knot]! / 1e6];
      const rows = expected / sigmoid(logit);
      const step = (positives - expected) / (this.#informationAt(knot) + PRIOR);
      const whole = Math.log(Math.max(0.5, positives) / Math.max(0.5, rows - positives)) - logit;
      moved[knot] = logit +
        (step < 0 ? Math.max(step, Math.min(whole, 0)) : Math.min(step, Math.max(whole, 0)));
      const p = sigmoid(moved[knot]!);
      weights[knot] = rows * p * (1 - p) + PRIOR;
    }
    return isotonic(moved, weights);
  }

  /** All sums other than 0, by the names under which they are stored. */
  *counters(): Generator<readonly [name: string, value: number]> {
    for (const [name, sums] of [["said", this.#expected], ["came", this.#positives]] as const) {
      for (const [knot, sum] of sums.entries()) if (sum !== 0) yield [`${name}${knot}`, sum];
    }
  }

  /** Restores one of {@linkcode Levels.counters}; ignores other names. */
  restore(name: string, value: number): void {
    const [, kind, knot] = /^(said|came)(\d+)$/.exec(name) ?? [];
    if (kind === undefined || Number(knot) >= KNOTS) return;
    (kind === "said" ? this.#expected : this.#positives)[Number(knot)] = value;
    this.#corrected = null;
  }
}

function logitOf(knot: number): number {
  return LOWEST + STEP * knot;
}
