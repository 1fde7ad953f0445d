/**
 * Item vectors learnt from what comes next, and the search of those nearest to a user: skip-grams with negative
 * samples (Mikolov et al., "Distributed representations of words and phrases and their compositionality", 2013),
 * one step a behaviour.
 *
 * ```text
 *   h   = Σ_x w_x e(i_x) / Σ_x w_x             w_x = 0.85^x · (0.2 + 0.8 · 2^(−age_x / 1 h)), the newest 20
 *   z_j = h·v(j)                                the score is e^z
 *   step: for the next item j (y = 1) and 10 that others took lately (y = 0), g = y − σ(z_j):
 *         v(j) += 0.1 · g · h,    e(i_x) += 0.2 · w_x / Σ w · Σ_j g_j v(j)
 * ```
 *
 * The search gives the 200 best: exactly with at most 100,000 items, nearly beyond (`vector_index.ts`).
 *
 * Bounds: `items` vectors (100,000). A further item takes the place of one that was not touched lately (second
 * chance). Everything is a function of the signals.
 *
 * @module
 */

import { count, natural, type OptionsOf, settle } from "../../src/options/option.ts";
import type { ByteReader } from "../../src/codec/byte_reader.ts";
import type { ByteWriter } from "../../src/codec/byte_writer.ts";
import { createKernels } from "../../src/nn/kernels/choose.ts";
import { SimdKernels } from "../../src/nn/kernels/simd.ts";
import { mulberry32 } from "../../src/draws/random.ts";
import type { Context } from "../../src/retrieval/signals/context.ts";
import type { ItemScores } from "../../src/retrieval/items/item_scores.ts";
import type { Signal } from "../../src/retrieval/signals/signal.ts";
import { EXACT, VectorIndex } from "../../src/vectors/vector_index.ts";

const NEWEST = 20;
const STEP = 0.85;
const FLOOR = 0.2;
const HALF_LIFE_MS = 3_600_000;
const NEGATIVES = 10;
const NEXT_RATE = 0.1;
const CONTEXT_RATE = 0.2;
/** Items taken lately, from which negatives are drawn. */
const RECENT = 4096;
const FOUND = 200;

/** Options of {@linkcode ItemVectors}. */
export interface ItemVectorsOptions {
  /** Length of a vector; 0 turns them off. @default {0} */
  readonly dimensions?: number | undefined;
  /** Most items with a vector. @default {100000} */
  readonly items?: number | undefined;
  /** Items up to which the search is exact. @default {100000} */
  readonly exact?: number | undefined;
}

/** The options of {@linkcode ItemVectorsOptions}. */
export const VECTORS_OPTIONS = {
  dimensions: natural(0, "length of the vectors that items get; 0 turns them off"),
  items: count(100_000, "most items with a vector"),
  exact: natural(EXACT, "items up to which the search looks at all of them"),
} satisfies OptionsOf<ItemVectorsOptions>;

/** The vectors of all items. */
export class ItemVectors {
  // d dimensions; places are numbers of vectors
  readonly #d: number;
  readonly #capacity: number;
  /** e by place, d each, and v. */
  readonly #contexts: Float32Array;
  readonly #nexts: VectorIndex;
  /** The item at a place, and whether it was touched since the hand passed. */
  readonly #items: Uint32Array;
  readonly #touched: Uint8Array;
  /** By item: its place + 1. */
  #places = new Uint32Array(256);
  #size = 0;
  #hand = 0;
  #learnt = 0;
  readonly #recent: Uint32Array;
  /** Scratch: h, its gradient, and the weights of the context. */
  readonly #h: Float32Array;
  readonly #gradient: Float32Array;
  readonly #weights = new Float64Array(NEWEST);

  /** No vectors. @throws RangeError when the kernels' memory, 1 GiB, has no room for so many. */
  constructor(options: ItemVectorsOptions = {}) {
    const { dimensions, items, exact } = settle(VECTORS_OPTIONS, options);
    this.#d = dimensions;
    this.#capacity = this.#d === 0 ? 0 : items;
    // Not the relaxed ones: vectors are the same on every machine; their lists, and what is found, are with SIMD.
    const kernels = createKernels(this.#d > 0 && SimdKernels.supported("simd") ? "simd" : "plain");
    this.#contexts = new Float32Array(this.#capacity * this.#d);
    const sizes = { dimensions: this.#d, capacity: this.#capacity, exact };
    this.#nexts = new VectorIndex(sizes, kernels);
    this.#items = new Uint32Array(this.#capacity);
    this.#touched = new Uint8Array(this.#capacity);
    this.#recent = new Uint32Array(this.#d === 0 ? 0 : RECENT);
    this.#h = new Float32Array(this.#d);
    this.#gradient = new Float32Array(this.#d);
  }

  /** Number of items that have a vector. */
  get size(): number {
    return this.#size;
  }

  /** Length of a vector; 0 when there are none. */
  get dimensions(): number {
    return this.#d;
  }

  /** A step of the signal's context towards its item. O(d), and what the index needs. */
  learn({ item, time, context }: Signal): void {
    if (this.#d === 0) return;
    const size = Math.min(NEWEST, context.size);
    const random = mulberry32(this.#learnt);
    // Places first: an item that comes may take another one's.
    for (let x = 0; x < size; x++) this.#place(context.items[x]!, random);
    const place = this.#place(item, random);
    if (this.#mix(context, time)) {
      const [d, h, gradient, index] = [this.#d, this.#h, this.#gradient.fill(0), this.#nexts];
      const nexts = index.values;
      const recent = Math.min(this.#learnt, RECENT);
      for (let n = 0; n <= NEGATIVES; n++) {
        const other = n === 0 || recent === 0 ? place : this.#recent[Math.floor(random() * recent)]!;
        if (n > 0 && other === place) continue;
        const at = index.offset(other);
        let z = 0;
        for (let k = 0; k < d; k++) z += h[k]! * nexts[at + k]!;
        const g = (n === 0 ? 1 : 0) - 1 / (1 + Math.exp(-z));
        for (let k = 0; k < d; k++) {
          gradient[k] = gradient[k]! + g * nexts[at + k]!;
          nexts[at + k] = nexts[at + k]! + NEXT_RATE * g * h[k]!;
        }
        index.changed(other);
      }
      index.tend();
      for (let x = 0; x < size; x++) {
        const at = (this.#places[context.items[x]!]! - 1) * d;
        if (at < 0) continue;
        const rate = CONTEXT_RATE * this.#weights[x]!;
        for (let k = 0; k < d; k++) this.#contexts[at + k] = this.#contexts[at + k]! + rate * gradient[k]!;
      }
    }
    this.#recent[this.#learnt++ % RECENT] = place;
  }

  /**
   * What moves u towards the next item's vector and away from those of others that were taken lately: Σ (y − σ(u·v)) v.
   *
   * @param seed of the draw of the others
   * @returns Whether the item has a vector; `into` [d] is not changed without.
   */
  pull(u: Float32Array, item: number, seed: number, into: Float32Array): boolean {
    const place = (this.#places[item] ?? 0) - 1;
    if (place < 0) return false;
    const [d, { values }] = [this.#d, this.#nexts];
    const random = mulberry32(seed);
    const recent = Math.min(this.#learnt, RECENT);
    into.fill(0);
    for (let n = 0; n <= NEGATIVES; n++) {
      const other = n === 0 ? place : this.#recent[Math.floor(random() * recent)]!;
      if (n > 0 && other === place) continue;
      const at = this.#nexts.offset(other);
      let z = 0;
      for (let k = 0; k < d; k++) z += u[k]! * values[at + k]!;
      const g = (n === 0 ? 1 : 0) - 1 / (1 + Math.exp(-z));
      for (let k = 0; k < d; k++) into[k] = into[k]! + g * values[at + k]!;
    }
    return true;
  }

  /** Adds e^z of the items nearest to what was done before. */
  score(context: Context, time: number, into: ItemScores): void {
    if (this.#size > 0 && this.#mix(context, time)) this.scoreNearest(this.#h, into);
  }

  /** Adds e^z of the items with the largest z = h·v. */
  scoreNearest(h: Float32Array, into: ItemScores): void {
    const nearest = this.#nexts.nearest(h, FOUND);
    for (let k = 0; k < nearest.size; k++) {
      into.add(this.#items[nearest.placeAt(k)]!, Math.exp(nearest.scoreAt(k)));
    }
  }

  /** Writes everything. @param rank The place of each item in the order by id. */
  encode(to: ByteWriter, rank: Uint32Array): void {
    to.uint(this.#d).uint(this.#size).uint(this.#hand).uint(this.#learnt);
    for (let place = 0; place < this.#size; place++) {
      to.uint(rank[this.#items[place]!]!).u8(this.#touched[place]!);
    }
    to.f32s(this.#contexts.subarray(0, this.#size * this.#d));
    for (let place = 0; place < this.#size; place++) {
      const at = this.#nexts.offset(place);
      to.f32s(this.#nexts.values.subarray(at, at + this.#d));
    }
    for (let k = 0; k < Math.min(this.#learnt, this.#recent.length); k++) to.uint(this.#recent[k]!);
    if (this.#d > 0) to.bytes(this.#nexts.encode());
  }

  /** Reads what {@linkcode ItemVectors.encode} wrote; vectors of another length, or too many, are left out. */
  decode(from: ByteReader, itemAt: (rank: number) => number): void {
    const [d, size, hand, learnt] = [from.uint(), from.count(), from.uint(), from.uint()];
    const items: number[] = [];
    const touched: number[] = [];
    for (let place = 0; place < size; place++) {
      items.push(itemAt(from.uint()));
      touched.push(from.u8());
    }
    const [contexts, nexts] = [from.f32s(size * d), from.f32s(size * d)];
    const recent = Array.from({ length: d === 0 ? 0 : Math.min(learnt, RECENT) }, () => from.uint());
    const index = d === 0 ? null : from.bytes();
    if (index === null || d !== this.#d || size > this.#capacity) return;
    this.#size = size;
    this.#hand = hand;
    this.#learnt = learnt;
    this.#items.set(items);
    this.#touched.set(touched);
    this.#contexts.set(contexts);
    this.#nexts.decode(index, nexts);
    this.#recent.set(recent);
    items.forEach((item, place) => this.#setPlace(item, place + 1));
  }

  /** h of a context, and the normalised weights of its behaviours. @returns Whether there is any. */
  #mix({ size, items, times }: Context, time: number): boolean {
    const [d, h, weights] = [this.#d, this.#h.fill(0), this.#weights.fill(0)];
    let sum = 0;
    for (let x = 0; x < Math.min(NEWEST, size); x++) {
      if ((this.#places[items[x]!] ?? 0) === 0) continue;
      const age = Math.max(0, time - times[x]!);
      weights[x] = STEP ** x * (FLOOR + (1 - FLOOR) * 2 ** (-age / HALF_LIFE_MS));
      sum += weights[x]!;
    }
    if (sum === 0) return false;
    for (let x = 0; x < Math.min(NEWEST, size); x++) {
      if (weights[x] === 0) continue;
      weights[x] = weights[x]! / sum;
      const at = (this.#places[items[x]!]! - 1) * d;
      for (let k = 0; k < d; k++) h[k] = h[k]! + weights[x]! * this.#contexts[at + k]!;
    }
    return true;
  }

  /** The place of an item, which gets one if it has none; it is touched. */
  #place(item: number, random: () => number): number {
    const known = this.#places[item] ?? 0;
    const place = known > 0 ? known - 1 : this.#take();
    this.#touched[place] = 1;
    if (known > 0) return place;
    this.#items[place] = item;
    this.#setPlace(item, place + 1);
    this.#nexts.add(place);
    const at = place * this.#d;
    for (let k = at; k < at + this.#d; k++) this.#contexts[k] = 0.2 * (random() - 0.5);
    return place;
  }

  /** A place that is free, or was not touched since the hand passed. */
  #take(): number {
    if (this.#size < this.#capacity) return this.#size++;
    for (;;) {
      const place = this.#hand;
      this.#hand = (this.#hand + 1) % this.#capacity;
      if (this.#touched[place] === 1) {
        this.#touched[place] = 0;
        continue;
      }
      this.#setPlace(this.#items[place]!, 0);
      this.#nexts.remove(place);
      return place;
    }
  }

  #setPlace(item: number, place: number): void {
    if (item >= this.#places.length) {
      const places = new Uint32Array(Math.max(2 * this.#places.length, item + 1));
      places.set(this.#places);
      this.#places = places;
    }
    this.#places[item] = place;
  }
}
