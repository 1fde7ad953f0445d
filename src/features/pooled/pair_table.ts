/**
 * Numbers by pair of names, within a budget of bytes: a hash table of buckets of eight entries.
 *
 * ```text
 *   keys     │ key │ key │ ·   │ ...                                                               a bucket is 32 bytes
 *   numbers  │ count, weight, forth, back, product, square, square of the other │ ...              28 bytes per entry
 * ```
 *
 * A name is represented by its 32-bit hash, a pair by the hash of both, the smaller first. The table contains no item
 * indices, so the same additions give the same table in any process. Pairs with the same hash share their numbers; with
 * a million pairs, one look-up in 4,000 returns those of another pair.
 *
 * Bounds: a full bucket makes the table grow until the budget is reached. After that, a new pair replaces the one with
 * the smallest count in its bucket, the first among equals, and the others lose a sixteenth of all their numbers, so
 * that old counts protect none of them for ever. Every operation is O(1), except growing: O(1) per entry.
 */

import type { ByteReader } from "../../codec/byte_reader.ts";
import type { ByteWriter } from "../../codec/byte_writer.ts";
import { mix } from "../../embeddings/hash.ts";
import { inPortions, type Portions, timesInPortions } from "../../values/portions.ts";

/** How often the pair occurred. */
export const COUNT = 0;
/** Sum of decayed weights. */
export const WEIGHT = 1;
/** How often the second name came right after the first. */
export const FORTH = 2;
/** How often the first came right after the second. */
export const BACK = 3;
/** Sum of the products of strengths. */
export const PRODUCT = 4;
/** Sum of the squares of the first one's strengths. */
export const SQUARE = 5;
/** Sum of the squares of the second one's. */
export const OTHER_SQUARE = 6;

const WORDS = 7;
const WAYS = 8;
const MIN_BUCKETS = 8;
/** The share of its numbers that an entry keeps when another of its bucket is evicted. */
const KEPT = 15 / 16;
/** Numbers in a cache line. */
const LINE_WORDS = 16;
const ENTRY_BYTES = 4 * (1 + WORDS);

export const MIN_TABLE_BYTES: number = MIN_BUCKETS * WAYS * ENTRY_BYTES;

/** The key of a pair of names, in either order; a name may be paired with itself. Never 0. */
export function pairKey(a: number, b: number): number {
  const key = a < b ? mix(mix(a) + Math.imul(b, 0x9e3779b1)) : mix(mix(b) + Math.imul(a, 0x9e3779b1));
  return key === 0 ? 1 : key;
}

export class PairTable {
  readonly #budget: number;
  #keys = new Uint32Array(0);
  #numbers = new Float32Array(0);
  #size = 0;
  /** Sum of what {@linkcode PairTable.warm} read: unused, but it keeps the reads from being optimised away. */
  #warmth = 0;

  /** An empty table. @param budget Most bytes; less than {@linkcode MIN_TABLE_BYTES} counts as that */
  constructor(budget: number) {
    this.#budget = budget;
    this.#makeRoom(MIN_BUCKETS * WAYS);
  }

  clone(): PairTable {
    const clone = new PairTable(this.#budget);
    clone.#keys = this.#keys.slice();
    clone.#numbers = this.#numbers.slice();
    clone.#size = this.#size;
    return clone;
  }

  get bytes(): number {
    return ENTRY_BYTES * this.#keys.length;
  }

  get size(): number {
    return this.#size;
  }

  /** Numbers of all entries, each at the place of its entry plus `COUNT`, `WEIGHT`, … Valid until the next `add`. */
  get numbers(): Float32Array {
    return this.#numbers;
  }

  /**
   * Touches the buckets of pairs before they are searched: these loads are independent, so their cache misses overlap.
   *
   * @param pairs Keys, of which the first `count` are read
   */
  warm(pairs: Uint32Array, count: number): void {
    const keys = this.#keys;
    let sum = 0;
    for (let k = 0; k < count; k++) sum += keys[(WAYS * pairs[k]!) & (keys.length - 1)]!;
    this.#warmth = sum;
  }

  /** The place of a pair; −1 = it is not in the table. */
  find(key: number): number {
    const keys = this.#keys;
    const start = (WAYS * key) & (keys.length - 1);
    for (let slot = start; slot < start + WAYS; slot++) if (keys[slot] === key) return WORDS * slot;
    return -1;
  }

  /** Finds the places of many pairs, and touches their numbers: these loads are independent, so their misses overlap. */
  findAll(pairs: Uint32Array, count: number, places: Int32Array): void {
    this.warm(pairs, count);
    const numbers = this.#numbers;
    let sum = 0;
    for (let k = 0; k < count; k++) {
      const at = places[k] = this.find(pairs[k]!);
      sum += numbers[Math.max(0, at)]!;
    }
    this.#warmth = sum;
  }

  /**
   * Touches what adding pairs reads and changes: their numbers, and those of whole buckets in which one is missing, as
   * another may be evicted there. These loads are independent, so their misses overlap.
   */
  warmAll(pairs: Uint32Array, count: number): void {
    this.warm(pairs, count);
    const [keys, numbers] = [this.#keys, this.#numbers];
    let sum = 0;
    for (let k = 0; k < count; k++) {
      const at = this.find(pairs[k]!);
      if (at >= 0) sum += numbers[at]!;
      else {
        const first = WORDS * ((WAYS * pairs[k]!) & (keys.length - 1));
        for (let line = 0; line < WAYS * WORDS; line += LINE_WORDS) sum += numbers[first + line]!;
      }
    }
    this.#warmth = sum;
  }

  /** The place of a pair, which is added if it is missing. */
  add(key: number): number {
    for (;;) {
      const keys = this.#keys;
      const start = (WAYS * key) & (keys.length - 1);
      for (let slot = start; slot < start + WAYS; slot++) {
        if (keys[slot] === key) return WORDS * slot;
        if (keys[slot] === 0) {
          keys[slot] = key;
          this.#size++;
          return WORDS * slot;
        }
      }
      if (2 * this.bytes > this.#budget) return this.#evict(start, key);
      this.#grow();
    }
  }

  /** Adds to a number of a pair, which is added if it is missing. */
  increase(key: number, number: number, by: number): void {
    const at = this.add(key) + number;
    this.#numbers[at] = this.#numbers[at]! + by;
  }

  /** A number of a pair; 0 if the pair is not in the table. */
  get(key: number, number: number): number {
    const at = this.find(key);
    return at < 0 ? 0 : this.#numbers[at + number]!;
  }

  /** Writes everything: same pairs, same bytes. */
  *encode(to: ByteWriter): Portions {
    const keys = this.#keys;
    to.uint(keys.length).uint(this.#size);
    let before = 0;
    yield* inPortions(keys.keys(), (slot) => {
      if (keys[slot] === 0) return;
      const at = WORDS * slot;
      to.uint(slot - before).uint(keys[slot]!).f32s(this.#numbers, at, at + WORDS);
      before = slot;
    });
  }

  /**
   * Reads what {@linkcode PairTable.encode} wrote; a table beyond the budget stays as large as it is.
   *
   * @throws SyntaxError when the bytes are not a table
   */
  *decode(from: ByteReader): Portions {
    const slots = from.uint();
    if (!(slots >= MIN_BUCKETS * WAYS && slots <= 2 ** 26 && Number.isInteger(Math.log2(slots)))) {
      throw new SyntaxError(`Cannot decode a table of pairs: current number of entries is ${slots}`);
    }
    this.#makeRoom(slots);
    this.#size = from.count();
    let slot = 0;
    yield* timesInPortions(this.#size, () => {
      slot += from.uint();
      const key = from.uint();
      if (slot >= slots || ((WAYS * key) & (slots - 1)) !== slot - slot % WAYS) {
        throw new SyntaxError(`Cannot decode a table of pairs: the entry at ${slot} is in the wrong bucket`);
      }
      this.#keys[slot] = key;
      this.#numbers.set(from.f32s(WORDS), WORDS * slot);
    });
  }

  #makeRoom(slots: number): void {
    this.#keys = new Uint32Array(slots);
    this.#numbers = new Float32Array(WORDS * slots);
  }

  #evict(start: number, key: number): number {
    const numbers = this.#numbers;
    let least = start;
    for (let slot = start + 1; slot < start + WAYS; slot++) {
      if (numbers[WORDS * slot + COUNT]! < numbers[WORDS * least + COUNT]!) least = slot;
    }
    const end = WORDS * (start + WAYS);
    for (let at = WORDS * start; at < end; at++) numbers[at] = KEPT * numbers[at]!;
    numbers.fill(0, WORDS * least, WORDS * (least + 1));
    this.#keys[least] = key;
    return WORDS * least;
  }

  #grow(): void {
    const [keys, numbers] = [this.#keys, this.#numbers];
    this.#makeRoom(2 * keys.length);
    this.#size = 0;
    for (let slot = 0; slot < keys.length; slot++) {
      // The entries of one bucket are divided between two, so there is room.
      if (keys[slot] === 0) continue;
      const to = this.add(keys[slot]!);
      for (let i = 0; i < WORDS; i++) this.#numbers[to + i] = numbers[WORDS * slot + i]!;
    }
  }
}
