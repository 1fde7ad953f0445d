/**
 * The shop's own lists: the policy that made the log, and the loop that lets people answer a policy.
 *
 * @module
 */

import { CATEGORIES } from "./categories.ts";
import type { Item } from "./item.ts";
import { BEHAVIOUR } from "./person.ts";
import { choose, pick, type Random } from "../../src/draws/random_source.ts";
import { Schedule } from "./schedule.ts";
import type { Answer, Visit, World } from "./world.ts";

/** Something that decides what people are shown. */
export interface Policy {
  /** The ids to show, best first; `null` shows nothing. */
  list(visit: Visit): readonly string[] | null;
  /** Told of each act when its time has come, before the next visit. */
  observe(user: string, answer: Answer): void;
}

/** A page as it was shown, and what came of it. */
export interface PageView extends Visit {
  /** Ids in the order shown; `null` = nothing was shown. */
  readonly items: readonly string[] | null;
  /** True probability of a click on each; empty when nothing was shown. */
  readonly truth: Float64Array;
  /** What the person does about it, in the order of time. */
  readonly answers: readonly Answer[];
}

/**
 * Plays a world from where it stands to its end with the lists of a policy.
 *
 * @param random Chance of the clicks.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { createRandom } from "../../src/draws/random_source.ts";
 * import { createWorld } from "./world.ts";
 *
 * const world = createWorld({ seed: 1, users: 20, items: 60, days: 3 });
 * const shop = new Shop(world, createRandom(3));
 * for (const { items, truth } of pageViews(world, shop, createRandom(2))) {
 *   assert.equal(items?.length ?? 0, truth.length);
 * }
 * ```
 */
export function* pageViews(world: World, policy: Policy, random: Random): Generator<PageView> {
  const coming = new Schedule<{ user: string; answer: Answer }>();
  for (let visit = world.next(); visit !== null; visit = world.next()) {
    while (coming.time <= visit.time) {
      const told = coming.take();
      if (told !== undefined) policy.observe(told.user, told.answer);
    }
    const { user, time } = visit;
    const items = policy.list(visit);
    const truth = world.truth(user, items ?? [], time);
    const answers = items === null ? [] : world.answer(user, items, time, random);
    for (const answer of answers) coming.add(answer.time, { user, answer });
    yield { ...visit, items, truth, answers };
  }
}

/** The lists of someone who knows everybody's mind: the ten items on sale that are likeliest to be clicked now. */
export class BestPolicy implements Policy {
  readonly #world: World;

  /** Makes the policy for a world. */
  constructor(world: World) {
    this.#world = world;
  }

  /** Best first, which is also the best order. It does not look ahead to what a click leads to. */
  list({ user, time }: Visit): readonly string[] {
    const items = this.#world.onSale(time).map(({ id }) => id);
    const truth = this.#world.truth(user, items, time);
    // One call for all is many times faster; it then takes the effect of the position out again.
    return items
      .map((id, position) => ({ id, p: (truth[position] ?? 0) * (1 + BEHAVIOUR.examination * position) }))
      .sort((a, b) => b.p - a.p)
      .slice(0, LIST_LENGTH)
      .map(({ id }) => id);
  }

  /** Learns nothing: there is nothing to learn. */
  observe(): void {}
}

/** Lists of ten items on sale, each as likely as any other. */
export class RandomPolicy implements Policy {
  readonly #world: World;
  readonly #random: Random;

  /** Makes the policy for a world. */
  constructor(world: World, random: Random) {
    this.#world = world;
    this.#random = random;
  }

  /** Ten items, or all that are on sale if they are fewer. */
  list({ time }: Visit): readonly string[] {
    const items = this.#world.onSale(time);
    const list = new Set<string>();
    while (list.size < Math.min(LIST_LENGTH, items.length)) list.add(choose(this.#random, items).id);
    return [...list];
  }

  /** Learns nothing. */
  observe(): void {}
}

/** Shares of the three sources of the shop's lists. */
export const SOURCES = { popular: 0.35, recent: 0.4, explore: 0.25 } as const;

/** Items a list. */
export const LIST_LENGTH = 10;

/**
 * The policy that made the log. Each of ten places is filled, independently of the others, from
 *
 * - popular: an item with probability proportional to the square of its smoothed click rate;
 * - recent: an item of the category of one of the person's last three clicks, or else of a category that people
 *   were seen to turn to after the last one;
 * - explore: any item.
 *
 * An item that is there already is drawn again, so position tells hardly anything of quality. It knows what the log knows
 * and no more.
 */
export class Shop implements Policy {
  readonly #world: World;
  readonly #random: Random;
  readonly #shown = new Map<string, number>();
  readonly #clicks = new Map<string, number>();
  /** Newest last, at most three a person. */
  readonly #recent = new Map<string, readonly number[]>();
  /** How often a click in one category was followed by one in another, [from][to]. */
  readonly #turns: readonly Float64Array[] = CATEGORIES.map(() => new Float64Array(CATEGORIES.length));

  /** Makes a shop that knows nothing yet. */
  constructor(world: World, random: Random) {
    this.#world = world;
    this.#random = random;
  }

  /** Ten items, or all that are on sale if they are fewer; nothing on one page of a hundred. */
  list({ user, time }: Visit): readonly string[] | null {
    if (this.#random() < 0.01) return null;
    const items = this.#world.onSale(time);
    const popularity = items.map(({ id }) => {
      const rate = ((this.#clicks.get(id) ?? 0) + 2) / ((this.#shown.get(id) ?? 0) + 20);
      return rate * rate;
    });
    const list = new Set<string>();
    while (list.size < Math.min(LIST_LENGTH, items.length)) {
      const source = this.#random();
      const item = source < SOURCES.popular
        ? items[pick(this.#random, popularity)]
        : source < SOURCES.popular + SOURCES.recent
        ? this.#related(user, items)
        : choose(this.#random, items);
      if (item !== undefined) list.add(item.id);
    }
    for (const id of list) this.#shown.set(id, (this.#shown.get(id) ?? 0) + 1);
    return [...list];
  }

  /** Learns from a click. */
  observe(user: string, { action, item }: Answer): void {
    if (action !== "click") return;
    const recent = this.#recent.get(user) ?? [];
    const turns = this.#turns[recent.at(-1) ?? -1];
    if (turns !== undefined) turns[item.category]! += 1;
    this.#recent.set(user, [...recent.slice(-2), item.category]);
    this.#clicks.set(item.id, (this.#clicks.get(item.id) ?? 0) + 1);
  }

  #related(user: string, items: readonly Item[]): Item | undefined {
    const recent = this.#recent.get(user);
    if (recent === undefined) return undefined;
    const turns = this.#turns[recent.at(-1) ?? -1] ?? new Float64Array();
    const category = this.#random() < 0.5 || turns.every((count) => count === 0)
      ? choose(this.#random, recent)
      : pick(this.#random, turns);
    return choose(this.#random, items.filter((item) => item.category === category));
  }
}
