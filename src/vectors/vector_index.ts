/**
 * Search for the largest inner products among vectors that keep changing: exact up to 100,000 vectors, beyond that with
 * an inverted file (Jégou et al., "Product quantization for nearest neighbor search", 2011, without the quantization)
 * whose lists split and dissolve as vectors are added, removed and changed (as in Xu et al., "SPFresh: Incremental
 * in-place update for billion-scale vector search", 2023).
 *
 * ```text
 *   a vector is in the list whose mean is nearest      c_l = mean of the list,  σ_l² = mean |x − c_l|² / d
 *   list too long ─▶ split by 2-means                  too short ─▶ its vectors move to nearby lists
 *   vector changed 1, 2, 4, .. 64, 128, 192, .. times ─▶ it moves to the nearest of all lists
 *   one list after another ─▶ its mean is updated, and its vectors move to the nearest of 16 nearby lists
 *
 *   search: lists in descending order of q·c_l + λ |q| σ_l, until that is not above the smallest of the best scores
 * ```
 *
 * Scores are exact, because a vector changes in place in its list. Each piece of work takes about a millisecond at
 * most, and depends on the calls before it alone: same calls, same lists, same results.
 *
 * @module
 */

import { ByteReader } from "../codec/byte_reader.ts";
import { ByteWriter } from "../codec/byte_writer.ts";
import type { Kernels } from "../nn/kernels/kernels.ts";
import { BestFirst } from "./best_first.ts";
import { nthLargest } from "./nth_largest.ts";
import { Nearest } from "./nearest.ts";
import { TwoMeans } from "./two_means.ts";
import { RUN, VectorLists } from "./vector_lists.ts";

/** Up to this many vectors, a search scores all of them. */
export const EXACT = 100_000;
/** λ: how many deviations above its mean the best vector of a list is assumed to be. */
const REACH = 6;
/** A search stops once it has scored this share of the vectors. */
const SHARE = 0.2;
/** Number of nearby lists among which a vector may move without a search of all lists. */
const NEARBY = 16;
/** A list shorter than this share of the longest dissolves. */
const SHORTEST = 1 / 8;
/** Changes of a vector between two searches for its nearest list, once it has changed often. */
const CHANGES = 64;

/** Options of {@linkcode VectorIndex}. */
export interface VectorIndexOptions {
  /** Length of a vector, d. */
  readonly dimensions: number;
  /** Most vectors. */
  readonly capacity: number;
  /** Vectors up to which the search is exact. @default {EXACT} */
  readonly exact?: number;
}

/** The vectors, by place: a number below the capacity. */
export class VectorIndex {
  // d dimensions, L lists, q the query
  readonly #d: number;
  readonly #kernels: Kernels;
  readonly #lists: VectorLists;
  readonly #twoMeans: TwoMeans;
  readonly #ordered: BestFirst;
  readonly #exact: number;
  /** Whether there may be more than one list. */
  readonly #clustered: boolean;
  readonly #longest: number;
  readonly #shortest: number;
  /** c by list [L, d], |c|² / 2 and σ. */
  readonly #means: Float32Array;
  readonly #halves: Float64Array;
  readonly #deviations: Float64Array;
  /** Number of changes by place, which goes back from 128 to 64. */
  readonly #changes: Uint8Array;
  #size = 0;
  #looked = 0;
  /** Calls of {@linkcode VectorIndex.tend} since the last sweep, and the list to be swept next. */
  #waited = 0;
  #next = 0;
  /** Scratch. */
  readonly #query: Float32Array;
  readonly #sum: Float64Array;
  readonly #z: Float32Array;
  readonly #dots: Float32Array;
  readonly #near: Float32Array;
  readonly #nearby = new Uint32Array(NEARBY);
  readonly #targets: Uint32Array;
  readonly #sorted: Float64Array;
  readonly #bounds: Float64Array;
  #nearest = new Nearest(0);
  #nearestLimit = 0;

  /** Starts without vectors. @throws RangeError when the kernels' memory has no room */
  constructor(options: VectorIndexOptions, kernels: Kernels) {
    const { dimensions: d, capacity, exact = EXACT } = options;
    this.#d = d;
    this.#kernels = kernels;
    this.#exact = exact;
    this.#clustered = capacity > exact;
    const longest = this.#clustered ? 2 ** Math.max(5, Math.round(Math.log2(capacity) / 2)) : capacity;
    this.#longest = longest;
    this.#shortest = longest * SHORTEST;
    const lists = this.#clustered ? Math.ceil(capacity / this.#shortest) + 2 : 1;
    this.#lists = new VectorLists({ dimensions: d, capacity, longest: longest + 1, lists }, kernels);
    this.#means = kernels.floats(this.#clustered ? lists * d : 0);
    this.#halves = new Float64Array(lists);
    this.#deviations = new Float64Array(lists);
    this.#changes = new Uint8Array(this.#clustered ? capacity : 0);
    this.#query = kernels.floats(d);
    this.#sum = new Float64Array(d);
    const most = this.#clustered ? longest + 1 : 0;
    this.#z = kernels.floats(Math.max(RUN, most * NEARBY));
    this.#dots = kernels.floats(lists);
    this.#near = kernels.floats(NEARBY * d);
    this.#targets = new Uint32Array(most);
    this.#sorted = new Float64Array(lists);
    const halves = { dimensions: d, longest: most, shortest: 2 * this.#shortest };
    this.#twoMeans = new TwoMeans(this.#lists, halves, kernels);
    this.#ordered = new BestFirst(lists);
    this.#bounds = new Float64Array(lists);
  }

  /** Number of vectors. */
  get size(): number {
    return this.#size;
  }

  get lists(): number {
    return this.#lists.count;
  }

  /** Number of vectors that the last search scored. */
  get looked(): number {
    return this.#looked;
  }

  /** The vectors; call {@linkcode VectorIndex.changed} after changing one. */
  get values(): Float32Array {
    return this.#lists.values;
  }

  /** Where the vector of a place begins in {@linkcode VectorIndex.values}, until the next call of another method. */
  offset(place: number): number {
    return this.#lists.offset(place);
  }

  /** Adds a vector of zeros for a place that has none. O(L). */
  add(place: number): void {
    this.#size++;
    let list = 0;
    for (let l = 1; l < this.#lists.count; l++) if (this.#halves[l]! < this.#halves[list]!) list = l;
    this.#lists.add(list, place);
    if (!this.#clustered) return;
    this.#changes[place] = 0;
    this.#splitLong(list);
  }

  /** Removes the vector of a place. */
  remove(place: number): void {
    this.#size--;
    const list = this.#lists.listOf(place);
    this.#lists.remove(place);
    if (this.#clustered) this.#dissolveShort(list);
  }

  /** To be called when the vector of a place has changed. O(d · L) now and then, otherwise O(1). */
  changed(place: number): void {
    if (!this.#clustered) return;
    const changes = ++this.#changes[place]!;
    if (changes === 2 * CHANGES) this.#changes[place] = CHANGES;
    else if ((changes & changes - 1) !== 0) return;
    if (this.#lists.count > 1) this.#settle(place);
  }

  /** Maintains the lists, one at a time: to be called once per ten changes or so. */
  tend(): void {
    if (!this.#clustered || ++this.#waited < this.#longest / 4) return;
    this.#waited = 0;
    if (this.#lists.count === 1) return;
    if (this.#next >= this.#lists.count) this.#next = 0;
    this.#sweep(this.#next++);
  }

  /** The places of the `limit` largest q·x, or nearly those, with their scores; valid until the next call. */
  nearest(query: Float32Array, limit: number): Nearest {
    if (limit !== this.#nearestLimit) this.#nearest = new Nearest(this.#nearestLimit = limit);
    const nearest = this.#nearest;
    nearest.clear();
    this.#looked = 0;
    this.#query.set(query);
    const lists = this.#lists;
    if (this.#size <= this.#exact || lists.count === 1) {
      for (let list = 0; list < lists.count; list++) this.#scan(list, nearest);
    } else {
      const bounds = this.#order();
      while (this.#ordered.size > 0 && this.#looked < SHARE * this.#size) {
        const list = this.#ordered.take();
        if (bounds[list]! <= nearest.border) break;
        this.#scan(list, nearest);
        nearest.cut();
      }
    }
    nearest.cut();
    return nearest;
  }

  /** Encodes everything but the vectors: same calls, same bytes. */
  encode(): Uint8Array {
    const to = new ByteWriter().uint(this.#longest).uint(this.#waited).uint(this.#next);
    const lists = this.#lists;
    lists.encode(to);
    if (!this.#clustered) return to.toBytes();
    to.f32s(this.#means, 0, lists.count * this.#d);
    to.f64s(this.#halves.subarray(0, lists.count)).f64s(this.#deviations.subarray(0, lists.count));
    for (let list = 0; list < lists.count; list++) {
      for (let p = 0; p < lists.sizeOf(list); p++) to.u8(this.#changes[lists.placeAt(list, p)]!);
    }
    return to.toBytes();
  }

  /**
   * Restores what {@linkcode VectorIndex.encode} wrote into an index without vectors. If the longest list of the two
   * differs, the lists are rebuilt.
   *
   * @param vectors by place [size, d]
   * @throws SyntaxError when the bytes are not about these vectors
   */
  decode(bytes: Uint8Array, vectors: Float32Array): void {
    const from = new ByteReader(bytes);
    const d = this.#d;
    const vectorOf = (place: number) => vectors.subarray(place * d, (place + 1) * d);
    this.#size = vectors.length / d;
    if (from.uint() !== this.#longest) return this.#addAll(vectorOf);
    [this.#waited, this.#next] = [from.uint(), from.uint()];
    const lists = this.#lists;
    lists.decode(from, this.#size);
    for (let place = 0; place < this.#size; place++) this.values.set(vectorOf(place), lists.offset(place));
    if (!this.#clustered) return;
    this.#means.set(from.f32s(lists.count * d));
    this.#halves.set(from.f64s(lists.count));
    this.#deviations.set(from.f64s(lists.count));
    for (let list = 0; list < lists.count; list++) {
      for (let p = 0; p < lists.sizeOf(list); p++) this.#changes[lists.placeAt(list, p)] = from.u8();
    }
  }

  #addAll(vectorOf: (place: number) => Float32Array): void {
    const size = this.#size;
    this.#size = 0;
    for (let place = 0; place < size; place++) {
      this.add(place);
      this.values.set(vectorOf(place), this.offset(place));
      this.changed(place);
    }
  }

  /** Adds the scores of a list to `nearest`. */
  #scan(list: number, nearest: Nearest): void {
    const [d, lists, z] = [this.#d, this.#lists, this.#z];
    const size = lists.sizeOf(list);
    this.#looked += size;
    for (let at = 0; at < size;) {
      const [slot, length] = lists.run(list, at);
      this.#kernels.clear(z.subarray(0, length));
      this.#kernels.addYWt(z, 0, this.#query, 0, lists.values, slot * d, 1, length, d);
      for (let k = 0; k < length; k++) {
        if (z[k]! > nearest.border) nearest.add(lists.placeOf(slot + k), z[k]!);
      }
      at += length;
    }
  }

  /** Orders the lists by the score that their best vector may have, and returns these scores. */
  #order(): Float64Array {
    const [L, d, dots, bounds] = [this.#lists.count, this.#d, this.#dots, this.#bounds];
    this.#kernels.clear(dots.subarray(0, L));
    this.#kernels.addYWt(dots, 0, this.#query, 0, this.#means, 0, 1, L, d);
    let square = 0;
    for (let k = 0; k < d; k++) square += this.#query[k]! ** 2;
    const reach = REACH * Math.sqrt(square);
    for (let l = 0; l < L; l++) bounds[l] = dots[l]! + reach * this.#deviations[l]!;
    this.#ordered.begin(bounds, L);
    return bounds;
  }

  /** Moves a vector into the list whose mean is nearest. */
  #settle(place: number): void {
    const [L, lists, dots] = [this.#lists.count, this.#lists, this.#dots];
    this.#kernels.clear(dots.subarray(0, L));
    this.#kernels.addYWt(dots, 0, lists.values, lists.offset(place), this.#means, 0, 1, L, this.#d);
    const from = lists.listOf(place);
    let best = from;
    let most = dots[from]! - this.#halves[from]!;
    for (let l = 0; l < L; l++) {
      if (dots[l]! - this.#halves[l]! > most) most = dots[best = l]! - this.#halves[l]!;
    }
    if (best === from) return;
    lists.move(place, best);
    this.#splitLong(best);
    this.#dissolveShort(from);
  }

  /** Computes the mean and deviation of a list as it is now. */
  #measure(list: number): void {
    const [d, { values }] = [this.#d, this.#lists];
    const size = this.#lists.sizeOf(list);
    const sum = this.#sum.fill(0);
    let squares = 0;
    for (let p = 0; p < size;) {
      const [slot, length] = this.#lists.run(list, p);
      for (let at = slot * d; at < (slot + length) * d;) {
        for (let k = 0; k < d; k++, at++) {
          const x = values[at]!;
          sum[k] = sum[k]! + x;
          squares += x * x;
        }
      }
      p += length;
    }
    let square = 0;
    for (let k = 0; k < d; k++) {
      const mean = sum[k]! / size;
      this.#means[list * d + k] = mean;
      square += mean * mean;
    }
    this.#halves[list] = square / 2;
    this.#deviations[list] = Math.sqrt(Math.max(0, squares / size - square) / d);
  }

  /** Splits a list that is too long, by 2-means, or in the middle if that would leave a short one. */
  #splitLong(list: number): void {
    const lists = this.#lists;
    const size = lists.sizeOf(list);
    if (size <= this.#longest) return;
    this.#measure(list);
    const side = this.#twoMeans.cut(list, this.#means, list * this.#d);
    const other = lists.open();
    // From the end, so that a vector that fills a freed slot has been visited.
    for (let p = size - 1; p >= 0; p--) if (side[p] === 1) lists.move(lists.placeAt(list, p), other);
    this.#measure(list);
    this.#measure(other);
  }

  /** Measures a list again, and moves its vectors to the nearest of the nearby lists. */
  #sweep(list: number): void {
    this.#measure(list);
    this.#scatter(list, true);
    this.#dissolveShort(list);
  }

  /** Dissolves a list if it is too short. */
  #dissolveShort(list: number): void {
    const lists = this.#lists;
    if (lists.count === 1 || lists.sizeOf(list) >= this.#shortest) return;
    if (lists.sizeOf(list) > 0) this.#scatter(list, false);
    const last = lists.count - 1;
    lists.close(list);
    this.#means.copyWithin(list * this.#d, last * this.#d, (last + 1) * this.#d);
    this.#halves[list] = this.#halves[last]!;
    this.#deviations[list] = this.#deviations[last]!;
  }

  /** Moves the vectors of a list to the nearest of the nearby lists. @param mayStay whether it is one of them */
  #scatter(list: number, mayStay: boolean): void {
    const lists = this.#lists;
    const count = this.#findNearby(list, mayStay);
    const size = lists.sizeOf(list);
    const z = this.#z;
    lists.dots(list, this.#near, 0, count, z);
    for (let p = 0; p < size; p++) {
      let best = 0;
      let most = -Infinity;
      for (let n = 0; n < count; n++) {
        const score = z[p * count + n]! - this.#halves[this.#nearby[n]!]!;
        if (score > most) [best, most] = [n, score];
      }
      this.#targets[p] = this.#nearby[best]!;
    }
    for (let p = size - 1; p >= 0; p--) {
      const target = this.#targets[p]!;
      if (target === list) continue;
      lists.move(lists.placeAt(list, p), target);
      this.#splitLong(target);
    }
  }

  /** Finds the lists whose means are nearest to that of a list, and copies these means. @returns how many there are */
  #findNearby(list: number, itself: boolean): number {
    const [L, d, dots, sorted] = [this.#lists.count, this.#d, this.#dots, this.#sorted];
    this.#kernels.clear(dots.subarray(0, L));
    this.#kernels.addYWt(dots, 0, this.#means, list * d, this.#means, 0, 1, L, d);
    for (let l = 0; l < L; l++) sorted[l] = dots[l]! - this.#halves[l]!;
    if (!itself) sorted[list] = -Infinity;
    const scores = this.#bounds;
    scores.set(sorted.subarray(0, L));
    const wanted = Math.min(NEARBY, itself ? L : L - 1);
    const border = nthLargest(sorted, wanted, L);
    let count = 0;
    for (let l = 0; l < L && count < wanted; l++) {
      if (!(scores[l]! >= border)) continue;
      this.#near.set(this.#means.subarray(l * d, (l + 1) * d), count * d);
      this.#nearby[count++] = l;
    }
    return count;
  }
}
