/**
 * The event time of a partition: the newest believed time, which no single sender can move alone.
 *
 * Nothing happens after it has arrived: an event's time is capped at the arrival of its record, or at the clock if that
 * is later. *Sure* arrivals (stamped by our server or by the log) bound the clock from above as well, so that a wrong
 * time does not persist once it was accepted:
 *
 * ```text
 *   arrives  says      clock
 *   12:00    12:00 a   12:00
 *   12:01    13:00 c   12:01    c's clock is an hour ahead: its event counts as of 12:01
 *   12:02    12:02 a   12:02
 * ```
 *
 * Records stamped with the time of their event say nothing about arrival. There, a jump beyond `maxJumpMs` is held back
 * until `CONFIRMING_EVENTS` events of at least two users confirm it, or `CONFIRMING_ALONE` of a single user, without an
 * event of the present in between. The clock then moves to the smallest time that was held back:
 *
 * ```text
 *   12:00 a   12:01 b   13:00 c   12:02 a             c is ahead: the clock stays at 12:02
 *   Fri a     Fri b     Mon c     Mon a   … Mon d     a quiet week-end: the eighth event of Monday moves it
 * ```
 */

import type { ByteReader } from "../codec/byte_reader.ts";
import type { ByteWriter } from "../codec/byte_writer.ts";
import { idHash } from "./user_state.ts";

/** Smallest tolerance, whatever the lateness: the clocks of servers differ by seconds. */
const MIN_TOLERANCE_MS = 60_000;
/** The `maxJumpMs` of replays: files have quiet nights, and nobody waits for an answer. */
export const REPLAY_MAX_JUMP_MS = 86_400_000;
const CONFIRMING_EVENTS = 8;
const CONFIRMING_ALONE = 100;

/** When a record arrived. */
export interface Arrival {
  /** Milliseconds since the epoch; +∞ when unknown. */
  readonly time: number;
  /** Whether the server or the log stamped the time; otherwise the producer did, possibly with that of the event. */
  readonly isSure: boolean;
  /** Whether it was rejected before and is tried again: late behaviours are taken then. @default {false} */
  readonly isMended?: boolean;
}

const UNKNOWN_ARRIVAL: Arrival = { time: Infinity, isSure: false };

/** Events that agree on a time. */
interface Witnesses {
  /** Hash of the user of the first one: no id may outlive a `forget`. */
  user: number;
  events: number;
  /** Whether there is an event of another user. */
  several: boolean;
  /** Smallest time. */
  time: number;
}

/** Follows the times of a partition's events. */
export class EventClock {
  /** How far the clock may run ahead of a sure arrival, milliseconds. */
  readonly toleranceMs: number;
  readonly #maxJumpMs: number;
  #time = -Infinity;
  /** Events of the present, until enough confirm it: the first event of a partition may be wrong, too. */
  #present: Witnesses | null = none();
  /** Events of a jump that is held back. */
  #jump = none();

  /**
   * A clock before its first event.
   *
   * @param latenessMs allowed lateness, milliseconds; the tolerance is at least a minute
   * @param maxJumpMs how far an event without a sure arrival may be ahead and be believed at once, milliseconds
   */
  constructor(latenessMs: number, maxJumpMs: number = Math.max(latenessMs, MIN_TOLERANCE_MS)) {
    this.toleranceMs = Math.max(latenessMs, MIN_TOLERANCE_MS);
    this.#maxJumpMs = maxJumpMs;
  }

  /** The newest believed event time; −∞ before the first event. */
  get time(): number {
    return this.#time;
  }

  /**
   * Advances the clock by the claimed time of an event.
   *
   * @returns the event time: what was claimed, but no later than the arrival or the clock, whichever is later
   */
  update(user: string, claimed: number, arrival: Arrival = UNKNOWN_ARRIVAL): number {
    if (arrival.isSure) this.#time = Math.min(this.#time, arrival.time + this.toleranceMs);
    const time = Math.min(claimed, Math.max(arrival.time, this.#time));
    if (arrival.isSure) this.#believe(time);
    else this.#weigh(user, time);
    return time;
  }

  #weigh(user: string, time: number): void {
    const ahead = time - this.#time;
    if (ahead > this.#maxJumpMs && this.#time > -Infinity) {
      if (isConfirmed(add(this.#jump, user, time))) this.#believe(this.#jump.time);
      return;
    }
    const isOld = ahead < -this.#maxJumpMs;
    if (isOld && (this.#present === null || this.#present.user === idHash(user))) return;
    // The first event was far ahead and nobody confirmed it: restart the clock.
    if (isOld) this.#present = none();
    this.#time = isOld ? time : Math.max(this.#time, time);
    this.#jump = none();
    if (this.#present !== null && isConfirmed(add(this.#present, user, time))) this.#present = null;
  }

  #believe(time: number): void {
    this.#time = Math.max(this.#time, time);
    this.#present = null;
    this.#jump = none();
  }

  encode(to: ByteWriter): void {
    to.f64(this.#time);
    encodeWitnesses(to, this.#present ?? none());
    encodeWitnesses(to, this.#jump);
  }

  decode(from: ByteReader): void {
    this.#time = from.f64();
    const present = decodeWitnesses(from);
    this.#present = present.events === 0 && this.#time > -Infinity ? null : present;
    this.#jump = decodeWitnesses(from);
  }
}

function none(): Witnesses {
  return { user: 0, events: 0, several: false, time: Infinity };
}

function add(to: Witnesses, user: string, time: number): Witnesses {
  const hash = idHash(user);
  if (to.events === 0) to.user = hash;
  to.events++;
  to.several ||= to.user !== hash;
  to.time = Math.min(to.time, time);
  return to;
}

function isConfirmed({ events, several }: Witnesses): boolean {
  return events >= (several ? CONFIRMING_EVENTS : CONFIRMING_ALONE);
}

function encodeWitnesses(to: ByteWriter, { user, events, several, time }: Witnesses): void {
  to.f64(user).uint(events).u8(several ? 1 : 0).f64(time);
}

function decodeWitnesses(from: ByteReader): Witnesses {
  return { user: from.f64(), events: from.uint(), several: from.u8() === 1, time: from.f64() };
}
