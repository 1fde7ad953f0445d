/**
 * Items that a user had before the behaviours that the sequence keeps: a hash of each, so that lists can leave them out
 * like those of newer behaviours.
 *
 * A hash has 24 bits: with n items, another is mistaken for one of them with probability n / 2^24, at most 0.03 %. At
 * most {@linkcode MOST_FORMER} are kept, 16 KiB; of users with more, part of the past is unknown.
 */

import type { ByteReader } from "../../codec/byte_reader.ts";
import type { ByteWriter } from "../../codec/byte_writer.ts";
import { hashString } from "../../embeddings/hash.ts";

/** Most items of a user. */
export const MOST_FORMER = 4096;
const SEED = 0x51ab7e11;
const MIN_ROOM = 16;

/** Items by hash, ascending. */
export class FormerItems {
  #hashes = new Uint32Array(MIN_ROOM);
  #size = 0;
  #behaviours = 0;

  get size(): number {
    return this.#size;
  }

  /** Number of behaviours whose items are here; several may have the same item. */
  get behaviours(): number {
    return this.#behaviours;
  }

  /** Adds the item of a behaviour that is no longer kept; a new item beyond the bound is left out. O(size) */
  add(item: string): void {
    const hash = hashOf(item);
    const place = this.#place(hash);
    if (place === this.#size || this.#hashes[place] !== hash) {
      if (this.#size >= MOST_FORMER) return;
      this.#insert(place, hash);
    }
    this.#behaviours++;
  }

  /** Whether the user had an item. O(log size) */
  has(item: string): boolean {
    const hash = hashOf(item);
    const place = this.#place(hash);
    return place < this.#size && this.#hashes[place] === hash;
  }

  encode(to: ByteWriter): void {
    to.uint(this.#behaviours).uint(this.#size);
    let before = 0;
    for (let k = 0; k < this.#size; k++) {
      to.uint(this.#hashes[k]! - before);
      before = this.#hashes[k]!;
    }
  }

  static decode(from: ByteReader): FormerItems {
    const items = new FormerItems();
    items.#behaviours = from.uint();
    items.#size = from.count();
    items.#hashes = new Uint32Array(Math.max(MIN_ROOM, items.#size));
    let hash = 0;
    for (let k = 0; k < items.#size; k++) items.#hashes[k] = hash += from.uint();
    return items;
  }

  /** The first place whose hash is not smaller. */
  #place(hash: number): number {
    let [low, high] = [0, this.#size];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#hashes[middle]! < hash) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #insert(place: number, hash: number): void {
    if (this.#size === this.#hashes.length) {
      const wider = new Uint32Array(2 * this.#size);
      wider.set(this.#hashes);
      this.#hashes = wider;
    }
    this.#hashes.copyWithin(place + 1, place, this.#size++);
    this.#hashes[place] = hash;
  }
}

function hashOf(item: string): number {
  return hashString(item, SEED) >>> 8;
}
