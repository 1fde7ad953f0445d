/**
 * Candidates for a request that names none: decayed popularity, popular items of the categories the user was
 * with lately, and new items. All are kept up item by item, so a request costs the same however large the
 * catalogue is.
 *
 * @module
 */

import type { CatalogueItem } from "../state/catalogue.ts";
import { raise, TopList } from "../state/popularity.ts";

/** Options of {@linkcode Retrieval}. */
export interface RetrievalOptions {
  /** Half-life of popularity, milliseconds of event time. @default {7 days} */
  readonly halfLifeMs?: number;
  /** Candidates a request gets at most. @default {100} */
  readonly maxCandidates?: number;
  /** Length of the list over everything, of one a category, and of the new items. @default {200, 50, 100} */
  readonly listSizes?: { readonly popular: number; readonly category: number; readonly fresh: number };
}

/** Where a candidate came from. */
export type CandidateSource = "given" | "popular" | "category" | "new";

/** A retrieved candidate. */
export interface Candidate {
  /** Id of the item. */
  readonly item: string;
  /** The list that it came from. */
  readonly source: CandidateSource;
}

/** What an item was ranked by. */
interface Ranked {
  readonly categories: readonly string[];
  readonly firstTime: number;
  readonly hidden: boolean;
}

/**
 * Keeps the lists that candidates come from. They are a function of the items alone, not of their history, so a
 * restored task retrieves what it would have without the crash: an item only moves up as events arrive, and when
 * the catalogue moves one down or out, the lists are made again at the next request.
 */
export class Retrieval {
  /** Half-life of popularity, milliseconds of event time. */
  readonly halfLifeMs: number;
  /** Candidates a request gets at most. */
  readonly maxCandidates: number;
  readonly #sizes: { readonly popular: number; readonly category: number; readonly fresh: number };
  readonly #ranked = new Map<CatalogueItem, Ranked>();
  #popular: TopList;
  #byCategory = new Map<string, TopList>();
  #fresh: TopList;
  #stale = false;

  /** Empty lists. */
  constructor(options: RetrievalOptions = {}) {
    this.halfLifeMs = options.halfLifeMs ?? 7 * 86_400_000;
    this.maxCandidates = options.maxCandidates ?? 100;
    this.#sizes = options.listSizes ?? { popular: 200, category: 50, fresh: 100 };
    this.#popular = new TopList(this.#sizes.popular);
    this.#fresh = new TopList(this.#sizes.fresh);
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

  /**
   * Candidates in turn from the lists, without repeats, at most `maxCandidates`.
   *
   * @param categories Categories of the user's newest behaviours, newest first.
   * @param allowed Whether an item may be recommended.
   */
  candidates(categories: readonly string[], allowed: (item: string) => boolean): Candidate[] {
    if (this.#stale) this.#rankAll();
    const lists: { readonly ids: readonly string[]; readonly source: CandidateSource }[] = [];
    for (const category of new Set(categories)) {
      const list = this.#byCategory.get(category);
      if (list !== undefined) lists.push({ ids: list.ids, source: "category" });
    }
    lists.push({ ids: this.#popular.ids, source: "popular" }, { ids: this.#fresh.ids, source: "new" });
    const found = new Map<string, Candidate>();
    const longest = Math.max(...lists.map((list) => list.ids.length));
    for (let rank = 0; rank < longest; rank++) {
      for (const { ids, source } of lists) {
        const item = ids[rank];
        if (item === undefined || found.has(item) || !allowed(item)) continue;
        found.set(item, { item, source });
        if (found.size === this.maxCandidates) return [...found.values()];
      }
    }
    return [...found.values()];
  }

  #rankAll(): void {
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
