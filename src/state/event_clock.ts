/**
 * The event time of a partition: the newest time seen, except that one wrong clock must not move it.
 *
 * A jump of more than a day is held back until it is confirmed: by a second user, or by a hundred events of the
 * same one, with no event of the present between. It then moves to the smallest of the times that were held back.
 *
 * ```text
 *   12:00 a   12:01 b   2096 c   12:02 a          c's clock is wrong: the time stays at 12:02
 *   Fri a     Fri b     Mon  c   Mon  a           a quiet week-end: the second event of Monday moves it
 * ```
 *
 * @module
 */

import type { ByteReader } from "../codec/byte_reader.ts";
import type { ByteWriter } from "../codec/byte_writer.ts";

const MAX_JUMP_MS = 86_400_000;
const CONFIRMING_EVENTS = 100;

/** Follows the times of a partition's events. */
export class EventClock {
  #time = -Infinity;
  /** Who jumped, how often, and the smallest time of the jump; `events` 0 = nobody. */
  #jump = { user: "", events: 0, time: Infinity };

  /** The newest event time that counts; −∞ before the first event. */
  get time(): number {
    return this.#time;
  }

  /** Takes the time of an event in. */
  update(user: string, time: number): void {
    if (this.#time === -Infinity || time <= this.#time + MAX_JUMP_MS) {
      this.#time = Math.max(this.#time, time);
      this.#jump = { user: "", events: 0, time: Infinity };
      return;
    }
    const jump = this.#jump;
    const confirmed = jump.events > 0 && (jump.user !== user || jump.events + 1 >= CONFIRMING_EVENTS);
    this.#jump = { user, events: jump.events + 1, time: Math.min(jump.time, time) };
    if (!confirmed) return;
    this.#time = this.#jump.time;
    this.#jump = { user: "", events: 0, time: Infinity };
  }

  /** Writes the clock. */
  encode(to: ByteWriter): void {
    to.f64(this.#time).string(this.#jump.user).uint(this.#jump.events).f64(this.#jump.time);
  }

  /** Reads what {@linkcode EventClock.encode} wrote into this clock. */
  decode(from: ByteReader): void {
    this.#time = from.f64();
    this.#jump = { user: from.string(), events: from.uint(), time: from.f64() };
  }
}
