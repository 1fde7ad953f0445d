/**
 * Counts that all halve every half-life, without decaying any of them: what is added grows instead. Only when the unit
 * has become 2^32 times larger are all divided by a power of two, which changes no digit.
 */

import type { Pace } from "./pace.ts";

/** The exponent of the unit from which counts are divided. */
const MAX_EXPONENT = 32;
/** Bound of the exponent: beyond it nothing is left of a signal; within it no division is by 0 or overflows. */
const LARGEST_EXPONENT = 900;

/** The weight of a signal in such counts: 2^((time − origin) / half-life), in the time of a {@linkcode Pace}. */
export class GrowingUnit {
  readonly #pace: Pace;
  readonly #halfLifeMs: number;
  readonly #scale: (factor: number) => void;
  /** Time at which the unit was 1; NaN before the first signal. All of the state. */
  origin = NaN;

  /** @param scale Multiplies all counts by a power of two. */
  constructor(pace: Pace, halfLifeMs: number, scale: (factor: number) => void) {
    this.#pace = pace;
    this.#halfLifeMs = halfLifeMs;
    this.#scale = scale;
  }

  /** The unit at `time`; finite, however long the stream pauses. */
  at(time: number): number {
    if (Number.isNaN(this.origin)) return 1;
    const exponent = (this.#pace.at(time) - this.origin) / this.#halfLifeMs;
    return 2 ** Math.max(-LARGEST_EXPONENT, Math.min(exponent, LARGEST_EXPONENT));
  }

  /** The unit at the time of a signal that is counted. */
  moveTo(time: number): number {
    const now = this.#pace.at(time);
    if (Number.isNaN(this.origin)) this.origin = now;
    const exponent = (now - this.origin) / this.#halfLifeMs;
    if (exponent < MAX_EXPONENT) return 2 ** exponent;
    const whole = Math.floor(exponent);
    this.#scale(2 ** -whole);
    this.origin += whole * this.#halfLifeMs;
    return 2 ** (exponent - whole);
  }
}
