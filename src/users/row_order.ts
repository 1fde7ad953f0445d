/**
 * The order in which users were active, by their rows: a ring of links, so that every call is O(1).
 *
 * A map that is kept in this order, by deleting and setting, is made anew again and again: with 100,000 users that takes
 * longer than all else of an event.
 *
 * @module
 */

/** No row. */
export const NO_ROW = -1;
const ABSENT = -1;

/** Some rows, in the order in which they were put here. */
export class RowOrder {
  /** By row + 1: the row + 1 that was put just before, and just after; 0 is the end, whose neighbours are the ends. */
  readonly #older = [0];
  readonly #newer = [0];

  /** The row that was put first; {@linkcode NO_ROW} if empty. */
  get oldest(): number {
    return this.#newer[0]! - 1;
  }

  /** The row that was put last; {@linkcode NO_ROW} if empty. */
  get newest(): number {
    return this.#older[0]! - 1;
  }

  /** Whether a row is here. */
  has(row: number): boolean {
    return (this.#newer[row + 1] ?? ABSENT) !== ABSENT;
  }

  /** The row that was put just before one that is here; {@linkcode NO_ROW} = there is none. */
  before(row: number): number {
    return this.#older[row + 1]! - 1;
  }

  /** Makes a row the newest. */
  put(row: number): void {
    if (row === this.newest) return;
    this.remove(row);
    // Without holes: a sparse array would be a hash map.
    while (this.#older.length <= row + 1) {
      this.#older.push(ABSENT);
      this.#newer.push(ABSENT);
    }
    this.#join(this.newest + 1, row + 1);
    this.#join(row + 1, 0);
  }

  /** Takes a row out, if it is here. */
  remove(row: number): void {
    if (!this.has(row)) return;
    this.#join(this.#older[row + 1]!, this.#newer[row + 1]!);
    this.#older[row + 1] = this.#newer[row + 1] = ABSENT;
  }

  #join(older: number, newer: number): void {
    this.#newer[older] = newer;
    this.#older[newer] = older;
  }
}
