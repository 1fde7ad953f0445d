/**
 * What is in demand right now: behaviours a item, halved every few hours of event time, and the list of the best.
 *
 * @module
 */

import type { ByteReader } from "../codec/byte_reader.ts";
import type { ByteWriter } from "../codec/byte_writer.ts";
import { raise, TopList } from "../state/popularity.ts";
import { DecayedCounts } from "./decayed_counts.ts";

const LIST = 200;

/** Decayed counts with a short half-life, as log₂ Σ 2^(t/h), see `popularity.ts`. */
export class Trends {
  /** The count of each item. */
  readonly counts: DecayedCounts;
  /** Half-life of the counts, milliseconds of event time. */
  readonly halfLifeMs: number;
  readonly #list: TopList;

  /** No counts. @param compare Orders items by their ids. */
  constructor(halfLifeMs: number, compare: (a: number, b: number) => number) {
    this.counts = new DecayedCounts(halfLifeMs);
    this.halfLifeMs = halfLifeMs;
    this.#list = new TopList(LIST, compare);
  }

  /** Items, most in demand first; valid until the next change. */
  list(): Uint32Array {
    return this.#list.items;
  }

  /** Counts a behaviour. */
  learn(item: number, time: number): void {
    this.#set(item, raise(this.counts.score(item), time, this.halfLifeMs));
  }

  /** Writes everything. @param order All items by id. @param rank Their places in it. */
  encode(to: ByteWriter, order: readonly number[], rank: Uint32Array): void {
    const items = order.filter((item) => this.counts.score(item) > -Infinity);
    to.uint(items.length);
    for (const item of items) to.uint(rank[item]!).f64(this.counts.score(item));
  }

  /** Reads what {@linkcode Trends.encode} wrote. */
  decode(from: ByteReader, itemAt: (rank: number) => number): void {
    for (let n = from.count(); n > 0; n--) this.#set(itemAt(from.uint()), from.f64());
  }

  #set(item: number, score: number): void {
    this.#list.update(item, score, this.counts.score(item));
    this.counts.set(item, score);
  }
}
