/**
 * Lists of vectors, each in blocks of 64 in the kernels' memory: adding, removing or moving a vector copies at most
 * two, and a list is scanned in long runs.
 *
 * ```text
 *   list 0   ■■■■ ■■■■ ■■·
 *   list 1   ■■■■ ■··                    place ─▶ slot ─▶ its floats in `values`
 * ```
 *
 * @module
 */

import type { ByteReader } from "../codec/byte_reader.ts";
import type { ByteWriter } from "../codec/byte_writer.ts";
import type { Kernels } from "../nn/kernels/kernels.ts";

/** Most slots of a run. */
export const RUN = 4096;
const SHIFT = 6;
/** Vectors of a block. */
const BLOCK = 1 << SHIFT;

/** Sizes of {@linkcode VectorLists}. */
export interface VectorListsOptions {
  /** Length of a vector, d. */
  readonly dimensions: number;
  /** Most vectors. */
  readonly capacity: number;
  /** Most vectors of a list. */
  readonly longest: number;
  /** Most lists. */
  readonly lists: number;
}

/** The vectors of places, each in one list. */
export class VectorLists {
  // d dimensions; a slot is room for one vector, a place is the number of its owner
  /** All slots, d floats each. */
  readonly values: Float32Array;
  readonly #kernels: Kernels;
  readonly #d: number;
  readonly #longest: number;
  readonly #blocksOfList: number;
  /** By place: its slot + 1; 0 = none. */
  readonly #slots: Uint32Array;
  /** By slot: the place. */
  readonly #places: Uint32Array;
  /** By block: the list. */
  readonly #lists: Uint32Array;
  /** The blocks of each list, in order. */
  readonly #blocks: Uint32Array;
  readonly #sizes: Uint32Array;
  readonly #free: Uint32Array;
  #freed = 0;
  #used = 0;
  #count = 1;

  /** Starts with one empty list. @throws RangeError when the kernels' memory has no room */
  constructor({ dimensions, capacity, longest, lists }: VectorListsOptions, kernels: Kernels) {
    const blocks = Math.ceil(capacity / BLOCK) + lists;
    this.#kernels = kernels;
    this.#d = dimensions;
    this.#longest = longest;
    this.#blocksOfList = Math.ceil(longest / BLOCK);
    this.values = kernels.floats(blocks * BLOCK * dimensions);
    this.#slots = new Uint32Array(capacity);
    this.#places = new Uint32Array(blocks * BLOCK);
    this.#lists = new Uint32Array(blocks);
    this.#blocks = new Uint32Array(lists * this.#blocksOfList);
    this.#sizes = new Uint32Array(lists);
    this.#free = new Uint32Array(blocks);
  }

  get count(): number {
    return this.#count;
  }

  /** Vectors of a list. */
  sizeOf(list: number): number {
    return this.#sizes[list]!;
  }

  /** Where the vector of a place begins in `values`, until it moves. */
  offset(place: number): number {
    return (this.#slots[place]! - 1) * this.#d;
  }

  listOf(place: number): number {
    return this.#lists[(this.#slots[place]! - 1) >>> SHIFT]!;
  }

  placeAt(list: number, position: number): number {
    return this.#places[this.#slotAt(list, position)]!;
  }

  placeOf(slot: number): number {
    return this.#places[slot]!;
  }

  /** Puts a place without a vector at the end of a list, with zeros. */
  add(list: number, place: number): void {
    const slot = this.#append(list, place);
    this.values.fill(0, slot * this.#d, (slot + 1) * this.#d);
  }

  /** Removes the vector of a place. */
  remove(place: number): void {
    this.#fill(this.#slots[place]! - 1);
    this.#slots[place] = 0;
  }

  /** Moves the vector of a place to the end of another list; the last vector of its old list takes its slot. */
  move(place: number, list: number): void {
    const from = this.#slots[place]! - 1;
    this.#copy(from, this.#append(list, place));
    this.#fill(from);
  }

  /** Opens a list. @returns its number */
  open(): number {
    return this.#count++;
  }

  /** Closes an empty list; the last list gets its number. */
  close(list: number): void {
    const last = --this.#count;
    const blocks = this.#blocks.subarray(last * this.#blocksOfList, (last + 1) * this.#blocksOfList);
    this.#blocks.set(blocks, list * this.#blocksOfList);
    this.#sizes[list] = this.#sizes[last]!;
    for (let b = 0; b << SHIFT < this.#sizes[list]!; b++) this.#lists[blocks[b]!] = list;
    this.#sizes[last] = 0;
  }

  /**
   * The run of consecutive slots of a list that begins at a position.
   *
   * @returns `[slot, length]`, the length at most {@linkcode RUN}
   */
  run(list: number, position: number): readonly [slot: number, length: number] {
    const slot = this.#slotAt(list, position);
    const end = Math.min(this.#sizes[list]!, position + RUN);
    let next = (position | BLOCK - 1) + 1;
    // Adjacent blocks form one run.
    while (next < end && this.#slotAt(list, next) === slot + next - position) next += BLOCK;
    return [slot, Math.min(next, end) - position];
  }

  /** z[p, n] = x_p · w_n for each vector x_p of a list and each of the n vectors of w from `wo` on. */
  dots(list: number, w: Float32Array, wo: number, n: number, z: Float32Array): void {
    const d = this.#d;
    const size = this.#sizes[list]!;
    this.#kernels.clear(z.subarray(0, size * n));
    for (let p = 0; p < size;) {
      const [slot, length] = this.run(list, p);
      this.#kernels.addYWt(z, p * n, this.values, slot * d, w, wo, length, n, d);
      p += length;
    }
  }

  /** Writes the places of each list, in order, without the vectors. */
  encode(to: ByteWriter): void {
    to.uint(this.#count);
    for (let list = 0; list < this.#count; list++) {
      to.uint(this.#sizes[list]!);
      for (let at = 0; at < this.#sizes[list]!; at++) to.uint(this.placeAt(list, at));
    }
  }

  /**
   * Reads what {@linkcode VectorLists.encode} wrote; these lists must be empty, and the vectors are not set.
   *
   * @throws SyntaxError when it does not have each place below `places` once
   */
  decode(from: ByteReader, places: number): void {
    const count = from.count();
    let known = 0;
    for (let list = 0; list < count; list++) {
      const size = from.count();
      for (let at = 0; at < size; at++) {
        const place = from.uint();
        if (
          place >= places || this.#slots[place] !== 0 || count > this.#sizes.length || at >= this.#longest
        ) {
          throw new SyntaxError(
            `Cannot decode lists of ${places} vectors: list ${list} has ${place} at ${at}`,
          );
        }
        this.#append(list, place);
        known++;
      }
    }
    if (known !== places) {
      throw new SyntaxError(`Cannot decode lists of ${places} vectors: they have ${known}`);
    }
    this.#count = count;
  }

  #slotAt(list: number, position: number): number {
    return (this.#blocks[list * this.#blocksOfList + (position >>> SHIFT)]! << SHIFT) +
      (position & BLOCK - 1);
  }

  #append(list: number, place: number): number {
    const at = this.#sizes[list]!++;
    if ((at & BLOCK - 1) === 0) {
      const block = this.#freed > 0 ? this.#free[--this.#freed]! : this.#used++;
      this.#blocks[list * this.#blocksOfList + (at >>> SHIFT)] = block;
      this.#lists[block] = list;
    }
    const slot = this.#slotAt(list, at);
    this.#places[slot] = place;
    this.#slots[place] = slot + 1;
    return slot;
  }

  /** Fills a freed slot with the last vector of its list. */
  #fill(slot: number): void {
    const list = this.#lists[slot >>> SHIFT]!;
    const at = --this.#sizes[list]!;
    const last = this.#slotAt(list, at);
    if ((at & BLOCK - 1) === 0) this.#free[this.#freed++] = last >>> SHIFT;
    if (last === slot) return;
    this.#copy(last, slot);
    const place = this.#places[slot] = this.#places[last]!;
    this.#slots[place] = slot + 1;
  }

  #copy(from: number, to: number): void {
    const [d, values] = [this.#d, this.values];
    for (let k = 0, a = from * d, b = to * d; k < d; k++) values[b++] = values[a++]!;
  }
}
