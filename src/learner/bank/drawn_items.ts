/**
 * Draws negatives for the item that came next: half of them by recent frequency, half uniformly among the recent items,
 * so that both popular and rare items are pushed down where they do not belong.
 */

import type { ByteReader } from "../../codec/byte_reader.ts";
import type { ByteWriter } from "../../codec/byte_writer.ts";
import { times } from "../../values/times.ts";

/** Share of the draws that are uniform over items. */
const EVEN = 0.5;

/** The newest items, with how often each occurred. Memory: 4 bytes per occurrence, about 100 per distinct item. */
export class DrawnItems {
  readonly #ring: Uint32Array;
  #size = 0;
  #next = 0;
  readonly #numbers = new Map<string, number>();
  /** Ids by number; undefined when it is free. */
  #ids: (string | undefined)[] = [];
  readonly #free: number[] = [];
  /** By number: occurrences in the ring, and the place among the distinct items. */
  readonly #counts: number[] = [];
  readonly #places: number[] = [];
  readonly #distinct: number[] = [];

  /** Remembers the newest `capacity` items. */
  constructor(capacity: number) {
    this.#ring = new Uint32Array(capacity);
  }

  /** Number of items that can be drawn. */
  get distinct(): number {
    return this.#distinct.length;
  }

  /** Adds the newest item, in place of the oldest once there are `capacity`. */
  update(id: string): void {
    if (this.#size === this.#ring.length) this.#drop(this.#ring[this.#next]!);
    else this.#size++;
    this.#ring[this.#next] = this.#take(id);
    this.#next = (this.#next + 1) % this.#ring.length;
  }

  /**
   * Draws the number of an item, with replacement; there must be at least one item.
   *
   * @param random uniform in [0, 1)
   */
  draw(random: () => number): number {
    return random() < EVEN
      ? this.#distinct[Math.floor(random() * this.#distinct.length)]!
      : this.#ring[Math.floor(random() * this.#size)]!;
  }

  /** The id of an item that was drawn since the last update. */
  id(number: number): string {
    return this.#ids[number]!;
  }

  probability(number: number): number {
    return EVEN / this.#distinct.length + (1 - EVEN) * this.#counts[number]! / this.#size;
  }

  encode(to: ByteWriter): void {
    to.uint(this.#distinct.length);
    const rank = new Map(this.#distinct.map((number, at) => [number, at]));
    for (const number of this.#distinct) to.string(this.#ids[number]!);
    to.uint(this.#size).uint(this.#next);
    for (let n = 0; n < this.#size; n++) to.uint(rank.get(this.#ring[n]!)!);
  }

  /**
   * Reads what {@linkcode DrawnItems.encode} wrote; it replaces the present state.
   *
   * @throws SyntaxError when it is of another capacity
   */
  decode(from: ByteReader): void {
    this.#numbers.clear();
    for (const list of [this.#free, this.#counts, this.#places, this.#distinct]) list.length = 0;
    this.#ids = times(from.count(), () => from.string());
    for (const [number, id] of this.#ids.entries()) {
      this.#numbers.set(id!, number);
      this.#counts[number] = 0;
      this.#places[number] = this.#distinct.push(number) - 1;
    }
    [this.#size, this.#next] = [from.uint(), from.uint()];
    if (this.#size > this.#ring.length || this.#next >= this.#ring.length) {
      throw new SyntaxError(`Cannot decode drawn items: ${this.#size} exceed a ring of ${this.#ring.length}`);
    }
    for (let n = 0; n < this.#size; n++) {
      const number = this.#ring[n] = from.uint();
      const count = this.#counts[number];
      if (count === undefined) throw new SyntaxError(`Cannot decode drawn items: there is no item ${number}`);
      this.#counts[number] = count + 1;
    }
  }

  #take(id: string): number {
    const known = this.#numbers.get(id);
    if (known !== undefined) {
      this.#counts[known]!++;
      return known;
    }
    const number = this.#free.pop() ?? this.#ids.length;
    this.#ids[number] = id;
    this.#numbers.set(id, number);
    this.#counts[number] = 1;
    this.#places[number] = this.#distinct.push(number) - 1;
    return number;
  }

  #drop(number: number): void {
    if (--this.#counts[number]! > 0) return;
    this.#numbers.delete(this.#ids[number]!);
    this.#ids[number] = undefined;
    this.#free.push(number);
    const [place, last] = [this.#places[number]!, this.#distinct.pop()!];
    if (last === number) return;
    this.#distinct[place] = last;
    this.#places[last] = place;
  }
}
