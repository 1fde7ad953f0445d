/**
 * Sums of a log by independent unit: estimators are functions of them, and their spread over units gives errors.
 */

import { mulberry32 } from "../draws/random.ts";

/** Columns of a unit's sums; Σ W_k and Σ W_k r_k of place k follow at PLACES + 2k. */
export const LISTS = 0;
export const REWARD = 1;
export const IPS = 2;
export const DR = 3;
export const PLACES = 4;

/** The sums of all units, row by row. */
export class UnitSums {
  readonly total: Float64Array;
  readonly units: number;
  readonly #rows: Float64Array;
  readonly #width: number;

  constructor(units: readonly (readonly number[])[], width: number) {
    this.units = units.length;
    this.#width = width;
    this.#rows = new Float64Array(units.length * width);
    units.forEach((sums, u) => this.#rows.set(sums, u * width));
    this.total = this.#sum((u) => u);
  }

  /**
   * (Σ|x|)²/Σx² over the units' sums of a column: the number of units if all sums were equal or 0.
   *
   * @param least Σx² counts as at least this
   */
  effectiveUnits(column: number, least = 0): number {
    const norm = Math.max(this.#norm((at) => this.#rows[at + column]!), Math.sqrt(least));
    let sum = 0;
    for (let u = 0; u < this.units; u++) sum += Math.abs(this.#rows[u * this.#width + column]!);
    return norm === 0 ? 0 : (sum / norm) ** 2;
  }

  /**
   * (Σd²)²/Σd⁴ over the deviations d of the units' weights of the last place from 1 per list: the number of units that
   * account for the spread of the weights; Infinity without spread.
   */
  get weightCarriers(): number {
    const deviation = (at: number) => this.#rows[at + this.#width - 2]! - this.#rows[at]!;
    const fourth = this.#norm((at) => deviation(at) ** 2);
    return fourth === 0 ? Infinity : (this.#norm(deviation) ** 2 / fourth) ** 2;
  }

  /** Standard error of a mean per list, over units (delta method). */
  error(column: number): number {
    const value = this.total[column]! / this.total[LISTS]!;
    return this.#widened(
      this.#norm((at) => (this.#rows[at + column]! - value * this.#rows[at]!) / this.total[LISTS]!),
    );
  }

  /** Standard error of SNIPS: the sum of the influences of its ratios. */
  selfNormalisedError(): number {
    return this.#widened(this.#norm((at) => {
      let influence = 0;
      for (let c = PLACES; c < this.#width; c += 2) {
        const weight = this.total[c]!;
        if (weight === 0) continue;
        influence += (this.#rows[at + c + 1]! - this.total[c + 1]! / weight * this.#rows[at + c]!) / weight;
      }
      return influence;
    }));
  }

  /** The sums of resamples of the units. */
  bootstrap(resamples: number, seed: number): Float64Array[] {
    const random = mulberry32(seed);
    return Array.from(
      { length: resamples },
      () => this.#sum(() => Math.floor(random() * this.units)),
    );
  }

  /** Scales by √(U/(U − 1)): residuals of U units about their own mean are too small, and undefined for one unit. */
  #widened(error: number): number {
    return this.units < 2 ? Infinity : error * Math.sqrt(this.units / (this.units - 1));
  }

  #sum(pick: (n: number) => number): Float64Array {
    const width = this.#width;
    const sums = new Float64Array(width);
    for (let n = 0; n < this.units; n++) {
      const at = pick(n) * width;
      for (let c = 0; c < width; c++) sums[c]! += this.#rows[at + c]!;
    }
    return sums;
  }

  /** √ Σ f² over units; `f` gets the index of a unit's row. */
  #norm(f: (at: number) => number): number {
    let sum = 0;
    for (let u = 0; u < this.units; u++) sum += f(u * this.#width) ** 2;
    return Math.sqrt(sum);
  }
}
