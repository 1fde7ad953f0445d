/**
 * The neighbours of one item: open addressing from item index to a few weights, in typed arrays.
 *
 * @module
 */

/** Weights an entry has. */
export const WEIGHTS = 3;
/** Bytes of a slot: a key and its weights. */
export const SLOT_BYTES: number = 4 + 4 * WEIGHTS;

const MIN_SLOTS = 8;

/** Items with weights. Lookups and updates are O(1). */
export class NeighbourRow {
  /** Item index + 1 by slot; 0 = empty. */
  #keys = new Uint32Array(MIN_SLOTS);
  /** {@linkcode WEIGHTS} a slot. */
  #weights = new Float32Array(MIN_SLOTS * WEIGHTS);
  #size = 0;

  /** Number of entries. */
  get size(): number {
    return this.#size;
  }

  /** Bytes held. */
  get bytes(): number {
    return this.#keys.length * SLOT_BYTES;
  }

  /** Number of slots; {@linkcode NeighbourRow.key} says which of them are in use. */
  get slots(): number {
    return this.#keys.length;
  }

  /** The item in a slot, or −1. */
  key(slot: number): number {
    return this.#keys[slot]! - 1;
  }

  /** A weight of the entry in a slot. */
  weight(slot: number, which: number): number {
    return this.#weights[slot * WEIGHTS + which]!;
  }

  /** A weight of an item; 0 when it is no neighbour. */
  get(item: number, which: number): number {
    const slot = this.#find(item);
    return this.#keys[slot] === 0 ? 0 : this.#weights[slot * WEIGHTS + which]!;
  }

  /** Adds to the weights of an item. */
  add(item: number, a: number, b: number, c: number): void {
    let slot = this.#find(item);
    if (this.#keys[slot] === 0) {
      if (4 * (this.#size + 1) > 3 * this.#keys.length) {
        this.#rehash(2 * this.#keys.length);
        slot = this.#find(item);
      }
      this.#keys[slot] = item + 1;
      this.#size++;
    }
    const at = slot * WEIGHTS;
    const weights = this.#weights;
    weights[at] = weights[at]! + a;
    weights[at + 1] = weights[at + 1]! + b;
    weights[at + 2] = weights[at + 2]! + c;
  }

  /** Multiplies all weights; a power of two changes no digit. */
  scale(factor: number): void {
    for (let k = 0; k < this.#weights.length; k++) this.#weights[k] = this.#weights[k]! * factor;
  }

  /** Keeps the entries that `keep` says yes to. The slots are a function of the size alone, as they are when it grows. */
  retain(keep: (slot: number) => boolean): void {
    for (let slot = 0; slot < this.#keys.length; slot++) {
      if (this.#keys[slot] === 0 || keep(slot)) continue;
      this.#keys[slot] = 0;
      this.#size--;
    }
    let slots = MIN_SLOTS;
    while (4 * this.#size > 3 * slots) slots *= 2;
    this.#rehash(slots);
  }

  #find(item: number): number {
    const mask = this.#keys.length - 1;
    let slot = Math.imul(item, 0x9e3779b1) >>> 7 & mask;
    while (this.#keys[slot] !== 0 && this.#keys[slot] !== item + 1) slot = (slot + 1) & mask;
    return slot;
  }

  #rehash(slots: number): void {
    const keys = this.#keys;
    const weights = this.#weights;
    this.#keys = new Uint32Array(slots);
    this.#weights = new Float32Array(slots * WEIGHTS);
    for (let slot = 0; slot < keys.length; slot++) {
      if (keys[slot] === 0) continue;
      const to = this.#find(keys[slot]! - 1);
      this.#keys[to] = keys[slot]!;
      this.#weights.set(weights.subarray(slot * WEIGHTS, (slot + 1) * WEIGHTS), to * WEIGHTS);
    }
  }
}
