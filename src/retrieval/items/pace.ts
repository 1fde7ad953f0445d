/**
 * Measures how fast a stream runs, so that no window has to be fitted to one data set.
 *
 * Two behaviours of a user happen together when they are within {@linkcode Pace.farMs}, 64 median gaps between two
 * behaviours of a user, and on the same page when they are within {@linkcode Pace.nearMs}. Both have a floor, since
 * bursts that a client sends say nothing about people. No user outweighs the others: of each user's newest behaviours
 * only {@linkcode OF_USER} gaps of each kind count.
 *
 * A slow stream forgets more slowly. Counts have half-lives of hours to months, so in a stream of ten behaviours a day
 * they would decay before they mean anything. Time therefore advances by at most {@linkcode SIGNAL_MS} per signal. What
 * a stream does not use of that allowance is saved for its pauses, up to {@linkcode KEPT_MS}, so with 600 signals a day
 * or more, time is event time except in longer pauses.
 */

import type { ByteReader } from "../../codec/byte_reader.ts";
import type { ByteWriter } from "../../codec/byte_writer.ts";
import { TimeScale } from "../../features/pooled/time_scale.ts";

/** 50,000 signals in 90 days, the longest half-life. */
const SIGNAL_MS = 150_000;
const KEPT_MS = 30 * 86_400_000;
/** How long a page lasts: in median gaps, and the minimum. */
const PAGE_GAPS = 2;
const PAGE_MS = 60_000;
/** Shortest half-life of pairs that occur together. */
const HOUR_MS = 3_600_000;
/** Behaviours closer together than this are one act. */
const ACT_MS = 1000;
/** Most gaps per user that count: between acts, and within acts. */
const OF_USER = 20;

/** The part of a signal that is read. */
interface Timed {
  readonly time: number;
  readonly context: { readonly size: number; readonly times: ArrayLike<number> };
}

/** The times of a stream, a fold over its signals. */
export class Pace {
  readonly name = "pace";
  /** Largest event time; NaN before the first signal. */
  #newest = NaN;
  /** Unused allowance: how far time may still advance, milliseconds. */
  #kept = 0;
  /** Milliseconds of event time that were skipped. */
  #left = 0;
  readonly #scale = new TimeScale();
  /** Number of behaviours in the same act as the user's previous one. */
  #ties = 0;
  #isCalendar = false;

  /** Half-life of pairs that occur together, milliseconds. */
  get farMs(): number {
    return this.#scale.gaps === 0 ? HOUR_MS : Math.max(HOUR_MS, this.#scale.halfLifeMs);
  }

  /** Half-life of pairs on a page, milliseconds: a minute if most behaviours arrive in bursts. */
  get nearMs(): number {
    const { gaps, medianMs } = this.#scale;
    return this.#ties >= gaps ? PAGE_MS : Math.max(PAGE_MS, PAGE_GAPS * medianMs);
  }

  /** The time that has passed at an event time; event time itself before the first signal. */
  at(time: number): number {
    if (this.#isCalendar) return time;
    const gap = time - this.#newest;
    return time - this.#left - (gap > this.#kept ? gap - this.#kept : 0);
  }

  /** Starts or stops using event time unchanged, while relearning signals that were counted by it. */
  catchUp(begins: boolean): void {
    this.#isCalendar = begins;
  }

  /** Advances to a signal. */
  learn({ time, context }: Timed): void {
    this.#learnGap(time, context);
    const gap = Number.isNaN(this.#newest) ? 0 : Math.max(0, time - this.#newest);
    this.#kept = Math.min(KEPT_MS, this.#kept + SIGNAL_MS);
    const passed = Math.min(gap, this.#kept);
    this.#kept -= passed;
    if (!this.#isCalendar) this.#left += gap - passed;
    this.#newest = Math.max(time, Number.isNaN(this.#newest) ? time : this.#newest);
  }

  encode(to: ByteWriter): void {
    to.f64(this.#newest).f64(this.#kept).f64(this.#left).uint(this.#ties);
    this.#scale.encode(to);
  }

  decode(from: ByteReader): void {
    this.#newest = from.f64();
    this.#kept = from.f64();
    this.#left = from.f64();
    this.#ties = from.uint();
    this.#scale.decode(from);
  }

  #learnGap(time: number, { size, times }: Timed["context"]): void {
    if (size === 0) return;
    const isTie = time - times[0]! < ACT_MS;
    let same = 0;
    for (let x = 1; x < size; x++) if (times[x - 1]! - times[x]! < ACT_MS === isTie) same++;
    if (same >= OF_USER) return;
    if (isTie) this.#ties++;
    else this.#scale.learn(time - times[0]!);
  }
}
