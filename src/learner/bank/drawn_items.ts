/**
 * Items to draw against the one that came: half by how often each came of late, half evenly among those, so that
 * popular items are pushed down where they do not belong, and rare ones are, too.
 *
 * @module
 */

import type { ByteReader } from "../../codec/byte_reader.ts";
import type { ByteWriter } from "../../codec/byte_writer.ts";

/** Share of the draws that are even among items. */
const EVEN = 0.5;

/** The newest items that came, and how often each did. Memory: 4 bytes per newest item, some 100 per distinct one. */
export class DrawnItems {
  /** Numbers of the newest items; a ring. */
  readonly #ring: Uint32Array;
  #size = 0;
  #next = 0;
  readonly #numbers = new Map<string, number>();
  /** By number; undefined when it is free. */
  #ids: (string | undefined)[] = [];
  readonly #free: number[] = [];
  /** By number: how often it is in the ring, and its place among the distinct ones. */
  readonly #counts: number[] = [];
  readonly #places: number[] = [];
  readonly #distinct: number[] = [];

  /** Remembers so many items. */
  constructor(capacity: number) {
    this.#ring = new Uint32Array(capacity);
  }

  /** Items that can be drawn. */
  get distinct(): number {
    return this.#distinct.length;
  }

  /** Takes in an item that came. */
  update(id: string): void {
    if (this.#size === this.#ring.length) this.#drop(this.#ring[this.#next]!);
    else this.#size++;
    this.#ring[this.#next] = this.#take(id);
    this.#next = (this.#next + 1) % this.#ring.length;
  }

  /**
   * Draws the number of an item, with replacement; there must be one.
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

  /** The probability that a draw gives this item. */
  probability(number: number): number {
    return EVEN / this.#distinct.length + (1 - EVEN) * this.#counts[number]! / this.#size;
  }

  /** Writes all items, in their order. */
  encode(to: ByteWriter): void {
    to.uint(this.#distinct.length);
    const rank = new Map(this.#distinct.map((number, at) => [number, at]));
    for (const number of this.#distinct) to.string(this.#ids[number]!);
    to.uint(this.#size).uint(this.#next);
    for (let n = 0; n < this.#size; n++) to.uint(rank.get(this.#ring[n]!)!);
  }

  /**
   * Reads what {@linkcode DrawnItems.encode} wrote, in place of its own.
   *
   * @throws SyntaxError when it is of another capacity
   */
  decode(from: ByteReader): void {
    this.#numbers.clear();
    for (const list of [this.#free, this.#counts, this.#places, this.#distinct]) list.length = 0;
    this.#ids = Array.from({ length: from.count() }, () => from.string());
    for (const [number, id] of this.#ids.entries()) {
      this.#numbers.set(id!, number);
      this.#counts[number] = 0;
      this.#places[number] = this.#distinct.push(number) - 1;
    }
    [this.#size, this.#next] = [from.uint(), from.uint()];
    if (this.#size > this.#ring.length || this.#next >= this.#ring.length) {
      throw new SyntaxError(`Cannot decode drawn items: there are ${this.#size} for ${this.#ring.length}`);
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
