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
      if (this.#size === this.#touched.length) this.#touched = doubled(this.#touched);
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
   * `limit` come back only then. O(size).
   */
  best(limit: number, allowed: (item: number) => boolean): number[] {
    const items: number[] = [];
    for (let k = 0; k < this.#size; k++) if (allowed(this.#touched[k]!)) items.push(this.#touched[k]!);
    if (items.length <= limit) return items;
    const border = nthLargest(Float64Array.from(items, (item) => this.#values[item]!), limit);
    return items.filter((item) => this.#values[item]! >= border);
  }

  #grow(item: number): void {
    const values = new Float64Array(Math.max(2 * this.#values.length, item + 1));
    values.set(this.#values);
    this.#values = values;
  }
}

/**
 * The n-th largest number, n from 1; the array is put into another order. Quickselect, O(length) on average.
 */
export function nthLargest(values: Float64Array, n: number): number {
  let low = 0;
  let high = values.length - 1;
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

function doubled(array: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> {
  const next = new Uint32Array(2 * array.length);
  next.set(array);
  return next;
}
