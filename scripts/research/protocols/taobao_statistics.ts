/** P3, features: counts over the events so far. */

import type { Behavior } from "./taobao_tasks.ts";

const HALF_LIFE_MS = 30 * 60_000;
const RECENT = 10;
/** ln(1 + seconds) of "never". */
const NEVER = 10;

interface Popularity {
  /** Number of events. */
  count: number;
  /** Events, each halved every {@linkcode HALF_LIFE_MS}, as of `time`. */
  decayed: number;
  time: number;
}

/** Running counts of the stream, and the numeric features made of them. */
export class TaobaoStatistics {
  /** Names of {@linkcode TaobaoStatistics.numerics}, in order. */
  static readonly names: readonly string[] = [
    "itemPopularity",
    "categoryPopularity",
    "itemKnown",
    "categoryAmongRecent",
    "categoryOfLast",
    "itemSeen",
    "categoryAge",
    "historyLength",
    "categoryFollows",
  ];

  readonly #categories: ReadonlyMap<string, string>;
  readonly #byItem = new Map<string, Popularity>();
  readonly #byCategory = new Map<string, Popularity>();
  /** Counts by `<category>,<category of the user's next event>`. */
  readonly #pairs = new Map<string, number>();
  readonly #histories = new Map<string, Behavior[]>();
  #events = 0;

  /** Starts without events; `categories` has every item's category. */
  constructor(categories: ReadonlyMap<string, string>) {
    this.#categories = categories;
  }

  category(item: string): string {
    return this.#categories.get(item) ?? "";
  }

  /** Whether an event so far had the item. */
  knows(item: string): boolean {
    return this.#byItem.has(item);
  }

  /** All events of a user so far, oldest first. */
  history(user: string): readonly Behavior[] {
    return this.#histories.get(user) ?? [];
  }

  /** Counts an event. */
  update(behavior: Behavior): void {
    const { user, item, category, time } = behavior;
    count(this.#byItem, item, time);
    count(this.#byCategory, category, time);
    const history = this.#histories.get(user);
    const last = history?.at(-1);
    if (last !== undefined) {
      const pair = `${last.category},${category}`;
      this.#pairs.set(pair, 1 + (this.#pairs.get(pair) ?? 0));
    }
    if (history === undefined) this.#histories.set(user, [behavior]);
    else history.push(behavior);
    this.#events++;
  }

  /**
   * The features of showing `item` to a `user` with a history at `time`:
   *
   * - ln(1 + decayed events) of the item and of its category, whether the item was ever seen;
   * - how many of the user's last 10 events have the category, whether the last has, whether the user had the
   *   item, ln(1 + seconds) since the user's last event of the category (10 = never), ln(1 + events);
   * - the log of how much more often the category follows that of the last event than its share suggests:
   *   ln (n(last, c) + p/2) / (n(last) + 1/2) − ln p, with p = (n(c) + 1) / (n + 1).
   */
  numerics(user: string, item: string, time: number): Float32Array {
    const history = this.history(user);
    const last = history.at(-1)?.category ?? "";
    const category = this.category(item);
    const same = history.findLast((behavior) => behavior.category === category);
    const counted = (name: string) => this.#byCategory.get(name)?.count ?? 0;
    const share = (counted(category) + 1) / (this.#events + 1);
    const pairs = this.#pairs.get(`${last},${category}`) ?? 0;
    return Float32Array.of(
      Math.log1p(decayed(this.#byItem.get(item), time)),
      Math.log1p(decayed(this.#byCategory.get(category), time)),
      this.knows(item) ? 1 : 0,
      history.slice(-RECENT).filter((behavior) => behavior.category === category).length,
      last === category ? 1 : 0,
      history.some((behavior) => behavior.item === item) ? 1 : 0,
      same === undefined ? NEVER : Math.log1p((time - same.time) / 1000),
      Math.log1p(history.length),
      Math.log((pairs + share / 2) / (counted(last) + 0.5)) - Math.log(share),
    );
  }
}

function decayed(of: Popularity | undefined, time: number): number {
  return of === undefined ? 0 : of.decayed * 0.5 ** ((time - of.time) / HALF_LIFE_MS);
}

function count(of: Map<string, Popularity>, key: string, time: number): void {
  const known = of.get(key);
  of.set(key, { count: (known?.count ?? 0) + 1, decayed: decayed(known, time) + 1, time });
}
