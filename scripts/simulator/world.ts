/**
 * A world of people and items to try a recommender on: who comes when, how likely each click is, and what
 * people do with the list they are shown. See `person.ts` for what drives them.
 *
 * @module
 */

import type { Attributes } from "../../src/events/event.ts";
import { createItems, type Item } from "./item.ts";
import { CATEGORIES } from "./categories.ts";
import { type Act, BEHAVIOUR, followUps, PARTS, Person } from "./person.ts";
import { createRandom, exponential, logNormal, normal, type Random } from "../../src/draws/random_source.ts";
import { Schedule } from "./schedule.ts";

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** How busy the shop is at each hour of the day (UTC), 9 = as busy as it gets. */
const BUSY = "211111123445555545678997";

/** Lift of a fad, in logits. */
const FAD = 0.8;

/** The size of a world when nobody says. */
export const WORLD = { users: 600, items: 420, days: 28 } as const;

/** Options of {@linkcode createWorld}. */
export interface WorldOptions {
  /** Same seed, same world. */
  readonly seed: number;
  /** How many people there are; 60 % from the start, the others come one by one. @default {600} */
  readonly users?: number | undefined;
  /** How many items are sold in all. @default {420} */
  readonly items?: number | undefined;
  /** How long the world lasts, days. @default {28} */
  readonly days?: number | undefined;
  /** First moment, milliseconds since the epoch. @default {2025-03-03T00:00Z, a Monday} */
  readonly start?: number | undefined;
}

/** A person opens a page. */
export interface Visit {
  /** Who it is. */
  readonly user: string;
  /** Milliseconds since the epoch. */
  readonly time: number;
  /** Number of the page in its session, 0 is the first. */
  readonly page: number;
  /** Whether the person was never seen before. */
  readonly newUser: boolean;
}

/** A click on a shown item, or what followed it. */
export interface Answer extends Act {
  /** Position of the item in the list, 0 is the top. */
  readonly position: number;
}

/** A wave that lifts a category for everybody, for some days. */
export interface Fad {
  /** Index of the category. */
  readonly category: number;
  /** First moment of it, milliseconds since the epoch. */
  readonly from: number;
  /** First moment without it. */
  readonly to: number;
}

interface Life {
  readonly person: Person;
  /** Mean time between sessions. */
  readonly everyMs: number;
  readonly leaves: number;
  readonly random: Random;
  page: number;
  seen: boolean;
}

/**
 * Makes a world.
 *
 * @throws {RangeError} On a size that is not a positive integer.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { createRandom } from "../../src/draws/random_source.ts";
 *
 * const world = createWorld({ seed: 1, users: 20, items: 60, days: 3 });
 * const random = createRandom(2);
 * let clicks = 0;
 * for (let visit = world.next(); visit !== null; visit = world.next()) {
 *   const list = world.onSale(visit.time).slice(0, 10).map(({ id }) => id);
 *   assert.ok(world.truth(visit.user, list, visit.time).every((p) => p > 0 && p < 1));
 *   clicks += world.answer(visit.user, list, visit.time, random).length;
 * }
 * assert.ok(clicks > 0);
 * ```
 */
export function createWorld(options: WorldOptions): World {
  return new World(options);
}

/**
 * The state machine: {@linkcode World.next} says who comes, {@linkcode World.answer} lets them act on a list.
 *
 * People come and go on their own; whether they stay for another page, and all that they want at short term,
 * depends on the lists. Time only goes forward: ask and answer for a person at the time of the visit in hand.
 */
export class World {
  /** All items, in order of birth. */
  readonly items: readonly Item[];
  /** One a week. */
  readonly fads: readonly Fad[];
  /** First moment, milliseconds since the epoch. */
  readonly start: number;
  /** First moment after the end. */
  readonly end: number;
  readonly #item: ReadonlyMap<string, Item>;
  readonly #lives = new Map<string, Life>();
  readonly #visits = new Schedule<Life>();
  #current: { life: Life; done: number; clicked: boolean } | null = null;

  /** Use {@linkcode createWorld}. */
  constructor(options: WorldOptions) {
    const { seed, users = WORLD.users, items = WORLD.items, days = WORLD.days } = options;
    const { start = Date.UTC(2025, 2, 3) } = options;
    for (const [name, size] of Object.entries({ users, items, days })) {
      if (!Number.isSafeInteger(size) || size < 1) {
        throw new RangeError(
          `Cannot make a world with ${name} as a positive integer: current value is ${size}`,
        );
      }
    }
    this.start = start;
    this.end = start + days * DAY;
    this.items = createItems({ items, start, days }, createRandom(seed, 1));
    this.#item = new Map(this.items.map((item) => [item.id, item]));
    this.fads = fads(this, createRandom(seed, 2));
    for (let i = 0; i < users; i++) this.#join(`u${i}`, i < 0.6 * users, createRandom(seed, 3 + i));
  }

  /** The next visit, or `null` when the world has ended. A visit left unanswered was shown nothing. */
  next(): Visit | null {
    this.#scheduleNext();
    const time = this.#visits.time;
    const life = this.#visits.take();
    if (life === undefined) return null;
    const newUser = !life.seen;
    life.seen = true;
    if (life.page === 0) life.person.visit(time);
    this.#current = { life, done: time, clicked: false };
    return { user: life.person.id, time, page: life.page, newUser };
  }

  /** The items that are on sale at a time, in order of birth. */
  onSale(time: number): readonly Item[] {
    return this.items.filter(({ born, dies }) => born <= time && time < dies);
  }

  /** What is known of a person from the start. */
  profile(user: string): Attributes {
    return this.person(user).profile;
  }

  /** A person, to look into. @throws {RangeError} When nobody is called so. */
  person(user: string): Person {
    return this.#life(user).person;
  }

  /**
   * True probability of a click on each item of a list, given all that the person did; clicks on a page are
   * independent of one another. An item that is not on sale is never clicked. Changes nothing.
   *
   * @param items Ids in the order shown; the position matters.
   * @returns Probabilities in [0, 1), one an item.
   * @throws {RangeError} On an unknown person or item.
   */
  truth(user: string, items: readonly string[], time: number): Float64Array {
    const { person } = this.#life(user);
    const hour = 0.03 * (Number(BUSY[hourOf(time)]) - 5);
    return Float64Array.from(items, (id, position) => {
      const item = this.#find(id);
      if (time < item.born || time >= item.dies) return 0;
      const fad = this.fads.some(({ category, from, to }) =>
        category === item.category && from <= time && time < to
      );
      const logit = person.logit(item, time) + hour + (fad ? FAD : 0);
      return 1 / (1 + Math.exp(-logit)) / (1 + BEHAVIOUR.examination * position);
    });
  }

  /** Mean of what the items add to the logit of a person's click, by part; 0 for no items. @throws {RangeError} */
  parts(user: string, items: readonly string[], time: number): number[] {
    const { person } = this.#life(user);
    const sums = PARTS.map(() => 0);
    for (const id of items) {
      person.parts(this.#find(id), time).forEach((part, p) => sums[p]! += part / items.length);
    }
    return sums;
  }

  /**
   * Shows a list to a person: what they do with it, in the order of time, all of it after `time`. Their state
   * changes as each act comes about, not before.
   *
   * @param random Chance of the clicks.
   * @throws {RangeError} On an unknown person or item.
   */
  answer(user: string, items: readonly string[], time: number, random: Random): readonly Answer[] {
    const life = this.#life(user);
    const answers: Answer[] = [];
    let done = time;
    this.truth(user, items, time).forEach((probability, position) => {
      if (random() >= probability) return;
      const delay = clickDelay(random);
      const click: Act = { item: this.#find(items[position] ?? ""), action: "click", time: time + delay };
      for (const act of [click, ...followUps(click, random)]) answers.push({ ...act, position });
      // A click minutes later is on a page left open in the background: it does not hold up the session.
      if (delay < 4 * MINUTE) done = Math.max(done, answers.at(-1)?.time ?? 0);
    });
    answers.sort((a, b) => a.time - b.time);
    life.person.plan(answers);
    if (this.#current?.life === life) this.#current = { life, done, clicked: answers.length > 0 };
    return answers;
  }

  #join(id: string, fromStart: boolean, random: Random): void {
    const joins = this.start + (fromStart ? 0 : random() * (this.end - this.start));
    const life = {
      person: new Person(id, this, random),
      everyMs: 9.6 * DAY / Math.exp(0.9 * normal(random)),
      leaves: Math.min(this.end, joins + (2 + exponential(random, 60)) * DAY),
      random,
      page: 0,
      seen: false,
    };
    this.#lives.set(id, life);
    this.#scheduleSession(life, joins);
  }

  #scheduleNext(): void {
    if (this.#current === null) return;
    const { life, done, clicked } = this.#current;
    this.#current = null;
    const time = Math.round(done + 10 * SECOND + logNormal(life.random, 25 * SECOND, 0.7));
    if (life.random() >= (clicked ? 0.86 : 0.72)) return this.#scheduleSession(life, done);
    life.page++;
    if (time < life.leaves) this.#visits.add(time, life);
  }

  #scheduleSession(life: Life, after: number): void {
    let time = after + 30 * MINUTE;
    // Thinning: candidates come twice as often as sessions at the busiest hour, and the hour keeps some.
    do time += exponential(life.random, life.everyMs / 2); while (
      life.random() >= Number(BUSY[hourOf(time)]) / 9
    );
    life.page = 0;
    if (time < life.leaves) this.#visits.add(Math.round(time), life);
  }

  #life(user: string): Life {
    const life = this.#lives.get(user);
    if (life === undefined) throw new RangeError(`Cannot find person ${user}: nobody is called so`);
    return life;
  }

  #find(id: string): Item {
    const item = this.#item.get(id);
    if (item === undefined) throw new RangeError(`Cannot find item ${id}: nothing is called so`);
    return item;
  }
}

/** Hour of the day (UTC), 0..23. */
export function hourOf(time: number): number {
  return Math.floor(time / HOUR) % 24;
}

function clickDelay(random: Random): number {
  const kind = random();
  const seconds = kind < 0.95
    ? Math.min(150, 1 + logNormal(random, 9, 0.9))
    : kind < 0.996
    ? 300 + 240 * random()
    : 600 + exponential(random, 1800);
  return Math.round(seconds * SECOND);
}

function fads({ start, end }: { start: number; end: number }, random: Random): readonly Fad[] {
  const weeks = Math.ceil((end - start) / (7 * DAY));
  return Array.from({ length: weeks }, (_, week) => {
    const from = start + (7 * week + 5 * random()) * DAY;
    return {
      category: Math.floor(random() * CATEGORIES.length),
      from,
      to: from + (1.5 + 2 * random()) * DAY,
    };
  });
}
