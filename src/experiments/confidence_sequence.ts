/**
 * Intervals that hold at all times at once, so that anybody may look at any time and stop when they like.
 *
 * @module
 */

/** An interval. */
export interface Interval {
  /** Lower end. */
  readonly low: number;
  /** Upper end. */
  readonly high: number;
}

/** An estimate at some time. */
export interface Estimate {
  /** The estimate. */
  readonly value: number;
  /** Its variance. */
  readonly variance: number;
  /** Units, users here, that it is made of. */
  readonly n: number;
}

/** Parameters of a confidence sequence. */
export interface ConfidenceOptions {
  /** Probability that the truth is ever outside, in (0, 1). */
  readonly alpha: number;
  /** Number of units at which the interval is about the narrowest possible. */
  readonly tunedFor: number;
}

/**
 * The asymptotic confidence sequence of Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, "Time-uniform central
 * limit theory and asymptotic confidence sequences" (Annals of Statistics 2024, Theorem 2.2), which is also the
 * mixture SPRT with a normal mixture (Robbins 1970; Johari et al. 2022):
 *
 * half width = √( v · (1 + 1/κ) · (2 ln(1/α) + ln(κ + 1)) ), κ = n ρ², v the variance of the estimate.
 *
 * ρ² is tuned so that it is narrowest at n = `tunedFor`. Asymptotic: it holds when the estimate is an average
 * over many units, as a ratio's influence is; `tests/experiments` and docs/experiments.md say how well.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { sequenceInterval } from "./confidence_sequence.ts";
 *
 * const { low, high } = sequenceInterval({ value: 0, variance: 1, n: 100 }, { alpha: 0.05, tunedFor: 100 });
 * assert.ok(high > 3 && high < 3.1 && low === -high); // 1.96 when looked at once
 * ```
 */
export function sequenceInterval({ value, variance, n }: Estimate, options: ConfidenceOptions): Interval {
  const kappa = n * mixture(options);
  const half = Math.sqrt(
    variance * (1 + 1 / kappa) * (2 * Math.log(1 / options.alpha) + Math.log(kappa + 1)),
  );
  return { low: value - half, high: value + half };
}

/** The smallest α at which {@linkcode sequenceInterval} leaves `truth` out: a p-value for any time. */
export function sequenceP(
  { value, variance, n }: Estimate,
  truth: number,
  options: ConfidenceOptions,
): number {
  const kappa = n * mixture(options);
  const z2 = (value - truth) ** 2 / variance;
  return Math.min(1, Math.exp((Math.log(kappa + 1) - z2 / (1 + 1 / kappa)) / 2));
}

/** ρ² of the normal mixture; Waudby-Smith et al., appendix B.2. */
function mixture({ alpha, tunedFor }: ConfidenceOptions): number {
  const l = -2 * Math.log(alpha);
  return (l + Math.log(l + 1)) / tunedFor;
}

/** Candidate means that a {@linkcode BettingSequence} keeps. */
const GRID = 1000;

/**
 * Confidence sequence for the mean of bounded numbers, by betting against each candidate mean: exact at every
 * number of observations, without any limit theorem (Waudby-Smith and Ramdas, "Estimating means of bounded random
 * variables by betting", JRSS B 2024, the hedged capital with predictable plug-in bets).
 *
 * Right for outcomes that come once a user, such as a conversion; O(1000) time an observation, 16 KB.
 */
export class BettingSequence {
  readonly #alpha: number;
  readonly #low: number;
  readonly #range: number;
  /** Log capital of betting up and down, by candidate. */
  readonly #up = new Float64Array(GRID + 1);
  readonly #down = new Float64Array(GRID + 1);
  #n = 0;
  #sum = 0.5;
  #squares = 0.25;
  #first = 0;
  #last = GRID;

  /** Nothing observed yet. @param bounds All observations lie in here. */
  constructor(alpha: number, { low, high }: Interval = { low: 0, high: 1 }) {
    if (!(high > low)) throw new RangeError(`Cannot bound observations by [${low}, ${high}]`);
    this.#alpha = alpha;
    this.#low = low;
    this.#range = high - low;
  }

  /** Takes an observation in. @throws RangeError When it is out of bounds. */
  update(value: number): void {
    const x = (value - this.#low) / this.#range;
    if (!(x >= 0 && x <= 1)) {
      throw new RangeError(
        `Cannot take an observation as one of [${this.#low}, ${
          this.#low + this.#range
        }]: current value is ${value}`,
      );
    }
    const t = ++this.#n;
    const variance = this.#squares / t;
    const bet = Math.sqrt(2 * Math.log(2 / this.#alpha) / (variance * t * Math.log(t + 1)));
    for (let g = this.#first; g <= this.#last; g++) {
      const m = g / GRID;
      this.#up[g]! += Math.log1p(Math.min(bet, 0.5 / Math.max(m, 1e-9)) * (x - m));
      this.#down[g]! += Math.log1p(-Math.min(bet, 0.5 / Math.max(1 - m, 1e-9)) * (x - m));
    }
    this.#sum += x;
    this.#squares += (x - this.#sum / (t + 1)) ** 2;
    // What was ever left out stays out.
    const limit = Math.log(2 / this.#alpha);
    const out = (g: number) => this.#up[g]! >= limit || this.#down[g]! >= limit;
    while (this.#first < this.#last && out(this.#first)) this.#first++;
    while (this.#last > this.#first && out(this.#last)) this.#last--;
  }

  /** The interval now. */
  get(): Interval {
    const at = (g: number) => this.#low + this.#range * Math.max(0, Math.min(1, g / GRID));
    return {
      low: this.#first === 0 ? this.#low : at(this.#first - 1),
      high: this.#last === GRID ? this.#low + this.#range : at(this.#last + 1),
    };
  }
}
