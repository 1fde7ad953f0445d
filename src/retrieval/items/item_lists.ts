/**
 * Lists of items: by decayed popularity, overall and per category, and of the newest items. They are updated item by
 * item, so a request costs the same however large the catalogue is.
 */

import { type OptionsOf, positive, settle } from "../../options/option.ts";
import type { Catalogue, CatalogueItem } from "../../items/catalogue.ts";
import { joined, raise, TopList } from "../../items/popularity.ts";
import { Pace } from "./pace.ts";
import { DecayedCounts } from "./decayed_counts.ts";
import { ItemRing } from "./item_ring.ts";

const NONE = new Uint32Array(0);
const NO_CATEGORIES: readonly number[] = [];

/** Options of {@linkcode ItemLists}. */
export interface ItemListsOptions {
  /** Half-life of popularity, milliseconds of the stream's time (`pace.ts`). @default {604800000} */
  readonly halfLifeMs?: number | undefined;
  /** Lengths of the overall list, of the list per category, and of the new items. @default {200, 80, 100} */
  readonly listSizes?: {
    readonly popular: number;
    readonly category: number;
    readonly fresh: number;
  };
}

/** The options of {@linkcode ItemListsOptions} that a configuration may set. */
export const ITEM_LISTS_OPTIONS = {
  halfLifeMs: positive(604_800_000, "half-life of popularity, in the stream's time"),
} satisfies OptionsOf<Omit<ItemListsOptions, "listSizes">>;

/** The properties by which an item is placed in the lists. */
interface Standing {
  readonly categories: readonly string[];
  /** Numbers of the categories. */
  readonly numbers: readonly number[];
  readonly firstTime: number;
  readonly withheld: boolean;
  /** Its score in the lists by popularity; −∞ while it is not in them. */
  popularity: number;
}

/**
 * Keeps the lists. They are a function of the items alone, not of their history, so a restored task has the lists that
 * it would have without the crash. As events arrive an item only moves up; one that the catalogue moves down or out
 * leaves them, and the next best one of a reserve takes its place. Lists whose reserve is used up are rebuilt on the
 * next read.
 */
export class ItemLists {
  /** Half-life of popularity, milliseconds. */
  readonly halfLifeMs: number;
  readonly pace: Pace = new Pace();
  readonly popularity: DecayedCounts;
  /** The items of the catalogue, for random draws. */
  readonly ring: ItemRing;
  readonly #catalogue: Catalogue;
  readonly #sizes: { readonly popular: number; readonly category: number; readonly fresh: number };
  /** By item index. */
  readonly #ranked: (Standing | undefined)[] = [];
  /** Categories have numbers in this process, from 0 on. */
  readonly #numbers = new Map<string, number>();
  #popular: TopList;
  /** By number. */
  #byCategory: (TopList | undefined)[] = [];
  #fresh: TopList;
  #stale = false;

  constructor(catalogue: Catalogue, options: ItemListsOptions = {}) {
    this.#catalogue = catalogue;
    this.ring = new ItemRing(catalogue);
    this.halfLifeMs = settle(ITEM_LISTS_OPTIONS, options).halfLifeMs;
    this.popularity = new DecayedCounts(this.halfLifeMs);
    this.#sizes = options.listSizes ?? { popular: 200, category: 80, fresh: 100 };
    this.#popular = this.#list(this.#sizes.popular);
    this.#fresh = this.#list(this.#sizes.fresh);
  }

  /** Moves {@linkcode ItemLists.popularity} to `time`. */
  moveTo(time: number): void {
    this.popularity.moveTo(this.pace.at(time));
  }

  /** Indices of items by popularity; like all lists, valid until the next change. */
  popular(): Uint32Array {
    this.#refresh();
    return this.#popular.items;
  }

  /** Items of a category, by its number, by popularity. */
  category(number: number): Uint32Array {
    this.#refresh();
    return this.#byCategory[number]?.items ?? NONE;
  }

  /** Number of categories that items have or had: theirs are smaller. */
  get categoryCount(): number {
    return this.#numbers.size;
  }

  /** The number of a category, if an item has or had it. */
  numberOf(category: string): number | undefined {
    return this.#numbers.get(category);
  }

  /** The numbers of an item's categories. */
  categoriesOf(index: number): readonly number[] {
    return this.#ranked[index]?.numbers ?? NO_CATEGORIES;
  }

  /** Items of the catalogue by their first event, newest first. */
  fresh(): Uint32Array {
    this.#refresh();
    return this.#fresh.items;
  }

  /** Counts a positive for the item by one of this task's users. */
  raise(item: CatalogueItem, time: number): void {
    item.ownPopularity = raise(item.ownPopularity, this.pace.at(time), this.halfLifeMs);
    this.#join(item);
  }

  /** Counts a positive by a user of another task. Kept apart, so that the item's own numbers need not be written. */
  raiseOthers(item: CatalogueItem, time: number): void {
    this.setOthers(item, raise(item.othersPopularity, this.pace.at(time), this.halfLifeMs));
  }

  /** Sets the part of the item's popularity that users of other tasks contribute. */
  setOthers(item: CatalogueItem, popularity: number): void {
    item.othersPopularity = popularity;
    this.#join(item);
  }

  /** Adds or updates an item, when its catalogue record is applied or removed, or when it is restored. */
  add(item: CatalogueItem): void {
    const { categories, firstTime, withheld, index } = item;
    this.popularity.set(index, item.popularity);
    let ranked = this.#ranked[index];
    if (
      ranked === undefined || ranked.categories !== categories || ranked.firstTime !== firstTime ||
      ranked.withheld !== withheld
    ) {
      if (ranked !== undefined) this.#leave(index, ranked);
      const numbers = categories.map((category) => this.#number(category));
      ranked = { categories, numbers, firstTime, withheld, popularity: -Infinity };
      // Filled without holes: a sparse array would be a hash map.
      while (this.#ranked.length < index) this.#ranked.push(undefined);
      this.#ranked[index] = ranked;
    }
    if (item.listed) this.ring.add(index);
    // Rounding can lower the sum of two parts when one of them rises.
    if (item.popularity < ranked.popularity) this.#leave(index, ranked);
    if (!this.#stale) this.#rank(item, ranked);
  }

  #join(item: CatalogueItem): void {
    item.popularity = joined(item.ownPopularity, item.othersPopularity);
    this.add(item);
  }

  #number(category: string): number {
    const known = this.#numbers.get(category);
    if (known !== undefined) return known;
    this.#numbers.set(category, this.#numbers.size);
    return this.#numbers.size - 1;
  }

  #refresh(): void {
    if (!this.#stale) return;
    this.#popular = this.#list(this.#sizes.popular);
    this.#byCategory = [];
    this.#fresh = this.#list(this.#sizes.fresh);
    this.#ranked.forEach((ranked, index) => {
      if (ranked === undefined) return;
      ranked.popularity = -Infinity;
      this.#rank(this.#catalogue.at(index), ranked);
    });
    this.#stale = false;
  }

  #rank(item: CatalogueItem, ranked: Standing): void {
    if (item.withheld) return;
    const { index, popularity, firstTime } = item;
    if (item.listed) this.#fresh.update(index, firstTime, firstTime);
    if (popularity === -Infinity) return;
    const before = ranked.popularity;
    this.#popular.update(index, popularity, before);
    for (const number of ranked.numbers) {
      while (this.#byCategory.length <= number) this.#byCategory.push(undefined);
      const list = this.#byCategory[number] ??= this.#list(this.#sizes.category);
      list.update(index, popularity, before);
    }
    ranked.popularity = popularity;
  }

  /** Takes an item out of all lists. */
  #leave(index: number, ranked: Standing): void {
    const { popularity, numbers, firstTime } = ranked;
    this.#remove(this.#fresh, index, firstTime);
    this.#remove(this.#popular, index, popularity);
    for (const number of numbers) this.#remove(this.#byCategory[number], index, popularity);
    ranked.popularity = -Infinity;
  }

  #remove(list: TopList | undefined, index: number, score: number): void {
    list?.remove(index, score);
    this.#stale ||= list?.isShort ?? false;
  }

  #list(capacity: number): TopList {
    return new TopList(capacity, (a, b) => this.#catalogue.compare(a, b), capacity);
  }
}
