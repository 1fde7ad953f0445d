/**
 * Scores by item index, summed up from many sides and thrown away after the request. One dense array for the
 * whole catalogue and a list of what was touched: adding is one load and one store, clearing costs what was used.
 *
 * @module
 */

/** Bits of a step of scores, and octaves of them, in which `best` counts before it looks at single scores. */
const STEP_BITS = 5;
const OCTAVES = 16;

/** Sparse sums over the items of a catalogue, several an item in columns side by side. Scores are positive. */
export class ItemScores {
  /** Number of columns. */
  readonly columns: number;
  #values: Float64Array;
  /** By item: whether it was touched. */
  #marks = new Uint8Array(1024);
  #touched = new Uint32Array(256);
  #size = 0;
  /** Scratch of {@linkcode ItemScores.best}: scores, their upper halves, and how many are in each step. */
  #sorted = new Float64Array(256);
  #upper = new Uint32Array(this.#sorted.buffer);
  readonly #counts = new Uint32Array(OCTAVES << STEP_BITS);

  /** No scores. */
  constructor(columns = 1) {
    this.columns = columns;
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

  /** Scores: those of an item begin at its index · {@linkcode ItemScores.columns}. Valid until more items are touched. */
  get values(): Float64Array {
    return this.#values;
  }

  /** The score of an item; 0 when it has none. */
  get(item: number, column = 0): number {
    return item < this.#marks.length ? this.#values[item * this.columns + column]! : 0;
  }

  /** Puts the scores of items into `into`, 0 where one has none. @returns The largest. */
  pick(items: ArrayLike<number>, column: number, into: Float64Array): number {
    const { columns } = this;
    const values = this.#values;
    const bound = this.#marks.length;
    let most = 0;
    for (let k = 0; k < items.length; k++) {
      const item = items[k]!;
      const score = item < bound ? values[item * columns + column]! : 0;
      into[k] = score;
      if (score > most) most = score;
    }
    return most;
  }

  /** Touches an item. @returns Where its first column is. */
  touch(item: number): number {
    if (item >= this.#marks.length) this.#grow(item);
    if (this.#marks[item] === 0) {
      this.#marks[item] = 1;
      if (this.#size === this.#touched.length) this.#widen(1);
      this.#touched[this.#size++] = item;
    }
    return item * this.columns;
  }

  /** Touches the items of slots: `keys` holds their index + 1 at each of the first `count` of `slots`. */
  touchAll(keys: Uint32Array, slots: Uint32Array, count: number): void {
    let most = 0;
    for (let k = 0; k < count; k++) most = Math.max(most, keys[slots[k]!]!);
    if (most > this.#marks.length) this.#grow(most - 1);
    if (this.#size + count > this.#touched.length) this.#widen(count);
    const [marks, touched] = [this.#marks, this.#touched];
    let size = this.#size;
    // Without a branch: which items are new is chance, and a wrong guess costs more than all of this.
    for (let k = 0; k < count; k++) {
      const item = keys[slots[k]!]! - 1;
      touched[size] = item;
      size += 1 - marks[item]!;
      marks[item] = 1;
    }
    this.#size = size;
  }

  /** Adds a positive amount. */
  add(item: number, amount: number, column = 0): void {
    if (!(amount > 0)) return;
    const at = this.touch(item) + column;
    this.#values[at] = this.#values[at]! + amount;
  }

  /** Multiplies the scores of an item in all columns. */
  scale(item: number, factor: number): void {
    const at = item * this.columns;
    for (let k = at; k < at + this.columns; k++) this.#values[k] = this.#values[k]! * factor;
  }

  /** Forgets everything. */
  clear(): void {
    const { columns } = this;
    const [values, marks, touched] = [this.#values, this.#marks, this.#touched];
    for (let k = 0; k < this.#size; k++) {
      const item = touched[k]!;
      marks[item] = 0;
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
    const { columns } = this;
    const [values, touched] = [this.#values, this.#touched];
    const items: number[] = [];
    for (let k = 0; k < this.#size; k++) {
      const item = touched[k]!;
      const score = values[item * columns + column]!;
      if (score >= border && score > 0 && allowed(item)) items.push(item);
    }
    return items;
  }

  #cut(items: number[], limit: number, column: number): number[] {
    if (items.length <= limit) return items;
    const border = this.#border(items, items.length, limit, column);
    return items.filter((item) => this.get(item, column) >= border);
  }

  /**
   * The n-th largest score of items. They are counted by exponent and first bits of the mantissa, so that only those of
   * one step have to be put in order.
   */
  #border(items: ArrayLike<number>, size: number, n: number, column: number): number {
    const { columns } = this;
    const [values, sorted, upper] = [this.#values, this.#sorted, this.#upper];
    for (let k = 0; k < size; k++) sorted[k] = values[items[k]! * columns + column]!;
    let most = 0;
    for (let k = 1; k < 2 * size; k += 2) most = Math.max(most, upper[k]!);
    const counts = this.#counts.fill(0);
    const last = counts.length - 1;
    for (let k = 1; k < 2 * size; k += 2) {
      const step = Math.min(last, most - upper[k]! >>> 20 - STEP_BITS);
      counts[step] = counts[step]! + 1;
    }
    let step = 0;
    let above = 0;
    while (above + counts[step]! < n) above += counts[step++]!;
    let length = 0;
    for (let k = 0; k < size; k++) {
      if (Math.min(last, most - upper[2 * k + 1]! >>> 20 - STEP_BITS) === step) sorted[length++] = sorted[k]!;
    }
    return nthLargest(sorted, n - above, length);
  }

  #grow(item: number): void {
    const length = Math.max(2 * this.#marks.length, item + 1);
    const values = new Float64Array(length * this.columns);
    values.set(this.#values);
    this.#values = values;
    const marks = new Uint8Array(length);
    marks.set(this.#marks);
    this.#marks = marks;
  }

  /** Makes room for so many more to be touched. */
  #widen(room: number): void {
    const touched = new Uint32Array(Math.max(2 * this.#touched.length, this.#size + room));
    touched.set(this.#touched);
    this.#touched = touched;
    this.#sorted = new Float64Array(touched.length);
    this.#upper = new Uint32Array(this.#sorted.buffer);
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
