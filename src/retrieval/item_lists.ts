/**
 * Lists of items by decayed popularity, over everything and by category, the ones that are in demand right now,
 * and the new ones. All are kept up item by item, so a request costs the same however large the catalogue is.
 *
 * @module
 */

import type { CatalogueItem } from "../state/catalogue.ts";
import { raise, TopList } from "../state/popularity.ts";

/** Options of {@linkcode ItemLists}. */
export interface ItemListsOptions {
  /** Half-life of popularity, milliseconds of event time. @default {7 days} */
  readonly halfLifeMs?: number;
  /** Length of the list over everything, of one a category, and of the new items. @default {200, 80, 100} */
  readonly listSizes?: { readonly popular: number; readonly category: number; readonly fresh: number };
}

/** What an item was ranked by. */
interface Ranked {
  readonly categories: readonly string[];
  readonly firstTime: number;
  readonly hidden: boolean;
}

/**
 * Keeps the lists. They are a function of the items alone, not of their history, so a restored task has the lists
 * that it would have without the crash: an item only moves up as events arrive, and when the catalogue moves one
 * down or out, the lists are made again at the next look.
 */
export class ItemLists {
  /** Half-life of popularity, milliseconds of event time. */
  readonly halfLifeMs: number;
  readonly #sizes: { readonly popular: number; readonly category: number; readonly fresh: number };
  readonly #ranked = new Map<CatalogueItem, Ranked>();
  #popular: TopList;
  #byCategory = new Map<string, TopList>();
  #fresh: TopList;
  #stale = false;

  /** Empty lists. */
  constructor(options: ItemListsOptions = {}) {
    this.halfLifeMs = options.halfLifeMs ?? 7 * 86_400_000;
    this.#sizes = options.listSizes ?? { popular: 200, category: 80, fresh: 100 };
    this.#popular = new TopList(this.#sizes.popular);
    this.#fresh = new TopList(this.#sizes.fresh);
  }

  /** Ids by popularity. */
  popular(): readonly string[] {
    this.#refresh();
    return this.#popular.ids;
  }

  /** Ids of a category by popularity. */
  category(category: string): readonly string[] {
    this.#refresh();
    return this.#byCategory.get(category)?.ids ?? [];
  }

  /** Ids of the catalogue by their first sight, newest first. */
  fresh(): readonly string[] {
    this.#refresh();
    return this.#fresh.ids;
  }

  /** Counts a positive for the item. */
  raise(item: CatalogueItem, time: number): void {
    item.popularity = raise(item.popularity, time, this.halfLifeMs);
    this.add(item);
  }

  /** Takes an item in, or its change: when its catalogue record is applied or removed, or it is restored. */
  add(item: CatalogueItem): void {
    const { categories, firstTime, hidden } = item;
    const before = this.#ranked.get(item);
    if (
      before?.categories !== categories || before.firstTime !== firstTime || before.hidden !== hidden
    ) {
      this.#ranked.set(item, { categories, firstTime, hidden });
      this.#stale ||= before !== undefined && !before.hidden;
    }
    if (!this.#stale) this.#rank(item);
  }

  #refresh(): void {
    if (!this.#stale) return;
    this.#popular = new TopList(this.#sizes.popular);
    this.#byCategory = new Map();
    this.#fresh = new TopList(this.#sizes.fresh);
    for (const item of this.#ranked.keys()) this.#rank(item);
    this.#stale = false;
  }

  #rank(item: CatalogueItem): void {
    if (item.hidden) return;
    if (item.listed) this.#fresh.update(item.id, item.firstTime);
    if (item.popularity === -Infinity) return;
    this.#popular.update(item.id, item.popularity);
    for (const category of item.categories) {
      let list = this.#byCategory.get(category);
      if (list === undefined) {
        list = new TopList(this.#sizes.category);
        this.#byCategory.set(category, list);
      }
      list.update(item.id, item.popularity);
    }
  }
}
