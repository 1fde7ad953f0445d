/**
 * Decides which events of a source are too late. The newest time is determined like a task's clock (`EventClock`), so
 * that one wrong clock, or one record of another year, makes no other event late.
 */

import { ByteReader } from "../../src/codec/byte_reader.ts";
import { ByteWriter } from "../../src/codec/byte_writer.ts";
import type { Event } from "../../src/events/event.ts";
import { EventClock } from "../../src/users/event_clock.ts";

/** Follows the newest time of a source. */
export class Lateness {
  readonly #maxMs: number;
  readonly #clock: EventClock;

  /** @param maxMs how much older than the newest an event may be; @param state output of `toString` */
  constructor(maxMs: number, state?: string) {
    this.#maxMs = maxMs;
    this.#clock = new EventClock(maxMs);
    if (state !== undefined) this.#clock.decode(new ByteReader(Uint8Array.fromBase64(state)));
  }

  /**
   * Takes the events of a record into account.
   *
   * @param came when the record arrived, milliseconds since the epoch
   * @returns how much older than the newest they are, milliseconds, when all of them are too late; otherwise `null`
   */
  see(events: readonly Event[], came: number): number | null {
    let youngest = -Infinity;
    for (const { user, time } of events) {
      this.#clock.update(user, time, { time: came, isSure: false });
      youngest = Math.max(youngest, time);
    }
    const age = this.#clock.time - youngest;
    return events.length > 0 && age > this.#maxMs ? age : null;
  }

  /** The state, for a position. */
  toString(): string {
    const to = new ByteWriter();
    this.#clock.encode(to);
    return to.toBytes().toBase64();
  }
}
