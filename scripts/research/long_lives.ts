/**
 * Long lives: people who listen to something on most days of a year, and who put pastimes away for months and take
 * them up again. The world shows how much is remembered by a model that reads only the newest behaviours, and by one
 * that carries a state of the whole life.
 *
 * - **Taste is finer than the catalogue.** There are twelve genres, which the catalogue names, and five styles in
 *   each, which it does not: a person who likes one style of a genre need not care for the others.
 * - **Pastimes.** A person has five to eight of them, each a style. One is _on_ and accounts for most of what the
 *   person plays, for a hundred behaviours or so; then another takes over within a dozen behaviours, most likely
 *   one that was put away long ago. One time in ten, it is a style that is new to the person. So a pastime mostly
 *   comes back after five hundred behaviours or more.
 * - **Away is not forgotten.** Items of a pastime that is put away are still clicked more readily than those the
 *   person never cared for, though less than those of the pastime that is on.
 * - **Most is played without a list:** from a search or a subscription. Lists are seen afterwards, mostly one per
 *   visit. Their maker knows how often items are clicked and what the person played, and finds items like those,
 *   as counts of what is played together would.
 *
 * Nobody leaves, nothing arrives late: the world is about memory and has none of the shop's other difficulties.
 *
 * @module
 */

import type { Event, ItemRecord } from "../../src/events/event.ts";
import { createRandom, normal, type Random } from "../../src/draws/random_source.ts";
import { choose, exponential, logNormal, pick } from "../../fixtures/simulator/distributions.ts";
import { Schedule } from "../../fixtures/simulator/schedule.ts";

const SECOND = 1000, MINUTE = 60 * SECOND, DAY = 1440 * MINUTE;

/** Weights, sizes and times of the world; logits unless noted. */
export const LIVES = {
  /** Genres, and styles in each. */
  genres: 12,
  styles: 5,
  /** Pastimes of a person, from and to. */
  pastimes: [5, 8],
  /** Behaviours in a person's life, from and to; log-uniform. */
  behaviours: [600, 2000],
  /** Days of the world. */
  days: 300,
  /** Fewest behaviours for which a pastime is on, and the mean of the excess. */
  phaseLeast: 40,
  phaseMore: 60,
  /** Probability that the next pastime is new to the person. */
  discovery: 0.1,
  /** Behaviours in which the previous pastime fades by a factor of e. */
  fading: 12,
  /** A click on an average item of no pastime, if it is looked at. */
  base: -2.6,
  /** What adds to that: the pastime that is on, one that is put away, another style of the genre that is on. */
  on: 2.4,
  away: 1.3,
  kin: 0.3,
  /** Standard deviations of people's readiness to click, and of how good items are. */
  readiness: 0.4,
  quality: 0.5,
  /** Loss of an item that the person has just played, and the days in which it shrinks by a factor of e. */
  again: 1.5,
  againDays: 1,
  /** Shares of plays without a list: of the pastime that is on, of those put away; the rest is any item. */
  ownOn: 0.75,
  ownAway: 0.1,
  /** Mean number of plays without a list in a visit, and the probability of another list after one. */
  own: 7,
  more: 0.35,
  /** Length of a list. */
  list: 8,
  /**
   * Shares of its items: popular ones; those like one of the newest three played; those like anything that the person
   * ever played; the rest is any item. `sameStyle` of the items like another are of its style, others of its genre.
   */
  popular: 0.25,
  recent: 0.3,
  ever: 0.2,
  sameStyle: 0.5,
  /** Share of the readers who look at place k: 1 / (1 + examination · k). */
  examination: 0.04,
} as const;

/** Options of {@linkcode longLives}. */
export interface LongLivesOptions {
  /** Same seed, same world. */
  readonly seed: number;
  /** How many people there are. @default {120} */
  readonly users?: number;
  /** How many items there are; a fifth of them appear over time. @default {600} */
  readonly items?: number;
}

/** A world of long lives and what is known about it. */
export interface LongLives {
  /** The catalogue: genre only. */
  readonly items: readonly ItemRecord[];
  /**
   * All events in order of time. Each list carries fields that no model may learn from: `oracle`, the true probability
   * of a click on each item, and `away`, the person's behaviours since a pastime of the item's style was on: 0 if it is
   * on, −1 if it is none of theirs.
   */
  readonly events: readonly Event[];
}

interface Item {
  readonly id: string;
  readonly style: number;
  readonly quality: number;
  readonly born: number;
  shown: number;
  clicked: number;
}

/** A pastime, and the person's count of behaviours when it was last on. */
interface Pastime {
  readonly style: number;
  until: number;
}

/** One person's current taste; it changes with each behaviour. */
class Taste {
  readonly readiness: number;
  readonly #played = new Map<string, number>();
  /** Behaviours so far. */
  behaviours = 0;
  readonly #random: Random;
  readonly #pastimes: Pastime[];
  #on: Pastime;
  #before: Pastime;
  #since = 0;
  #ends: number;

  constructor(random: Random) {
    this.#random = random;
    this.readiness = LIVES.readiness * normal(random);
    const [least, most] = LIVES.pastimes;
    const number = least + Math.floor(random() * (most - least + 1));
    this.#pastimes = [];
    while (this.#pastimes.length < number) this.#pastimes.push(this.#discover(-random() * number * 100));
    this.#on = this.#before = this.#pastimes[0]!;
    this.#ends = this.#phase();
  }

  /** Logit of a click on an item, if it is looked at. */
  logit({ style, quality, id }: Item, time: number): number {
    const on = this.#share(style, this.#on), before = this.#share(style, this.#before);
    const known = this.#pastimes.some((pastime) => pastime.style === style);
    const fading = this.#fading;
    return LIVES.base + this.readiness + quality + (known ? LIVES.away : 0) +
      on * (1 - fading) + before * fading -
      LIVES.again * Math.exp(-(time - (this.#played.get(id) ?? -Infinity)) / (LIVES.againDays * DAY));
  }

  /** The style of something that is played without a list; `null` is any. */
  own(): number | null {
    const draw = this.#random();
    if (draw < LIVES.ownOn) return this.#random() < this.#fading ? this.#before.style : this.#on.style;
    if (draw < LIVES.ownOn + LIVES.ownAway) return choose(this.#random, this.#pastimes).style;
    return null;
  }

  /** Records a behaviour. */
  play({ id }: Item, time: number): void {
    this.#played.set(id, time);
    this.behaviours++;
    if (this.behaviours >= this.#ends) this.#turn();
  }

  /** Behaviours since a pastime of this style was on: 0 if it is on, −1 if there is none. */
  away(style: number): number {
    if (style === this.#on.style) return 0;
    const pastime = this.#pastimes.find((pastime) => pastime.style === style);
    return pastime === undefined ? -1 : Math.round(this.behaviours - pastime.until);
  }

  /** Extra liking of a style because of a pastime that is on. */
  #share(style: number, { style: liked }: Pastime): number {
    if (style === liked) return LIVES.on - LIVES.away;
    return genreOf(style) === genreOf(liked) ? LIVES.kin : 0;
  }

  /** What is left of the previous pastime, in (0, 1]; the first one is its own predecessor. */
  get #fading(): number {
    return Math.exp(-(this.behaviours - this.#since) / LIVES.fading);
  }

  #turn(): void {
    this.#on.until = this.behaviours;
    this.#before = this.#on;
    if (this.#random() < LIVES.discovery) {
      this.#on = this.#discover(this.behaviours);
      this.#pastimes.push(this.#on);
    } else {
      const others = this.#pastimes.filter((pastime) => pastime !== this.#before);
      this.#on = others[pick(this.#random, others.map(({ until }) => this.behaviours - until))]!;
    }
    this.#since = this.behaviours;
    this.#ends = this.behaviours + this.#phase();
  }

  #phase(): number {
    return LIVES.phaseLeast + Math.round(exponential(this.#random, LIVES.phaseMore));
  }

  #discover(until: number): Pastime {
    while (true) {
      const style = Math.floor(this.#random() * LIVES.genres * LIVES.styles);
      if (this.#pastimes.every((pastime) => pastime.style !== style)) return { style, until };
    }
  }
}

interface Life {
  readonly user: string;
  readonly taste: Taste;
  readonly random: Random;
  /** Behaviours after which the life ends, and the mean time between visits. */
  readonly length: number;
  readonly everyMs: number;
  /** The styles of everything played, oldest first. */
  readonly styles: number[];
}

/**
 * Simulates a world to its end.
 *
 * @throws {RangeError} When a size is not a positive integer, or there are so few items that none exists at the start.
 *
 * ```ts
 * import assert from "node:assert/strict";
 *
 * const { items, events } = longLives({ seed: 1, users: 2, items: 100 });
 * assert.equal(items.length, 100);
 * assert.ok(events.length > 1200 && events.some(({ type }) => type === "impression"));
 * ```
 */
export function longLives({ seed, users = 120, items = 600 }: LongLivesOptions): LongLives {
  for (const [name, size] of Object.entries({ users, items })) {
    if (!Number.isSafeInteger(size) || size < 1) {
      throw new RangeError(
        `Cannot make long lives with ${name} as a positive integer: current value is ${size}`,
      );
    }
  }
  return new Lives(seed, users, items).run();
}

class Lives {
  readonly #start = Date.UTC(2024, 0, 1);
  readonly #items: readonly Item[];
  readonly #events: Event[] = [];
  readonly #visits = new Schedule<{ readonly life: Life; readonly list: boolean }>();
  #lists = 0;
  #there: readonly Item[] = [];
  #nextBirth = -Infinity;

  constructor(seed: number, users: number, items: number) {
    const random = createRandom(seed, 1);
    this.#items = Array.from({ length: items }, (_, i) => ({
      id: `v${i}`,
      style: i % (LIVES.genres * LIVES.styles),
      quality: LIVES.quality * normal(random),
      born: this.#start + (random() < 0.8 ? 0 : Math.floor(random() * LIVES.days * DAY)),
      shown: 0,
      clicked: 0,
    }));
    if (this.#items.every(({ born }) => born > this.#start)) {
      throw new RangeError(`Cannot make long lives of ${items} items: none exists at the start`);
    }
    for (let i = 0; i < users; i++) this.#join(`p${i}`, createRandom(seed, 2 + i));
  }

  run(): LongLives {
    for (let next = this.#visits.time; next < Infinity; next = this.#visits.time) {
      const { life, list } = this.#visits.take()!;
      if (list) this.#list(life, next);
      else this.#visit(life, next);
    }
    const items = this.#items.map(({ id, style, born }) => ({
      item: id,
      time: born,
      categories: [`g${genreOf(style)}`],
    }));
    return {
      items: items.toSorted((a, b) => a.time - b.time),
      events: this.#events.sort((a, b) => a.time - b.time),
    };
  }

  #join(user: string, random: Random): void {
    const [least, most] = LIVES.behaviours;
    const length = Math.round(least * (most / least) ** random());
    const visits = length / (LIVES.own + 1.5);
    const life = {
      user,
      taste: new Taste(random),
      random,
      length,
      everyMs: LIVES.days * DAY / visits,
      styles: [],
    };
    this.#comeBack(life, this.#start);
  }

  #comeBack(life: Life, after: number): void {
    if (life.taste.behaviours >= life.length) return;
    const time = after + 30 * MINUTE + exponential(life.random, life.everyMs);
    this.#visits.add(Math.round(time), { life, list: false });
  }

  /** What is played without a list, and then a list. */
  #visit(life: Life, start: number): void {
    const { user, taste, random } = life;
    const born = this.#born(start);
    let time = start;
    const number = Math.round(exponential(random, LIVES.own));
    for (let i = 0; i < number; i++) {
      const style = taste.own();
      const item = this.#among(random, born, (item) => style === null || item.style === style);
      this.#events.push({ type: "interaction", user, item: item.id, action: "view", time });
      this.#play(life, item, time);
      time += Math.round(SECOND * (20 + logNormal(random, 60, 0.5)));
    }
    this.#visits.add(time, { life, list: true });
  }

  #list(life: Life, time: number): void {
    const { user, taste, random } = life;
    const shown = this.#choose(life, time);
    const request = `l${this.#lists++}`;
    const truth = shown.map((item, place) =>
      1 / (1 + Math.exp(-taste.logit(item, time))) / (1 + LIVES.examination * place)
    );
    const away = shown.map(({ style }) => taste.away(style));
    const oracle = truth.map((p) => Math.round(p * 1e4) / 1e4);
    const items = shown.map(({ id }) => id);
    this.#events.push({ type: "impression", user, request, items, time, oracle, away } as Event); // events may have fields of their own
    let last = time;
    shown.forEach((item, place) => {
      item.shown++;
      if (random() >= truth[place]!) return;
      item.clicked++;
      last += Math.round(SECOND * Math.min(60, 1 + logNormal(random, 8, 0.7)));
      this.#events.push({ type: "interaction", user, item: item.id, action: "click", request, time: last });
      this.#play(life, item, last);
    });
    // The next list is asked for when this one's outcome is known; a visit begins later still.
    if (random() < LIVES.more) this.#visits.add(last + 11 * MINUTE, { life, list: true });
    else this.#comeBack(life, last);
  }

  #choose({ random, styles }: Life, time: number): readonly Item[] {
    const born = this.#born(time);
    const popularity = born.map(({ clicked, shown }) => ((clicked + 2) / (shown + 20)) ** 2);
    const { popular, recent, ever } = LIVES;
    const list = new Set<Item>();
    while (list.size < Math.min(LIVES.list, born.length)) {
      const draw = random();
      if (draw < popular) list.add(born[pick(random, popularity)]!);
      else if (draw < popular + recent && styles.length > 0) {
        list.add(this.#like(choose(random, styles.slice(-3)), born, random));
      } else if (draw < popular + recent + ever && styles.length > 0) {
        list.add(this.#like(choose(random, styles), born, random));
      } else list.add(choose(random, born));
    }
    return [...list];
  }

  #like(style: number, born: readonly Item[], random: Random): Item {
    const same = random() < LIVES.sameStyle;
    return this.#among(
      random,
      born,
      (item) => same ? item.style === style : genreOf(item.style) === genreOf(style),
    );
  }

  /** An item of a kind, or any item if a small world has none of that kind. */
  #among(random: Random, born: readonly Item[], isOfKind: (item: Item) => boolean): Item {
    const kind = born.filter(isOfKind);
    return choose(random, kind.length > 0 ? kind : born);
  }

  #play(life: Life, item: Item, time: number): void {
    life.taste.play(item, time);
    life.styles.push(item.style);
  }

  /** The items that exist at a time, which is never before that of the last call. */
  #born(time: number): readonly Item[] {
    if (time >= this.#nextBirth) {
      this.#there = this.#items.filter(({ born }) => born <= time);
      this.#nextBirth = Math.min(...this.#items.map(({ born }) => born > time ? born : Infinity));
    }
    return this.#there;
  }
}

function genreOf(style: number): number {
  return style % LIVES.genres;
}
