/**
 * Scores by item index, summed from several sources and dropped after the request. One dense array covers the
 * catalogue, and a list names the items touched: adding is one load and one store, and clearing costs only what was
 * used.
 */

import { nthLargest } from "../../vectors/nth_largest.ts";
import { grown } from "../../values/grown.ts";

/** Scores are sorted into steps by exponent and first bits of the mantissa: bits per octave, and octaves. */
const STEP_BITS = 5;
const STEPS = 16 << STEP_BITS;

/** If at least one in this many slots has a score, all slots are cleared. */
const MANY = 4;

/** Room at first, in items: little, since a task has many of these tables and each restore makes more. */
const ROOM = 64;

/** Sparse sums over the items of a catalogue, several per item in adjacent columns. Scores are positive. */
export class ItemScores {
  readonly columns: number;
  #values: Float64Array;
  /** By item: whether it was touched. */
  #marks = new Uint8Array(ROOM);
  #touched = new Uint32Array(ROOM);
  #size = 0;
  /** Scratch of {@linkcode ItemScores.best}: scores and their upper halves, steps, places of some, and sizes of steps. */
  #picked = new Float64Array(ROOM);
  #upper = new Uint32Array(this.#picked.buffer);
  #steps = new Uint16Array(ROOM);
  #order = new Uint32Array(ROOM);
  readonly #sizes = new Uint32Array(STEPS);

  constructor(columns = 1) {
    this.columns = columns;
    this.#values = new Float64Array(ROOM * columns);
  }

  get size(): number {
    return this.#size;
  }

  /** Indices of the touched items, in no particular order; valid until the next change. */
  items(): Uint32Array {
    return this.#touched.subarray(0, this.#size);
  }

  /** Scores: those of an item begin at its index · {@linkcode ItemScores.columns}. Valid until more items are touched. */
  get values(): Float64Array {
    return this.#values;
  }

  get(item: number, column = 0): number {
    return item < this.#marks.length ? this.#values[item * this.columns + column]! : 0;
  }

  /** Writes the scores of items to `into`, 0 for those without; nothing if no item has one. @returns The largest. */
  pick(items: ArrayLike<number>, column: number, into: Float64Array): number {
    if (this.#size === 0) return 0;
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

  /**
   * Touches the items of slots: `keys` holds their index + 1 at each of the first `count` of `slots`.
   *
   * @param bound All indices are below it
   */
  touchAll(keys: Uint32Array, slots: Uint32Array, { count, bound }: { count: number; bound: number }): void {
    this.#makeRoom(bound, count);
    const [marks, touched] = [this.#marks, this.#touched];
    let size = this.#size;
    // Branch-free, because which items are new is unpredictable and a misprediction costs more than all of this.
    for (let k = 0; k < count; k++) {
      const item = keys[slots[k]!]! - 1;
      touched[size] = item;
      size += 1 - marks[item]!;
      marks[item] = 1;
    }
    this.#size = size;
  }

  /** Makes room for items with smaller indices, so that {@linkcode ItemScores.values} may be written to. */
  reserve(bound: number): void {
    if (bound > this.#marks.length) this.#grow(bound - 1);
    if (bound > this.#touched.length) this.#widen(bound);
  }

  /** Touches all items with indices below `bound` whose score was written directly. O(bound). */
  touchScored(bound: number): void {
    const { columns } = this;
    const [values, marks, touched] = [this.#values, this.#marks, this.#touched];
    let size = this.#size;
    for (let item = 0, at = 0; item < bound; item++, at += columns) {
      if (marks[item] === 1) continue;
      let sum = 0;
      for (let k = at; k < at + columns; k++) sum += values[k]!;
      if (sum === 0) continue;
      marks[item] = 1;
      touched[size++] = item;
    }
    this.#size = size;
  }

  /** Adds to the first column. */
  add(item: number, amount: number): void {
    if (!(amount > 0)) return;
    const at = this.touch(item);
    this.#values[at] = this.#values[at]! + amount;
  }

  /** Adds the same positive amount to each of these items. */
  addAll(items: readonly number[], amount: number): void {
    if (!(amount > 0)) return;
    const { columns } = this;
    this.#touchEach(items);
    const values = this.#values;
    for (let k = 0; k < items.length; k++) {
      const at = Math.imul(items[k]!, columns);
      values[at] = values[at]! + amount;
    }
  }

  /** Adds to each of these items its own positive amount. */
  addEach(items: readonly number[], amounts: readonly number[]): void {
    const { columns } = this;
    this.#touchEach(items);
    const values = this.#values;
    for (let k = 0; k < items.length; k++) {
      const at = Math.imul(items[k]!, columns);
      values[at] = values[at]! + amounts[k]!;
    }
  }

  /** Multiplies the scores of each item in all columns. */
  scaleAll(factor: (item: number) => number): void {
    const { columns } = this;
    const [values, touched] = [this.#values, this.#touched];
    for (let k = 0; k < this.#size; k++) {
      const by = factor(touched[k]!);
      const end = (touched[k]! + 1) * columns;
      for (let at = end - columns; at < end; at++) values[at] = values[at]! * by;
    }
  }

  clear(): void {
    const { columns } = this;
    const [values, marks, touched] = [this.#values, this.#marks, this.#touched];
    if (MANY * this.#size > marks.length) {
      values.fill(0);
      marks.fill(0);
      this.#size = 0;
    }
    for (let k = 0; k < this.#size; k++) {
      const item = touched[k]!;
      marks[item] = 0;
      for (let at = item * columns; at < (item + 1) * columns; at++) values[at] = 0;
    }
    this.#size = 0;
  }

  /**
   * The best `limit` allowed items of a column, in no order.
   *
   * Ties at the border are all included, so that the result does not depend on the order of the indices; only then are
   * there more than `limit`. O(size). It calls `allowed` for few more items than `limit`: it takes the best steps of
   * scores until they hold enough items, then further steps for those that were not allowed.
   */
  best(limit: number, allowed: (item: number) => boolean, column = 0): number[] {
    const touched = this.items();
    const picked = this.#picked;
    this.#findSteps(touched, column);
    const [order, sizes] = [this.#order, this.#sizes];
    const items: number[] = [];
    let step = 0;
    while (step < STEPS && items.length < limit) {
      const before = items.length;
      const from = step;
      for (let found = before; step < STEPS && found < limit; step++) found += sizes[step]!;
      const count = this.#collect(from, step, touched.length);
      for (let n = 0; n < count; n++) {
        const k = order[n]!;
        if (picked[k]! > 0 && allowed(touched[k]!)) items.push(touched[k]!);
      }
      if (items.length > limit) return this.#cut(items, before, limit, column);
    }
    return items;
  }

  /** Finds the step of each item's score, 0 the best one, and how many items each step has. */
  #findSteps(items: Uint32Array, column: number): void {
    const size = items.length;
    const [upper, steps] = [this.#upper, this.#steps];
    this.pick(items, column, this.#picked);
    let most = 0;
    for (let k = 1; k < 2 * size; k += 2) most = Math.max(most, upper[k]!);
    const sizes = this.#sizes.fill(0);
    for (let k = 0; k < size; k++) {
      const step = Math.min(STEPS - 1, most - upper[2 * k + 1]! >>> 20 - STEP_BITS);
      steps[k] = step;
      sizes[step] = sizes[step]! + 1;
    }
  }

  /** Puts the places, below `size`, whose step is in [from, to) into the scratch. @returns How many there are. */
  #collect(from: number, to: number, size: number): number {
    const [steps, order] = [this.#steps, this.#order];
    const width = to - from;
    let count = 0;
    // Branch-free, because which items are good is unpredictable.
    for (let k = 0; k < size; k++) {
      order[count] = k;
      count += steps[k]! - from >>> 0 < width ? 1 : 0;
    }
    return count;
  }

  /** The best `limit` items with ties, where the first `sure` are known to be above all others. */
  #cut(items: number[], sure: number, limit: number, column: number): number[] {
    const { columns } = this;
    const [values, sorted] = [this.#values, this.#picked];
    const { length } = items;
    for (let k = sure; k < length; k++) sorted[k - sure] = values[items[k]! * columns + column]!;
    const border = nthLargest(sorted, limit - sure, length - sure);
    let kept = sure;
    for (let k = sure; k < length; k++) {
      if (values[items[k]! * columns + column]! >= border) items[kept++] = items[k]!;
    }
    items.length = kept;
    return items;
  }

  #touchEach(items: readonly number[]): void {
    let bound = 0;
    for (let k = 0; k < items.length; k++) bound = Math.max(bound, items[k]! + 1);
    this.#makeRoom(bound, items.length);
    const [marks, touched] = [this.#marks, this.#touched];
    let size = this.#size;
    for (let k = 0; k < items.length; k++) {
      const item = items[k]!;
      touched[size] = item;
      size += 1 - marks[item]!;
      marks[item] = 1;
    }
    this.#size = size;
  }

  /** Makes room for this many more items, with indices below `bound`, so that they are touched without branches. */
  #makeRoom(bound: number, count: number): void {
    if (bound > this.#marks.length) this.#grow(bound - 1);
    if (this.#size + count > this.#touched.length) this.#widen(count);
  }

  #grow(item: number): void {
    const length = Math.max(2 * this.#marks.length, item + 1);
    this.#values = grown(this.#values, new Float64Array(length * this.columns));
    this.#marks = grown(this.#marks, new Uint8Array(length));
  }

  /** Makes room for this many more touched items. */
  #widen(room: number): void {
    const length = Math.max(2 * this.#touched.length, this.#size + room);
    this.#touched = grown(this.#touched, new Uint32Array(length));
    this.#picked = new Float64Array(length);
    this.#upper = new Uint32Array(this.#picked.buffer);
    this.#steps = new Uint16Array(length);
    this.#order = new Uint32Array(length);
  }
}
