/**
 * What is in demand right now: behaviours per item, halved every few hours (of the stream's {@linkcode Pace}), and the
 * list of the best. A second count, halved more slowly, gives their age: of n behaviours of age a, the first count has
 * n · 2^(−a/h) left and the second n · 2^(−a/H).
 */

import type { ByteReader } from "../../codec/byte_reader.ts";
import type { ByteWriter } from "../../codec/byte_writer.ts";
import { raise, TopList } from "../../items/popularity.ts";
import { Pace } from "./pace.ts";
import { DecayedCounts } from "./decayed_counts.ts";
import { filterInPortions, inPortions, type Portions, timesInPortions } from "../../values/portions.ts";

const LIST = 200;
/** Half-life H of the slower count, in half-lives h. */
const SLOWER = 64;

/** Decayed counts with a short half-life, as log₂ Σ 2^(t/h), see `popularity.ts`. */
export class Trends {
  readonly counts: DecayedCounts;
  /** Half-life h, milliseconds of the stream's time. */
  readonly #halfLifeMs: number;
  /** By item: the same with H. */
  #slower: DecayedCounts;
  readonly #list: TopList;
  readonly #pace: Pace;

  /** Starts without counts. @param compare Orders items by their ids. */
  constructor(
    halfLifeMs: number,
    compare: (a: number, b: number) => number,
    pace: Pace = new Pace(),
    counts: DecayedCounts = new DecayedCounts(halfLifeMs),
  ) {
    this.counts = counts;
    this.#slower = new DecayedCounts(SLOWER * halfLifeMs);
    this.#halfLifeMs = halfLifeMs;
    this.#list = new TopList(LIST, compare);
    this.#pace = pace;
  }

  /** Items, most in demand first; valid until the next change. */
  list(): Uint32Array {
    return this.#list.items;
  }

  moveTo(time: number): void {
    this.counts.moveTo(this.#pace.at(time));
  }

  /** Counts a behaviour. @param weight How much it counts, above 0 */
  learn(item: number, at: number, weight = 1): void {
    const time = this.#pace.at(at);
    const slower = raise(this.#slower.score(item), time, SLOWER * this.#halfLifeMs, weight);
    this.#set(item, raise(this.counts.score(item), time, this.#halfLifeMs, weight), slower);
  }

  /**
   * The age at `time` of the behaviours with an item, milliseconds: of several, a mean in which the newest count most.
   * 0 if there are none, or they are later.
   */
  age(item: number, time: number): number {
    const score = this.counts.score(item);
    if (score === -Infinity) return 0;
    return Math.max(
      0,
      this.#pace.at(time) + (this.#slower.score(item) - score) * this.#halfLifeMs * SLOWER / (SLOWER - 1),
    );
  }

  /** A copy of everything but the list, to be written. */
  clone(): Trends {
    const clone = new Trends(this.#halfLifeMs, () => 0, this.#pace, this.counts.clone());
    clone.#slower = this.#slower.clone();
    return clone;
  }

  /** Writes everything. @param order All items by id. @param rank Their places in it. */
  *encode(to: ByteWriter, order: readonly number[], rank: Uint32Array): Portions {
    const items = yield* filterInPortions(order, (item) => this.counts.score(item) > -Infinity);
    to.f64(this.#halfLifeMs).uint(items.length);
    yield* inPortions(items, (item) => {
      to.uint(rank[item]!).f64(this.counts.score(item)).f64(this.#slower.score(item));
    });
  }

  /** Reads what {@linkcode Trends.encode} wrote; if the half-life has changed, the age of behaviours is preserved. */
  *decode(from: ByteReader, itemAt: (rank: number) => number): Portions {
    const share = from.f64() / this.#halfLifeMs;
    yield* timesInPortions(from.count(), () => {
      this.#set(itemAt(from.uint()), share * from.f64(), share * from.f64());
    });
  }

  #set(item: number, score: number, slower: number): void {
    this.#list.update(item, score, this.counts.score(item));
    this.counts.set(item, score);
    this.#slower.set(item, slower);
  }
}
