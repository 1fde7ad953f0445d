/**
 * Keeps {@linkcode NeighbourRows} within a budget of bytes: a row that has more than `limit` entries keeps the best
 * three quarters by their first weight. When all rows exceed the budget, `limit` is halved; once it is
 * {@linkcode MIN_LIMIT}, the rows of the items longest without a behaviour are dropped.
 */

import type { ById, NeighbourRows } from "./neighbour_rows.ts";

/** Least number of entries that a row may have. */
export const MIN_LIMIT = 16;
/** Share of a full row, and of the budget, that is kept. */
const KEPT = 0.75;

export class RowBounds {
  readonly #rows: NeighbourRows;
  readonly #budget: number;
  /** Most entries of a row. */
  limit: number;
  /** Number of behaviours so far; and by item, running number of its newest one, 0 before the first. */
  touches = 0;
  touched: number[] = [];

  /** @param budget Bytes of all rows together. */
  constructor(rows: NeighbourRows, budget: number, limit: number) {
    this.#rows = rows;
    this.#budget = budget;
    this.limit = Math.max(MIN_LIMIT, limit);
  }

  /** Notes an item's newest behaviour. */
  touch(item: number, number: number = ++this.touches): void {
    // Filled without holes: a sparse array would be a hash map.
    while (this.touched.length <= item) this.touched.push(0);
    this.touched[item] = number;
  }

  /** Cuts an item's row, to which an entry was added, if it has too many. */
  cut(item: number, byId: ById): void {
    if (this.#rows.size(item) > this.limit) this.#rows.keep(item, Math.floor(KEPT * this.limit), byId);
  }

  /** Makes room if all rows exceed the budget. @returns The items whose rows are dropped. */
  makeRoom(byId: ById): readonly number[] {
    const rows = this.#rows, budget = this.#budget;
    if (rows.bytes <= budget) return [];
    const items: number[] = [];
    for (let item = 0; item < rows.bound; item++) if (rows.has(item)) items.push(item);
    while (rows.bytes > budget && this.limit > MIN_LIMIT) {
      this.limit = Math.max(MIN_LIMIT, this.limit >> 1);
      for (const item of items) if (rows.size(item) > this.limit) rows.keep(item, this.limit, byId);
    }
    if (rows.bytes <= budget) return [];
    items.sort((a, b) => (this.touched[a] ?? 0) - (this.touched[b] ?? 0) || byId(a, b));
    let dropped = 0;
    while (dropped < items.length && rows.bytes > KEPT * budget) rows.remove(items[dropped++]!);
    return items.slice(0, dropped);
  }

  /** A copy for a copy of the rows. */
  clone(rows: NeighbourRows): RowBounds {
    const clone = new RowBounds(rows, this.#budget, this.limit);
    clone.touches = this.touches;
    clone.touched = this.touched.slice();
    return clone;
  }
}
