/**
 * The log of a simulated shop as it arrives: each page view as events, with the faults that real logs have.
 *
 * @module
 */

import type { Event } from "../../src/events/event.ts";
import { choose, exponential, type Random } from "../../src/draws/random_source.ts";
import type { PageView } from "./shop.ts";
import { hourOf, type World } from "./world.ts";

const MINUTE = 60_000;

/** Shares of faults. */
export const FAULTS = {
  /** Of all events: arrive twice, the same bytes, the second time within a minute. */
  duplicate: 0.005,
  /** Of impressions and interactions: arrive up to five minutes after their time. */
  late: 0.016,
  /** Of interactions: arrive one to three hours after their time. */
  veryLate: 0.0008,
  /** Of all events: followed by a line that no strict reader accepts. */
  malformed: 0.002,
} as const;

/** What arrives besides sound events in order. */
export type Fault = "none" | "duplicate" | "late" | "very-late" | "malformed";

/** A line of the log. */
export interface Arrival {
  /** When it arrives, milliseconds since the epoch: at or after the time of its event. */
  readonly time: number;
  /** JSON without a line end; not even JSON, perhaps, when malformed. */
  readonly line: string;
  /** What is wrong with it, if anything. */
  readonly fault: Fault;
}

/**
 * The events of a page view, in the order of time.
 *
 * A person's first sight is a `profile`; then come the `request`, the `impression` with the true probabilities
 * in the extra field `oracle`, four digits each, and the `interaction`s, which name the request. A page that was
 * shown nothing leaves a request without candidates.
 *
 * @param number Number of the page view; it makes the ids.
 */
export function pageEvents(view: PageView, number: number, world: World): readonly Event[] {
  const { user, time, page, items, truth, answers } = view;
  const id = number.toString(36);
  const request = `r${id}`;
  const surface = page === 0 ? "home" : "feed";
  const events: Event[] = [];
  if (view.newUser) {
    events.push({ type: "profile", id: `p${id}`, user, time, attributes: world.profile(user) });
  }
  events.push({
    type: "request",
    id: `q${id}`,
    user,
    time,
    request,
    count: 10,
    ...(items === null ? {} : { candidates: items }),
    surface,
    context: { hour: hourOf(time) },
  });
  if (items === null) return events;
  const oracle = Array.from(truth, (p) => Math.round(p * 1e4) / 1e4);
  const shown = { type: "impression", id: `s${id}`, user, time: time + 40, request, items, oracle } as const;
  events.push(shown);
  for (const [i, { item, action, time, value }] of answers.entries()) {
    events.push({
      type: "interaction",
      id: `a${id}-${i}`,
      user,
      time,
      item: item.id,
      action,
      ...(value === undefined ? {} : { value }),
      request,
    });
  }
  return events;
}

/**
 * The lines of a log in the order of arrival, with duplicates, late events and malformed lines among them;
 * see {@linkcode FAULTS}. Every sound event is there, whatever happens around it.
 *
 * @param random Chance of the faults.
 */
export function arrivals(views: Iterable<PageView>, world: World, random: Random): readonly Arrival[] {
  const lines: Arrival[] = [];
  let number = 0;
  for (const view of views) {
    for (const event of pageEvents(view, number++, world)) lines.push(...deliver(event, random));
  }
  return lines.sort((a, b) => a.time - b.time);
}

function deliver(event: Event, random: Random): Arrival[] {
  const line = JSON.stringify(event);
  const { time, fault } = delivery(event, random);
  const lines: Arrival[] = [{ time, line, fault }];
  if (random() < FAULTS.duplicate) {
    lines.push({ time: time + Math.round(random() * MINUTE), line, fault: "duplicate" });
  }
  if (random() < FAULTS.malformed) {
    lines.push({ time, line: choose(random, BREAKAGES)(event), fault: "malformed" });
  }
  return lines;
}

function delivery({ type, time }: Event, random: Random): { time: number; fault: Fault } {
  const chance = random();
  if (type === "interaction" && chance < FAULTS.veryLate) {
    return { time: time + Math.round((61 + 119 * random()) * MINUTE), fault: "very-late" };
  }
  if ((type === "interaction" || type === "impression") && chance < FAULTS.late) {
    const delay = Math.min(5 * MINUTE, 3000 + exponential(random, MINUTE));
    return { time: time + Math.round(delay), fault: "late" };
  }
  return { time, fault: "none" };
}

const BREAKAGES: readonly ((event: Event) => string)[] = [
  (event) => JSON.stringify(event).slice(0, -7),
  (event) => JSON.stringify([event.type, event.user, event.time]),
  (event) => JSON.stringify({ ...event, user: "" }),
  (event) => JSON.stringify({ ...event, user: undefined }),
  (event) => JSON.stringify({ ...event, time: "yesterday" }),
  (event) => JSON.stringify({ ...event, time: undefined }),
  (event) => JSON.stringify({ ...event, type: "clik" }),
  (event) => JSON.stringify({ ...event, type: "impression", items: "i1,i2,i3" }),
  (event) => JSON.stringify({ ...event, type: "interaction", item: 17, action: "click" }),
  (event) => `WARN collector-2 slow flush after ${event.time % 1000} ms`,
];
