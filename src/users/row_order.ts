/**
 * The order in which users were active, by their rows: a ring of links, so that every call is O(1).
 *
 * A `Map` kept in this order by deleting and setting is rehashed again and again: at 100,000 users, that costs more
 * than all other work per event.
 *
 * @module
 */

export const NO_ROW = -1;
const ABSENT = -1;

/** Some rows, in the order in which they were last put. */
export class RowOrder {
  /** By row + 1: the row + 1 that was put just before, and just after; 0 is a sentinel between newest and oldest. */
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

  has(row: number): boolean {
    return (this.#newer[row + 1] ?? ABSENT) !== ABSENT;
  }

  /** The row that was put just before one that is in the order; {@linkcode NO_ROW} = there is none. */
  before(row: number): number {
    return this.#older[row + 1]! - 1;
  }

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
