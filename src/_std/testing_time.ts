/**
 * The part of `@std/testing/time` that this project uses, over npm's @sinonjs/fake-timers. Same names and
 * signatures; to use the real package, change its line in deno.json.
 *
 * @module
 */

import { type Clock, install } from "@sinonjs/fake-timers";

/**
 * Replaces `Date` and the timers of the global scope by ones that stand still until told to move.
 *
 * @example
 * ```ts
 * import { FakeTime } from "./testing_time.ts";
 * import assert from "node:assert/strict";
 *
 * using time = new FakeTime(1_000);
 * let fired = false;
 * setTimeout(() => fired = true, 50);
 * time.tick(50);
 * assert.equal(fired, true);
 * assert.equal(Date.now(), 1_050);
 * ```
 */
export class FakeTime implements Disposable {
  readonly #clock: Clock;

  /** Takes over the clock, starting at `start` (milliseconds since the epoch, or a date); now when absent. */
  constructor(start: number | string | Date = Date.now()) {
    this.#clock = install({
      now: new Date(start),
      toFake: ["Date", "setTimeout", "clearTimeout", "setInterval", "clearInterval"],
    });
  }

  /** Milliseconds since the epoch; setting it forward fires what is due, as `tick` does. */
  get now(): number {
    return this.#clock.now;
  }

  set now(value: number) {
    if (value < this.#clock.now) throw new RangeError("Cannot set the time to the past");
    this.tick(value - this.#clock.now);
  }

  /** Moves the time forward by `ms`, firing the timers that are due. */
  tick(ms = 0): void {
    this.#clock.tick(ms);
  }

  /** Lets pending promise callbacks run, then moves the time forward by `ms`, and again between timers. */
  async tickAsync(ms = 0): Promise<void> {
    await this.#clock.tickAsync(ms);
  }

  /** Fires the next timer, if there is one, and tells whether there was. */
  next(): boolean {
    const before = this.#clock.countTimers();
    this.#clock.next();
    return before > 0;
  }

  /** Fires all timers until none is left. */
  runAll(): void {
    this.#clock.runAll();
  }

  /** Gives the real clock back. */
  restore(): void {
    this.#clock.uninstall();
  }

  /** Gives the real clock back. */
  [Symbol.dispose](): void {
    this.restore();
  }
}
