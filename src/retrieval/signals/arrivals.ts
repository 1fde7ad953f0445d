/**
 * How fast wanted behaviours arrive, by event time: a deployment that has few of them can afford to learn more from
 * each.
 *
 * A count that halves in {@linkcode HALF_LIFE_MS}, so that somebody who rates a hundred films in a minute is no rush,
 * and a rush is noticed within its first hundreds of behaviours. O(1), two numbers.
 *
 * @module
 */

import type { ByteReader } from "../../codec/byte_reader.ts";
import type { ByteWriter } from "../../codec/byte_writer.ts";
import type { Signal } from "./signal.ts";

const HALF_LIFE_MS = 600_000;
const PER_SECOND = Math.LN2 * 1000 / HALF_LIFE_MS;

/** Counts wanted behaviours, a fold over signals. */
export class Arrivals {
  /** The name under which it is written. */
  readonly name = "arrivals";
  #count = 0;
  /** Largest event time; NaN before the first wanted behaviour. */
  #newest = NaN;

  /** Wanted behaviours per second of event time, before one at `time`. */
  perSecond(time: number): number {
    return this.#at(time) * PER_SECOND;
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
    return this.#count === 0 ? 0 : this.#count * 2 ** (Math.min(0, this.#newest - time) / HALF_LIFE_MS);
  }
}
