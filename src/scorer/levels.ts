/**
 * Corrects probabilities by level: what came where as much was said. A model may be right on average, and yet too sure
 * of its highest and lowest scores.
 *
 * ```text
 * a knot at each logit c of a grid counts the rows whose logit z is nearest to it:
 *   said = Σ σ(z),   came = Σ labels,   rows = said / σ(c),   information = rows σ(c) (1 − σ(c))
 *   moved to          m = c + (came − said) / (information + PRIOR)       one step of Newton's from "it is right",
 *                     but not past the logit of came / rows               which it would leap over from far away
 *   worth             rows σ(m) (1 − σ(m)) + PRIOR
 * the corrected logit is linear between the knots, after pooling those that would fall (isotonic regression)
 * ```
 *
 * So it never falls where the logit rises. Memory: two numbers per knot. Each knot forgets by itself: once its
 * information reaches {@linkcode MOST}, both are halved, so levels that are rare remember for longer.
 *
 * @module
 */

import { sigmoid } from "../nn/losses/logistic.ts";
import { isotonic } from "../metrics/isotonic.ts";

/** The grid: knots from {@linkcode LOWEST} in steps, as logits. */
const LOWEST = -6, STEP = 0.5, KNOTS = 21;
/** Information that "it is right" counts for: that of a thousand rows at 0.2. */
const PRIOR = 160;
/** Information at which a knot forgets half. */
const MOST = 500;

export class Levels {
  /** What was said and what came, by knot, in millionths. */
  readonly #said = new Float64Array(KNOTS);
  readonly #came = new Float64Array(KNOTS);
  /** The corrected logits of the knots; `null` = to be computed. */
  #corrected: Float64Array | null = null;

  /** Counts the outcome of a row. */
  learn(logit: number, label: number): void {
    const knot = Math.min(KNOTS - 1, Math.max(0, Math.round((logit - LOWEST) / STEP)));
    this.#said[knot] = this.#said[knot]! + Math.round(1e6 * sigmoid(logit));
    this.#came[knot] = this.#came[knot]! + 1e6 * label;
    if (this.#informationAt(knot) >= MOST) {
      for (const sums of [this.#said, this.#came]) sums[knot] = Math.floor(sums[knot]! / 2);
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
    return this.#said[knot]! / 1e6 * sigmoid(-logitOf(knot));
  }

  #fit(): Float64Array {
    const [moved, weights] = [new Float64Array(KNOTS), new Float64Array(KNOTS)];
    for (let knot = 0; knot < KNOTS; knot++) {
      const logit = logitOf(knot);
      const [said, came] = [this.#said[knot]! / 1e6, this.#came[knot]! / 1e6];
      const rows = said / sigmoid(logit);
      const step = (came - said) / (this.#informationAt(knot) + PRIOR);
      const whole = came === said ? 0 : Math.log(came / Math.max(0, rows - came)) - logit;
      moved[knot] = logit +
        (step < 0 ? Math.max(step, Math.min(whole, 0)) : Math.min(step, Math.max(whole, 0)));
      const p = sigmoid(moved[knot]!);
      weights[knot] = rows * p * (1 - p) + PRIOR;
    }
    return isotonic(moved, weights);
  }

  /** What it has counted, as named numbers: those that are not 0. */
  *counters(): Generator<readonly [name: string, value: number]> {
    for (const [name, sums] of [["said", this.#said], ["came", this.#came]] as const) {
      for (const [knot, sum] of sums.entries()) if (sum !== 0) yield [`${name}${knot}`, sum];
    }
  }

  /** Restores one of {@linkcode Levels.counters}; ignores other names. */
  restore(name: string, value: number): void {
    const [, kind, knot] = /^(said|came)(\d+)$/.exec(name) ?? [];
    if (kind === undefined || Number(knot) >= KNOTS) return;
    (kind === "said" ? this.#said : this.#came)[Number(knot)] = value;
    this.#corrected = null;
  }
}

function logitOf(knot: number): number {
  return LOWEST + STEP * knot;
}
