/**
 * The neighbours of all items: one hash table per row (open addressing from item index to a few weights), with all rows
 * in one slab, so that an update touches one cache line and a row costs only its slots.
 *
 * ```text
 *   slab   │ key a b c │ key a b c │ ·           │ key a b c │ ...      words of 4 bytes; key = item index + 1, 0 = free
 *          └ row of item 7, 4 slots ─────────────────────────┘
 * ```
 *
 * The number of a row's slots is a function of its size alone.
 */

import type { ByteReader } from "../../codec/byte_reader.ts";
import type { ByteWriter } from "../../codec/byte_writer.ts";
import { nthLargest } from "../../vectors/nth_largest.ts";
import { grown } from "../../values/grown.ts";

/** Words per slot: the key and three weights. */
export const SLOT_WORDS = 4;
const HEAD_WORDS = 4;
const SLOTS = 1;
const SIZE = 2;
const MIN_SLOTS = 16;
const MIN_WORDS = 1 << 8;
/** Weight from which adding a unit loses most of its digits. */
const LARGE = 2 ** 16;

/** The order of items by id, which decides between equals. */
export type ById = (a: number, b: number) => number;

/** Items to be found in rows. */
export interface Sought {
  readonly items: Uint32Array;
  /** By key, which is the item + 1: its place in `items` + 1; 0, or beyond the end, for all others. */
  readonly places: Uint16Array;
}

/** Rows by item index. Lookups and updates are O(1). */
export class NeighbourRows {
  #keys = new Uint32Array(MIN_WORDS);
  #weights = new Float32Array(this.#keys.buffer);
  /** Words of the slab that were allocated; those in use by rows; and free blocks by their number of slots. */
  #end = 0;
  #live = 0;
  #free = new Map<number, number[]>();
  /** Four words per item: where its row begins, its slots (0 = no row), its entries, and padding. */
  #heads = new Uint32Array(64 * HEAD_WORDS);
  /** Weight from which sums are dithered, and the fraction of a float32 step that is added before rounding. */
  #large = Infinity;
  #turn = 0;
  /** Sink for what {@linkcode NeighbourRows.warm} reads, so that the loads are not optimised away. */
  #warmth = 0;
  /** Scratch of {@linkcode NeighbourRows.collect}, {@linkcode NeighbourRows.seek} and {@linkcode NeighbourRows.keep}. */
  #slots = new Uint32Array(64);
  #sought = new Uint32Array(64);
  #sorted = new Float64Array(64);

  get bytes(): number {
    return 4 * this.#live;
  }

  /** Upper bound of the indices of items with a row. */
  get bound(): number {
    return this.#heads.length / HEAD_WORDS;
  }

  /** Keys of all slots by word, valid until the next change: the item index + 1 at the first word of a slot in use. */
  get keys(): Uint32Array {
    return this.#keys;
  }

  /** Weights of all slots by word: a, b and c are the three words after the key's. */
  get weights(): Float32Array {
    return this.#weights;
  }

  has(item: number): boolean {
    return item < this.bound && this.#heads[item * HEAD_WORDS + SLOTS]! > 0;
  }

  size(item: number): number {
    return item < this.bound ? this.#heads[item * HEAD_WORDS + SIZE]! : 0;
  }

  /** A copy of the rows, to be read. */
  clone(): NeighbourRows {
    const clone = new NeighbourRows();
    clone.#keys = this.#keys.slice(0, this.#end);
    clone.#weights = new Float32Array(clone.#keys.buffer);
    clone.#heads = this.#heads.slice();
    return clone;
  }

  /** First word of an item's row. */
  begin(item: number): number {
    return item < this.bound ? this.#heads[item * HEAD_WORDS]! : 0;
  }

  /** The word after an item's row. */
  end(item: number): number {
    if (item >= this.bound) return 0;
    const head = item * HEAD_WORDS;
    return this.#heads[head]! + SLOT_WORDS * this.#heads[head + SLOTS]!;
  }

  /** The first words of the slots that {@linkcode NeighbourRows.collect} found. */
  get slots(): Uint32Array {
    return this.#slots;
  }

  /**
   * Finds the used slots of an item's row and puts their first words into {@linkcode NeighbourRows.slots}, valid until
   * the next call.
   *
   * @returns How many there are.
   */
  collect(item: number): number {
    const [begin, end] = [this.begin(item), this.end(item)];
    if (end - begin > SLOT_WORDS * this.#slots.length) {
      this.#slots = new Uint32Array(2 * (end - begin) / SLOT_WORDS);
    }
    const [keys, slots] = [this.#keys, this.#slots];
    let size = 0;
    // Branch-free, because which slots are free is unpredictable.
    for (let at = begin; at < end; at += SLOT_WORDS) {
      slots[size] = at;
      size += Math.min(keys[at]!, 1);
    }
    return size;
  }

  /** By slot that {@linkcode NeighbourRows.seek} found: the place of its item. */
  get sought(): Uint32Array {
    return this.#sought;
  }

  /**
   * Finds items in a row, and puts the first words of their slots into {@linkcode NeighbourRows.slots}, valid until the
   * next call. Goes through the row, or looks the items up if they are fewer.
   *
   * @returns How many were found.
   */
  seek(item: number, { items, places }: Sought): number {
    if (!this.has(item)) return 0;
    const most = Math.min(this.size(item), items.length);
    if (most >= this.#slots.length) this.#slots = new Uint32Array(2 * most);
    if (most >= this.#sought.length) this.#sought = new Uint32Array(2 * most);
    const [keys, slots, sought] = [this.#keys, this.#slots, this.#sought];
    const [begin, end] = [this.begin(item), this.end(item)];
    let found = 0;
    if (this.size(item) > items.length) {
      const mask = end - begin - 1;
      for (let i = 0; i < items.length; i++) {
        const key = items[i]! + 1;
        let offset = homeOf(items[i]!) & mask;
        let own = keys[begin + offset]!;
        while (own !== 0 && own !== key) {
          offset = offset + SLOT_WORDS & mask;
          own = keys[begin + offset]!;
        }
        // Branch-free, because which items are found is unpredictable.
        slots[found] = begin + offset;
        sought[found] = i;
        found += Math.min(own, 1);
      }
      return found;
    }
    const bound = places.length;
    for (let at = begin; at < end; at += SLOT_WORDS) {
      const key = keys[at]!;
      // Free slots are not told from others: which are free is unpredictable.
      const place = key < bound ? places[key]! : 0;
      if (place === 0) continue;
      slots[found] = at;
      sought[found++] = place - 1;
    }
    return found;
  }

  /** A weight (0, 1, 2) of an entry; 0 if the entry is missing. */
  get(item: number, other: number, which: number): number {
    if (!this.has(item)) return 0;
    const at = this.#find(item, other);
    return this.#keys[at] === 0 ? 0 : this.#weights[at + 1 + which]!;
  }

  /** Copies a weight of the entries of `others[from .. end)` in an item's row to `into`, from `at` on; 0 if missing. */
  copy(
    item: number,
    { others, from, end }: { readonly others: Uint32Array; readonly from: number; readonly end: number },
    which: number,
    into: Float64Array,
    at: number,
  ): void {
    if (!this.has(item)) {
      into.fill(0, at, at + end - from);
      return;
    }
    const keys = this.#keys;
    const begin = this.begin(item);
    const mask = this.end(item) - begin - 1;
    // As in `warm`: these loads do not wait for each other.
    let sum = 0;
    for (let k = from; k < end; k++) sum += keys[begin + (homeOf(others[k]!) & mask)]!;
    this.#warmth = sum;
    for (let k = from; k < end; k++, at++) {
      const slot = this.#find(item, others[k]!);
      into[at] = keys[slot] === 0 ? 0 : this.#weights[slot + 1 + which]!;
    }
  }

  /** Makes an empty row for an item that has none. */
  ensure(item: number): void {
    if (item >= this.bound) {
      const items = Math.max(2 * this.bound, item + 1);
      this.#heads = grown(this.#heads, new Uint32Array(HEAD_WORDS * items));
    }
    const head = item * HEAD_WORDS;
    if (this.#heads[head + SLOTS]! > 0) return;
    this.#heads[head] = this.#take(MIN_SLOTS);
    this.#heads[head + SLOTS] = MIN_SLOTS;
  }

  /**
   * Touches the slots of an item's entries in other rows, and of theirs in its own, before they are searched: these
   * loads are independent, so their cache misses overlap.
   */
  warm(item: number, others: Uint32Array, count: number): void {
    const [heads, keys] = [this.#heads, this.#keys];
    const bound = this.bound;
    const own = item < bound ? item * HEAD_WORDS : 0;
    const begin = heads[own]!;
    const mask = Math.max(0, SLOT_WORDS * heads[own + SLOTS]! - 1);
    const place = homeOf(item);
    let sum = 0;
    for (let k = 0; k < count; k++) {
      const other = others[k]!;
      if (other >= bound) continue;
      const head = other * HEAD_WORDS;
      const theirs = Math.max(0, SLOT_WORDS * heads[head + SLOTS]! - 1);
      sum += keys[begin + (homeOf(other) & mask)]! + keys[heads[head]! + (place & theirs)]!;
    }
    this.#warmth = sum;
  }

  /**
   * Sets the signal that is counted next, and the unit that it adds. Adding a unit to a large float32 may round back to
   * the same number every time, so sums are rounded up or down in turn, and on average nothing is lost. The turns are
   * multiples of the golden ratio, which are spread evenly whatever the period of a stream.
   */
  turn(signal: number, unit: number): void {
    this.#large = LARGE * unit;
    this.#turn = (Math.imul(signal, 0x9e3779b1) >>> 0) / 2 ** 32;
  }

  /** Adds to the weights of an entry of an item's row, which must exist. @returns Whether the entry is new. */
  add(item: number, other: number, a: number, b: number, c: number): boolean {
    let at = this.#find(item, other);
    const isNew = this.#keys[at] === 0;
    if (isNew) at = this.#insert(item, other, at);
    const weights = this.#weights;
    weights[at + 1] = this.#sum(weights[at + 1]!, a);
    weights[at + 2] = this.#sum(weights[at + 2]!, b);
    weights[at + 3] = this.#sum(weights[at + 3]!, c);
    return isNew;
  }

  /** Multiplies all weights; a power of two changes no digit. */
  scale(factor: number): void {
    for (let at = 0; at < this.#end; at += SLOT_WORDS) {
      for (let k = 1; k < SLOT_WORDS; k++) this.#weights[at + k] = this.#weights[at + k]! * factor;
    }
  }

  /**
   * Keeps the entries of an item's row with the largest first weights; among equals those that come first by id.
   *
   * @param size Number of entries to keep, fewer than there are
   */
  keep(item: number, size: number, byId: ById): void {
    const found = this.collect(item);
    const [keys, weights, slots] = [this.#keys, this.#weights, this.#slots];
    if (this.#sorted.length < found) this.#sorted = new Float64Array(2 * found);
    for (let k = 0; k < found; k++) this.#sorted[k] = weights[slots[k]! + 1]!;
    const border = nthLargest(this.#sorted, size, found);
    const equal: number[] = [];
    let room = size;
    for (let k = 0; k < found; k++) {
      const at = slots[k]!, weight = weights[at + 1]!;
      if (weight > border) room--;
      else if (weight === border) equal.push(at);
      else keys[at] = 0;
    }
    for (const at of equal.sort((a, b) => byId(keys[a]! - 1, keys[b]! - 1)).slice(room)) keys[at] = 0;
    this.#heads[item * HEAD_WORDS + SIZE] = size;
    let length = MIN_SLOTS;
    while (4 * size > 3 * length) length *= 2;
    this.#rehash(item, length);
  }

  remove(item: number): void {
    if (!this.has(item)) return;
    const head = item * HEAD_WORDS;
    this.#release(this.#heads[head]!, this.#heads[head + SLOTS]!);
    this.#heads.fill(0, head, head + HEAD_WORDS);
  }

  /** Writes the entries of an item's row, with the first `weights` weights of each. @param rank Places of items by id. */
  encodeRow(to: ByteWriter, item: number, rank: Uint32Array, weights: number): void {
    const [keys, values] = [this.#keys, this.#weights];
    const found = this.collect(item);
    const slots = this.#slots.slice(0, found).sort((a, b) => rank[keys[a]! - 1]! - rank[keys[b]! - 1]!);
    to.uint(slots.length);
    for (const at of slots) {
      to.uint(rank[keys[at]! - 1]!);
      for (let k = 1; k <= weights; k++) to.f32(values[at + k]!);
    }
  }

  /** Reads what {@linkcode NeighbourRows.encodeRow} wrote into the item's row. @param itemAt The item of a place. */
  decodeRow(from: ByteReader, item: number, itemAt: (rank: number) => number, weights: number): void {
    this.ensure(item);
    const amounts: [number, number, number] = [0, 0, 0];
    for (let left = from.count(); left > 0; left--) {
      const other = itemAt(from.uint());
      for (let k = 0; k < weights; k++) amounts[k] = from.f32();
      this.add(item, other, ...amounts);
    }
  }

  #sum(weight: number, amount: number): number {
    const sum = weight + amount;
    if (sum < this.#large) return sum;
    const step = 2 ** (Math.floor(Math.log2(sum)) - 23);
    return Math.floor(sum / step + this.#turn) * step;
  }

  #find(item: number, other: number): number {
    const head = item * HEAD_WORDS;
    const begin = this.#heads[head]!;
    const mask = SLOT_WORDS * this.#heads[head + SLOTS]! - 1;
    const keys = this.#keys;
    const key = other + 1;
    let offset = homeOf(other) & mask;
    for (let found = keys[begin + offset]; found !== 0 && found !== key; found = keys[begin + offset]) {
      offset = offset + SLOT_WORDS & mask;
    }
    return begin + offset;
  }

  /** Uses the free slot at `at`, or one in a larger row. @returns Where the slot is */
  #insert(item: number, other: number, at: number): number {
    const head = item * HEAD_WORDS;
    const size = this.#heads[head + SIZE]! + 1;
    const slots = this.#heads[head + SLOTS]!;
    if (4 * size > 3 * slots) {
      this.#rehash(item, 2 * slots);
      at = this.#find(item, other);
    }
    this.#keys[at] = other + 1;
    this.#heads[head + SIZE] = size;
    return at;
  }

  /** Moves a row into another block with this many slots. */
  #rehash(item: number, slots: number): void {
    const to = this.#take(slots);
    const head = item * HEAD_WORDS;
    const from = this.#heads[head]!;
    const before = this.#heads[head + SLOTS]!;
    this.#heads[head] = to;
    this.#heads[head + SLOTS] = slots;
    const [keys, weights] = [this.#keys, this.#weights];
    const end = from + SLOT_WORDS * before;
    for (let at = from; at < end; at += SLOT_WORDS) {
      const key = keys[at]!;
      if (key === 0) continue;
      const slot = this.#find(item, key - 1);
      keys[slot] = key;
      weights[slot + 1] = weights[at + 1]!;
      weights[slot + 2] = weights[at + 2]!;
      weights[slot + 3] = weights[at + 3]!;
    }
    this.#release(from, before);
  }

  /** Allocates an empty block; rows may move. @returns Its first word */
  #take(slots: number): number {
    const words = SLOT_WORDS * slots;
    let begin = this.#free.get(slots)?.pop();
    if (begin === undefined) {
      if (this.#end + words > this.#keys.length) this.#makeRoom(words);
      begin = this.#end;
      this.#end += words;
    }
    this.#live += words;
    return begin;
  }

  /** Frees a block and clears it. */
  #release(begin: number, slots: number): void {
    this.#keys.fill(0, begin, begin + SLOT_WORDS * slots);
    this.#live -= SLOT_WORDS * slots;
    const free = this.#free.get(slots);
    if (free === undefined) this.#free.set(slots, [begin]);
    else free.push(begin);
  }

  /** Moves all rows together if more than a quarter of the slab is free; otherwise the slab grows by half. */
  #makeRoom(words: number): void {
    const isSparse = this.#end - this.#live > this.#keys.length >> 2;
    if (isSparse && this.#live + words <= this.#keys.length) return this.#moveTogether();
    const length = Math.max(Math.ceil(1.5 * this.#keys.length), this.#end + words);
    this.#keys = grown(this.#keys, new Uint32Array(length));
    this.#weights = new Float32Array(this.#keys.buffer);
  }

  /** Moves all rows to the beginning of the slab, in place: a second slab would double its memory. */
  #moveTogether(): void {
    const items: number[] = [];
    for (let item = 0; item < this.bound; item++) if (this.has(item)) items.push(item);
    let end = 0;
    for (const item of items.sort((a, b) => this.begin(a) - this.begin(b))) {
      const from = this.begin(item), until = this.end(item);
      this.#keys.copyWithin(end, from, until);
      this.#heads[item * HEAD_WORDS] = end;
      end += until - from;
    }
    this.#keys.fill(0, end, this.#end);
    this.#end = end;
    this.#free = new Map();
  }
}

/** Where the search for an item's entry starts, before reduction to the length of the row. */
function homeOf(item: number): number {
  return Math.imul(item, 0x9e3779b1) >>> 5 & -SLOT_WORDS;
}
