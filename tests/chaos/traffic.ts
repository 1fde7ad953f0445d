/**
 * What people do while the deployment suffers: a pure function of a seed. It has the faults of a real stream: duplicate
 * events, clicks before their request, late and much too late ones, broken ones, people who want to be forgotten; and
 * no user on the last partition, so that one changelog stays empty.
 *
 * @module
 */

import { encodeEvent, encodeItem } from "../../src/events/codec.ts";
import type { Event } from "../../src/events/event.ts";
import { mulberry32 } from "../../src/draws/random.ts";
import type { NewRecord } from "../../streams/log/log.ts";
import { partitionOf } from "../../streams/log/partitioner.ts";
import type { Topics } from "../../streams/topics/topics.ts";

/** Size and seed of a stream. */
export interface TrafficOptions {
  /** Same seed, same stream. */
  readonly seed: number;
  /** Minimum number of events. */
  readonly events: number;
  /** Number of users. */
  readonly users: number;
  /** Partitions of `events`; the last one has no users. */
  readonly partitions: number;
  /** Number of items, at least a dozen. @default {300} */
  readonly items?: number;
}

/** Event time of the first one. */
export const START: number = Date.UTC(2025, 0, 1);
const LIST = 8;
const CATEGORIES = 12;
const STEP_MS = 2000;
const MINUTE = 60_000;
const SURFACES = ["home", "detail", "cart"] as const;

const encoder = new TextEncoder();

export function* catalogue(topics: Topics, { items = 300 }: TrafficOptions): Generator<NewRecord> {
  for (let i = 0; i < items; i++) {
    const item = `i${i}`;
    const value = encodeItem({
      item,
      time: START,
      categories: [`c${i % CATEGORIES}`],
      attributes: { band: `${i % 3}` },
    });
    yield { topic: topics.items, partition: 0, key: item, value, time: START };
  }
}

/** The events, in the order in which they are sent. */
export function* traffic(topics: Topics, options: TrafficOptions): Generator<NewRecord> {
  const { seed, events, users, partitions, items = 300 } = options;
  const random = mulberry32(seed);
  const below = (n: number) => Math.floor(random() * n);
  const people = peopleOf(users, partitions);
  let sent = 0;
  const record = (event: Event, value = encodeEvent(event)): NewRecord => {
    sent++;
    return { topic: topics.events, key: event.user, value, time: event.time };
  };
  for (let view = 0; sent < events; view++) {
    const time = START + view * STEP_MS;
    // A few users come often, most seldom.
    const user = people[Math.floor(people.length * random() ** 3)] ?? "";
    const request = `r${view}`;
    const page: Event[] = [];
    // Items have two categories, so that a variant that limits them shows fewer.
    const category = view % CATEGORIES;
    const candidates = Array.from({ length: LIST }, (_, k) => {
      const own = (category + k % 2) % CATEGORIES;
      return `i${own + CATEGORIES * below(Math.floor(items / CATEGORIES))}`;
    });
    const ask = {
      type: "request",
      user,
      time,
      request,
      count: LIST,
      candidates: [...new Set(candidates)],
      surface: SURFACES[view % SURFACES.length] ?? "home",
    } as const;
    page.push({ ...ask, id: `q${view}` });
    // A request without candidates: what retrieval learns and proposes must survive faults too.
    if (view % 4 === 3) {
      page.push({
        type: "request",
        id: `p${view}`,
        user,
        time: time + 300,
        request: `p${view}`,
        count: LIST,
      });
    }
    if (random() < 0.02) page.push({ type: "profile", user, time, attributes: { age: `${20 + below(60)}` } });
    for (const item of ask.candidates.slice(0, 4)) {
      const action = random() < 0.3 ? "click" : random() < 0.3 ? "view" : null;
      if (action === null) continue;
      const behind = random() < 0.03 ? 2 * MINUTE : random() < 0.01 ? 60 * MINUTE : 0;
      const id = `${action}-${view}-${item}`;
      page.push({ type: "interaction", id, user, time: time + 900 - behind, item, action, request });
      if (action === "click" && random() < 0.1) {
        page.push({
          type: "interaction",
          user,
          time: time + 1500,
          item,
          action: "rating",
          value: 1 + below(5),
        });
      }
    }
    if (random() < 0.05) page.push(page[below(page.length)] ?? ask);
    if (random() < 0.05) page.reverse();
    for (const event of page) yield record(event);
    if (random() < 0.005) yield record(ask, encoder.encode('{"type":"interaction","user":"u'));
    if (random() < 0.001) yield record({ type: "forget", user, time });
  }
}

/** The people, none of them on the last of several partitions. */
function peopleOf(count: number, partitions: number): string[] {
  const people: string[] = [];
  for (let u = 0; people.length < count; u++) {
    const user = `user-${u}`;
    if (partitions === 1 || partitionOf(user, partitions) !== partitions - 1) people.push(user);
  }
  return people;
}
