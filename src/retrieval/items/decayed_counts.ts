/**
 * Decayed counts by item, read at increasing times: a power is computed once per item and count, not once per item and
 * request.
 */

import { grown } from "../../values/grown.ts";

/** Half-lives after which the base of the powers moves. */
const SPAN = 512;
const LARGEST = 1000;

/** Counts kept as log₂ Σ 2^(t/h), see `popularity.ts`. Results depend only on these and the time. */
export class DecayedCounts {
  readonly #halfLifeMs: number;
  /** By item: L, −∞ if nothing was counted; and 2^(L − base), NaN if it has not been computed for this base. */
  #scores = new Float64Array(256).fill(-Infinity);
  #powers = new Float64Array(256).fill(NaN);
  #base = 0;
  /** 2^(base − t/h) at the current time. */
  #share = 1;

  /** Starts without counts. @param halfLifeMs Half-life, milliseconds of the stream's time. */
  constructor(halfLifeMs: number) {
    this.#halfLifeMs = halfLifeMs;
  }

  /** A copy of the scores. */
  clone(): DecayedCounts {
    const clone = new DecayedCounts(this.#halfLifeMs);
    clone.#scores = this.#scores.slice();
    return clone;
  }

  /** L of an item. */
  score(item: number): number {
    return item < this.#scores.length ? this.#scores[item]! : -Infinity;
  }

  set(item: number, score: number): void {
    if (item >= this.#scores.length) this.#grow(item);
    this.#scores[item] = score;
    this.#powers[item] = NaN;
  }

  moveTo(time: number): void {
    const now = time / this.#halfLifeMs;
    const base = Math.floor(now / SPAN) * SPAN;
    if (base !== this.#base) this.#powers.fill(NaN);
    this.#base = base;
    this.#share = 2 ** (base - now);
  }

  /** The decayed count of an item at the current time; 0 if nothing was counted. */
  count(item: number): number {
    if (item >= this.#powers.length) return 0;
    let power = this.#powers[item]!;
    if (power !== power) {
      power = this.#powers[item] = 2 ** Math.min(this.#scores[item]! - this.#base, LARGEST);
    }
    return power * this.#share;
  }

  #grow(item: number): void {
    const length = Math.max(2 * this.#scores.length, item + 1);
    this.#scores = grown(this.#scores, new Float64Array(length).fill(-Infinity));
    this.#powers = grown(this.#powers, new Float64Array(length).fill(NaN));
  }
}
