/**
 * Scores by item index, summed up from many sides and thrown away after the request. One dense array for the
 * whole catalogue and a list of what was touched: adding is one load and one store, clearing costs what was used.
 *
 * @module
 */

/** A sparse sum over the items of a catalogue. Scores are positive; 0 = not touched. */
export class ItemScores {
  #values = new Float64Array(1024);
  #touched = new Uint32Array(256);
  #size = 0;
  /** Scratch of {@linkcode ItemScores.best}. */
  #sorted = new Float64Array(256);

  /** Number of items with a score. */
  get size(): number {
    return this.#size;
  }

  /** Indices of the items with a score, in no order that means anything; valid until the next change. */
  items(): Uint32Array {
    return this.#touched.subarray(0, this.#size);
  }

  /** The score of an item; 0 when it has none. */
  get(item: number): number {
    return item < this.#values.length ? this.#values[item]! : 0;
  }

  /** Adds a positive amount. */
  add(item: number, amount: number): void {
    if (item >= this.#values.length) this.#grow(item);
    const before = this.#values[item]!;
    if (before === 0) {
      if (!(amount > 0)) return;
      if (this.#size === this.#touched.length) this.#widen();
      this.#touched[this.#size++] = item;
    }
    this.#values[item] = before + amount;
  }

  /** Multiplies the score of an item that has one by a positive factor. */
  scale(item: number, factor: number): void {
    this.#values[item] = this.#values[item]! * factor;
  }

  /** Forgets everything. */
  clear(): void {
    for (let k = 0; k < this.#size; k++) this.#values[this.#touched[k]!] = 0;
    this.#size = 0;
  }

  /**
   * The best `limit` items that are allowed, in no order.
   *
   * Ties at the border are all in, so that the result does not depend on the order of the indices; more than
   * `limit` come back only then. O(size), and asks of few more items than `limit` whether they are allowed.
   */
  best(limit: number, allowed: (item: number) => boolean): number[] {
    const enough = 2 * limit + 64;
    if (this.#size > enough) {
      const items = this.#above(this.#border(this.#touched, this.#size, enough), allowed);
      if (items.length >= limit) return this.#cut(items, limit);
    }
    return this.#cut(this.#above(0, allowed), limit);
  }

  /** The allowed items with at least this score. */
  #above(border: number, allowed: (item: number) => boolean): number[] {
    const items: number[] = [];
    for (let k = 0; k < this.#size; k++) {
      const item = this.#touched[k]!;
      if (this.#values[item]! >= border && allowed(item)) items.push(item);
    }
    return items;
  }

  #cut(items: number[], limit: number): number[] {
    if (items.length <= limit) return items;
    const border = this.#border(items, items.length, limit);
    return items.filter((item) => this.#values[item]! >= border);
  }

  /** The n-th largest score of items. */
  #border(items: ArrayLike<number>, size: number, n: number): number {
    const sorted = this.#sorted;
    for (let k = 0; k < size; k++) sorted[k] = this.#values[items[k]!]!;
    return nthLargest(sorted, n, size);
  }

  #grow(item: number): void {
    const values = new Float64Array(Math.max(2 * this.#values.length, item + 1));
    values.set(this.#values);
    this.#values = values;
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
