/**
 * A user's numbers by category or attribute value, for at most 128 keys; the least recently updated is replaced.
 *
 * They are stored in columns, so that a garbage collector visits about ten objects per user, not seven per key:
 *
 * ```text
 *   slots     "c phones" → 2   "x red" → 0   "c cases" → 1
 *   numbers   [ outcomes residual recent values valueResidual | ... ]   five per slot
 *   order     0 2 1                                                     slots, least recently updated first
 * ```
 */

import { grown } from "../values/grown.ts";

/** Most keys of a user; a further one replaces the least recently updated. */
export const MAX_KEYS = 128;
/** Offsets of the numbers of a key from the place that {@linkcode UserKeys.find} returns. */
export const KEY_NUMBERS = {
  /** Outcomes that are final. */
  outcomes: 0,
  /** Σ (y − m_item) for categories, Σ e for crosses. */
  residual: 1,
  /** Moving average of e, step 0.1. */
  recent: 2,
  /** Number of values. */
  values: 3,
  /** Σ (value − r − d_item). */
  valueResidual: 4,
} as const;
/** Numbers per key. */
const WIDTH = 5;
const FIRST_ROOM = 4;

/** Keys by `category\0<category>` and `cross:<attribute>\0<value>`, with their numbers. */
export class UserKeys {
  readonly #slots = new Map<string, number>();
  readonly #keys: string[] = [];
  #numbers: Float64Array;
  #order: Uint8Array;

  /** Starts without keys. @param room number of keys to allocate memory for */
  constructor(room: number = FIRST_ROOM) {
    this.#numbers = new Float64Array(WIDTH * room);
    this.#order = new Uint8Array(room);
  }

  get size(): number {
    return this.#keys.length;
  }

  /** The numbers of all keys; may be another array after a key was added. */
  get numbers(): Float64Array {
    return this.#numbers;
  }

  /** Where the numbers of a key begin in {@linkcode UserKeys.numbers}; −1 when there are none. */
  find(key: string): number {
    const slot = this.#slots.get(key);
    return slot === undefined ? -1 : WIDTH * slot;
  }

  /** Like {@linkcode UserKeys.find}, but marks the key as updated last, and adds a missing one with numbers of 0. */
  touch(key: string): number {
    const known = this.#slots.get(key);
    const slot = known ?? this.#add(key);
    const order = this.#order, last = this.size - 1;
    if (order[last] !== slot) {
      const place = order.indexOf(slot);
      order.copyWithin(place, place + 1, last + 1);
      order[last] = slot;
    }
    return WIDTH * slot;
  }

  /** Calls `use` with each key and where its numbers begin, least recently touched first. */
  forEach(use: (key: string, at: number) => void): void {
    for (let place = 0; place < this.size; place++) {
      const slot = this.#order[place]!;
      use(this.#keys[slot]!, WIDTH * slot);
    }
  }

  /** Assigns a slot to a new key. The slot is in the order, but not yet the last. */
  #add(key: string): number {
    if (this.size === MAX_KEYS) return this.#replaceOldest(key);
    const slot = this.size;
    if (slot === this.#order.length) this.#grow();
    this.#keys.push(key);
    this.#slots.set(key, slot);
    this.#order[slot] = slot;
    return slot;
  }

  #replaceOldest(key: string): number {
    const slot = this.#order[0]!;
    this.#slots.delete(this.#keys[slot]!);
    this.#slots.set(key, slot);
    this.#keys[slot] = key;
    this.#numbers.fill(0, WIDTH * slot, WIDTH * (slot + 1));
    return slot;
  }

  #grow(): void {
    const room = Math.min(MAX_KEYS, Math.max(FIRST_ROOM, 2 * this.#order.length));
    this.#numbers = grown(this.#numbers, new Float64Array(WIDTH * room));
    this.#order = grown(this.#order, new Uint8Array(room));
  }
}
