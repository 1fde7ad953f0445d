/**
 * What is in demand right now: behaviours a item, halved every few hours of event time, and the list of the best.
 *
 * @module
 */

import type { ByteReader } from "../codec/byte_reader.ts";
import type { ByteWriter } from "../codec/byte_writer.ts";
import { decayedCount, raise, TopList } from "../state/popularity.ts";

const LIST = 200;

/** Decayed counts with a short half-life, as log₂ Σ 2^(t/h), see `popularity.ts`. */
export class Trends {
  readonly #halfLifeMs: number;
  readonly #scores = new Map<number, number>();
  #list = new TopList(LIST);

  /** No counts. @param halfLifeMs Half-life, milliseconds of event time. */
  constructor(halfLifeMs: number) {
    this.#halfLifeMs = halfLifeMs;
  }

  /** Ids, most in demand first. */
  list(): readonly string[] {
    return this.#list.ids;
  }

  /** Counts a behaviour. */
  learn(item: number, id: string, time: number): void {
    const score = raise(this.#scores.get(item) ?? -Infinity, time, this.#halfLifeMs);
    this.#scores.set(item, score);
    this.#list.update(id, score);
  }

  /** The decayed count of an item. */
  count(item: number, time: number): number {
    return decayedCount(this.#scores.get(item) ?? -Infinity, time, this.#halfLifeMs);
  }

  /** Writes everything. @param order All items by id. @param rank Their places in it. */
  encode(to: ByteWriter, order: readonly number[], rank: Uint32Array): void {
    const items = order.filter((item) => this.#scores.has(item));
    to.uint(items.length);
    for (const item of items) to.uint(rank[item]!).f64(this.#scores.get(item)!);
  }

  /** Reads what {@linkcode Trends.encode} wrote. */
  decode(from: ByteReader, itemAt: (rank: number) => number, idOf: (item: number) => string): void {
    for (let n = from.count(); n > 0; n--) {
      const item = itemAt(from.uint());
      const score = from.f64();
      this.#scores.set(item, score);
      this.#list.update(idOf(item), score);
    }
  }
}
