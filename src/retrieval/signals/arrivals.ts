/**
 * How fast wanted behaviours arrive, by event time: a deployment that has few of them can afford to learn more from
 * each, one that is flooded has to learn less.
 *
 * A count that halves at intervals: long ones, so that one user who rates a hundred films in a minute is not a rush, or
 * short ones, so that a flood is noticed within a second. O(1), two numbers.
 */

import type { ByteReader } from "../../codec/byte_reader.ts";
import type { ByteWriter } from "../../codec/byte_writer.ts";
import type { Signal } from "./signal.ts";

export interface ArrivalsOptions {
  /** The name under which they are written. */
  readonly name: string;
  /** The count halves in this time. */
  readonly halfLifeMs: number;
}

export const ARRIVALS: ArrivalsOptions = { name: "arrivals", halfLifeMs: 600_000 };
export const FLOOD: ArrivalsOptions = { name: "flood", halfLifeMs: 10_000 };

/** Counts wanted behaviours, a fold over signals. */
export class Arrivals {
  readonly name: string;
  readonly #halfLifeMs: number;
  #count = 0;
  /** Largest event time; NaN before the first wanted behaviour. */
  #newest = NaN;

  constructor({ name, halfLifeMs }: ArrivalsOptions) {
    this.name = name;
    this.#halfLifeMs = halfLifeMs;
  }

  /** Wanted behaviours per second of event time, before one at `time`. */
  perSecond(time: number): number {
    return this.#at(time) * Math.LN2 * 1000 / this.#halfLifeMs;
  }

  /** Counts a signal if it is wanted. */
  learn({ time, wanted }: Pick<Signal, "time" | "wanted">): void {
    if (!wanted) return;
    this.#count = 1 + this.#at(time);
    this.#newest = Number.isNaN(this.#newest) ? time : Math.max(this.#newest, time);
  }

  encode(to: ByteWriter): void {
    to.f64(this.#count).f64(this.#newest);
  }

  decode(from: ByteReader): void {
    this.#count = from.f64();
    this.#newest = from.f64();
  }

  /** The count at a time; late behaviours count as of the newest one. */
  #at(time: number): number {
    return this.#count === 0 ? 0 : this.#count * 2 ** (Math.min(0, this.#newest - time) / this.#halfLifeMs);
  }
}
