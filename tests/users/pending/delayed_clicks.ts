/**
 * A stream with known click probabilities and delays, to test label policies for bias.
 *
 * Each item has its own click probability, for every user and position; clicks follow after an exponential delay.
 * Nothing else happens.
 *
 * @module
 */

import type { Event } from "../../../src/events/event.ts";
import { createRandom } from "../../../src/draws/random_source.ts";
import { exponential } from "../../../fixtures/simulator/distributions.ts";
import { Schedule } from "../../../fixtures/simulator/schedule.ts";

/** Options of {@linkcode delayedClicks}. */
export interface DelayOptions {
  readonly seed: number;
  /** Number of lists shown. */
  readonly lists: number;
  /** Mean time from a list to a click on it, milliseconds. */
  readonly delayMs: number;
  /** Time from a list to the next, milliseconds. @default {10000} */
  readonly everyMs?: number;
}

/** Probability of a click on each item. */
const CLICK_RATES: readonly number[] = [0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5];

const LIST = 4, USERS = 40, START = Date.UTC(2025, 2, 3);

/**
 * The events in order of time: lists with their true probabilities in `oracle`, and clicks that name their list.
 *
 * ```ts
 * import assert from "node:assert/strict";
 *
 * const events = [...delayedClicks({ seed: 1, lists: 100, delayMs: 60_000 })];
 * assert.equal(events.filter(({ type }) => type === "impression").length, 100);
 * ```
 */
export function* delayedClicks({ seed, lists, delayMs, everyMs = 10_000 }: DelayOptions): Generator<Event> {
  const random = createRandom(seed, 1);
  const coming = new Schedule<Event>();
  for (let n = 0; n < lists; n++) {
    const time = START + n * everyMs, user = `u${Math.floor(random() * USERS)}`, request = `r${n}`;
    while (coming.time <= time) yield coming.take()!;
    const first = Math.floor(random() * CLICK_RATES.length);
    // An odd step visits each item only once.
    const shown = Array.from({ length: LIST }, (_, place) => (first + 3 * place) % CLICK_RATES.length);
    const oracle = shown.map((item) => CLICK_RATES[item]!);
    const items = shown.map((item) => `i${item}`);
    yield { type: "impression", user, request, items, time, oracle } as Event; // events may have fields of their own
    for (const [place, item] of items.entries()) {
      if (random() >= oracle[place]!) continue;
      const clicked = time + Math.round(exponential(random, delayMs));
      coming.add(clicked, { type: "interaction", user, request, item, action: "click", time: clicked });
    }
  }
  for (let event = coming.take(); event !== undefined; event = coming.take()) yield event;
}
