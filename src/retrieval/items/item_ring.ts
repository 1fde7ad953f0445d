/**
 * All items in an arbitrary order, for random draws: every item on sale becomes a candidate now and then, even without
 * any events.
 */

import { hashString } from "../../embeddings/hash.ts";
import type { Catalogue } from "../../items/catalogue.ts";

/** Places in the ring: hashes are unsigned 32-bit integers. */
const SIZE = 2 ** 32;
/** Up to this many new items are inserted one by one; with more, all are sorted again. */
const FEW = 64;

/**
 * Items by the hash of their id; the order of arrival does not matter.
 *
 * Adding costs O(1), and O(n) at the next draw, or O(n log n) after many; a draw of k items O(log n + k).
 */
export class ItemRing {
  readonly #catalogue: Catalogue;
  readonly #added: number[] = [];
  /** By index. */
  readonly #hashes = new Map<number, number>();
  #items: number[] = [];

  constructor(catalogue: Catalogue) {
    this.#catalogue = catalogue;
  }

  add(index: number): void {
    if (this.#hashes.has(index)) return;
    this.#hashes.set(index, hashString(this.#catalogue.at(index).id, 0));
    this.#added.push(index);
  }

  /** All items once, by index, from a place in [0, 1) on. */
  *from(place: number): Generator<number> {
    this.#settle();
    const { length } = this.#items;
    const start = this.#placeOf((index) => this.#hash(index) - place * SIZE);
    for (let k = 0; k < length; k++) yield this.#items[(start + k) % length]!;
  }

  #settle(): void {
    const added = this.#added.splice(0);
    if (added.length > FEW) {
      this.#items = [...this.#items, ...added].sort((a, b) => this.#compare(a, b));
      return;
    }
    for (const index of added) {
      this.#items.splice(this.#placeOf((other) => this.#compare(other, index)), 0, index);
    }
  }

  /** The first place whose item is not before what `compare` looks for. */
  #placeOf(compare: (index: number) => number): number {
    let [low, high] = [0, this.#items.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (compare(this.#items[middle]!) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #compare(a: number, b: number): number {
    return this.#hash(a) - this.#hash(b) || this.#catalogue.compare(a, b);
  }

  #hash(index: number): number {
    return this.#hashes.get(index)!;
  }
}
