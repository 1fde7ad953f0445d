/**
 * Scores by item index, summed up from many sides and thrown away after the request. One dense array for the
 * whole catalogue and a list of what was touched: adding is one load and one store, clearing costs what was used.
 *
 * @module
 */

/** Sparse sums over the items of a catalogue, several an item in columns side by side. Scores are positive. */
export class ItemScores {
  readonly #columns: number;
  #values: Float64Array;
  /** By item: whether it was touched. */
  #marks = new Uint8Array(1024);
  #touched = new Uint32Array(256);
  #size = 0;
  /** Scratch of {@linkcode ItemScores.best}. */
  #sorted = new Float64Array(256);

  /** No scores. */
  constructor(columns = 1) {
    this.#columns = columns;
    this.#values = new Float64Array(1024 * columns);
  }

  /** Number of items that were touched. */
  get size(): number {
    return this.#size;
  }

  /** Indices of the items that were touched, in no order that means anything; valid until the next change. */
  items(): Uint32Array {
    return this.#touched.subarray(0, this.#size);
  }

  /** Scores by {@linkcode ItemScores.touch} and column, see {@linkcode ItemScores.reserve}. */
  get values(): Float64Array {
    return this.#values;
  }

  /** The score of an item; 0 when it has none. */
  get(item: number, column = 0): number {
    return item < this.#marks.length ? this.#values[item * this.#columns + column]! : 0;
  }

  /** Makes room for items below `bound`: until one beyond it is touched, `values` stays the same array. */
  reserve(bound: number): void {
    if (bound > this.#marks.length) this.#grow(bound - 1);
  }

  /** Touches an item. @returns Where its first column is. */
  touch(item: number): number {
    if (item >= this.#marks.length) this.#grow(item);
    if (this.#marks[item] === 0) {
      this.#marks[item] = 1;
      if (this.#size === this.#touched.length) this.#widen();
      this.#touched[this.#size++] = item;
    }
    return item * this.#columns;
  }

  /** Adds a positive amount. */
  add(item: number, amount: number, column = 0): void {
    if (!(amount > 0)) return;
    const at = this.touch(item) + column;
    this.#values[at] = this.#values[at]! + amount;
  }

  /** Multiplies the scores of an item in all columns. */
  scale(item: number, factor: number): void {
    const at = item * this.#columns;
    for (let k = at; k < at + this.#columns; k++) this.#values[k] = this.#values[k]! * factor;
  }

  /** Forgets everything. */
  clear(): void {
    const [columns, values] = [this.#columns, this.#values];
    for (let k = 0; k < this.#size; k++) {
      const item = this.#touched[k]!;
      this.#marks[item] = 0;
      for (let at = item * columns; at < (item + 1) * columns; at++) values[at] = 0;
    }
    this.#size = 0;
  }

  /**
   * The best `limit` items of a column that are allowed, in no order.
   *
   * Ties at the border are all in, so that the result does not depend on the order of the indices; more than
   * `limit` come back only then. O(size), and asks of few more items than `limit` whether they are allowed.
   */
  best(limit: number, allowed: (item: number) => boolean, column = 0): number[] {
    const enough = 2 * limit + 64;
    if (this.#size > enough) {
      const border = this.#border(this.#touched, this.#size, enough, column);
      const items = this.#above(border, allowed, column);
      if (items.length >= limit) return this.#cut(items, limit, column);
    }
    return this.#cut(this.#above(0, allowed, column), limit, column);
  }

  /** The allowed items with a score that is at least this, and above 0. */
  #above(border: number, allowed: (item: number) => boolean, column: number): number[] {
    const items: number[] = [];
    for (let k = 0; k < this.#size; k++) {
      const item = this.#touched[k]!;
      const score = this.#values[item * this.#columns + column]!;
      if (score >= border && score > 0 && allowed(item)) items.push(item);
    }
    return items;
  }

  #cut(items: number[], limit: number, column: number): number[] {
    if (items.length <= limit) return items;
    const border = this.#border(items, items.length, limit, column);
    return items.filter((item) => this.get(item, column) >= border);
  }

  /** The n-th largest score of items. */
  #border(items: ArrayLike<number>, size: number, n: number, column: number): number {
    const sorted = this.#sorted;
    for (let k = 0; k < size; k++) sorted[k] = this.#values[items[k]! * this.#columns + column]!;
    return nthLargest(sorted, n, size);
  }

  #grow(item: number): void {
    const length = Math.max(2 * this.#marks.length, item + 1);
    const values = new Float64Array(length * this.#columns);
    values.set(this.#values);
    this.#values = values;
    const marks = new Uint8Array(length);
    marks.set(this.#marks);
    this.#marks = marks;
  }

  #widen(): void {
    const touched = new Uint32Array(2 * this.#touched.length);
    touched.set(this.#touched);
    this.#touched = touched;
    this.#sorted = new Float64Array(touched.length);
  }
}

/**
 * The n-th largest of the first `length` numbers, n from 1; they are put into another order. Quickselect,
 * O(length) on average.
 */
export function nthLargest(values: Float64Array, n: number, length: number = values.length): number {
  let low = 0;
  let high = length - 1;
  const at = n - 1;
  while (low < high) {
    const pivot = values[(low + high) >>> 1]!;
    let i = low;
    let j = high;
    while (i <= j) {
      while (values[i]! > pivot) i++;
      while (values[j]! < pivot) j--;
      if (i > j) break;
      const swap = values[i]!;
      values[i++] = values[j]!;
      values[j--] = swap;
    }
    if (at <= j) high = j;
    else if (at >= i) low = i;
    else break;
  }
  return values[at]!;
}
