/**
 * Which items follow an item, however much later: for each item, those within the user's next ten behaviours.
 *
 * For a behaviour with item i and each of the ten newest ones before it, with item j, x behaviours ago (x = 0 the
 * newest):
 *
 * ```text
 *   after(j, i) += 1 / (1 + x)          score(i) = Σ_x 0.7^x · after(x, i) / n_x
 * ```
 *
 * where a repeat counts less ({@linkcode repeatWeight}), of several behaviours with the same item j only the newest
 * counts, and n_x is the number of behaviours with the item x ago ("sequential rules" of Ludewig and Jannach,
 * "Evaluation of session-based recommendation algorithms", UMUAI 2018, over more than the newest item). Unlike counts
 * of pairs, these depend on order; like those, they halve every half-life.
 *
 * Bounds: a row that has more than `limit` followers keeps the best three quarters. When all rows exceed the budget,
 * `limit` is halved; once it is {@linkcode MIN_LIMIT}, the rows of the items longest without a behaviour are dropped.
 *
 * @module
 */

import type { ByteReader } from "../../codec/byte_reader.ts";
import type { ByteWriter } from "../../codec/byte_writer.ts";
import type { ItemScores } from "../items/item_scores.ts";
import { NeighbourRows } from "../items/neighbour_rows.ts";
import { settle } from "../../options/option.ts";
import { type Context, repeatWeight } from "../signals/context.ts";
import { Pace } from "../items/pace.ts";
import type { Signal } from "../signals/signal.ts";
import { byRequest } from "../items/scored.ts";
import { NEIGHBOURS_OPTIONS } from "../folds/neighbours.ts";
import type { CandidateRequest } from "../signals/candidate_request.ts";
import type { ItemOrder, SourceKind } from "./source.ts";
import { filterInPortions, inPortions, type Portions, timesInPortions } from "../../values/portions.ts";

/** Number of behaviours that another one follows, and from which a request is scored. */
const WINDOW = 10;
const STEP = 0.7;
const LIMIT = 1024;
const MIN_LIMIT = 16;
/** The unit of the counts grows to 2 to the power of this; then all are divided by it, which changes no digit. */
const MAX_EXPONENT = 32;

/** The order of items by id. */
type ById = (a: number, b: number) => number;

export class Followers {
  readonly #rows: NeighbourRows;
  readonly #budget: number;
  readonly #halfLifeMs: number;
  readonly #pace: Pace;
  #limit = LIMIT;
  /** By item: its behaviours, in the unit of the counts; running number of the newest one. */
  #counts: number[] = [];
  #touched: number[] = [];
  #touches = 0;
  /** Time at which the unit was 1; NaN before the first signal. */
  #origin = NaN;

  /**
   * Starts without followers.
   *
   * @param bytes Budget of all rows together
   * @param halfLifeMs Half-life of the counts, milliseconds
   */
  constructor(
    bytes: number,
    halfLifeMs: number,
    pace: Pace = new Pace(),
    rows: NeighbourRows = new NeighbourRows(),
  ) {
    this.#rows = rows;
    this.#budget = bytes;
    this.#halfLifeMs = halfLifeMs;
    this.#pace = pace;
  }

  get bytes(): number {
    return this.#rows.bytes;
  }

  /** Counts a signal. O(1). @param byId Compares items by their ids. */
  learn({ item, time, context }: Signal, byId: ById): void {
    const { size, items } = context;
    const unit = this.#unit(time) * repeatWeight(context, item);
    const rows = this.#rows;
    rows.turn(this.#touches, unit);
    rows.warm(item, items, Math.min(WINDOW, size));
    for (let x = 0; x < Math.min(WINDOW, size); x++) {
      const other = items[x]!;
      if (other === item || items.indexOf(other) < x) continue;
      rows.ensure(other);
      const isNew = rows.add(other, item, unit / (1 + x), 0, 0);
      if (isNew && rows.size(other) > this.#limit) rows.keep(other, Math.floor(0.75 * this.#limit), byId);
    }
    this.#ensure(item);
    this.#counts[item] = this.#counts[item]! + unit;
    this.#touched[item] = ++this.#touches;
    if (this.bytes > this.#budget) this.#shrink(byId);
  }

  /** Adds the scores of the items that follow the newest behaviours. */
  score({ size, items }: Context, into: ItemScores): void {
    const rows = this.#rows;
    for (let x = 0; x < Math.min(WINDOW, size); x++) {
      const item = items[x]!;
      const weight = STEP ** x / (this.#counts[item] || 1);
      const found = rows.collect(item);
      const { keys, weights, slots } = rows;
      for (let k = 0; k < found; k++) into.add(keys[slots[k]!]! - 1, weight * weights[slots[k]! + 1]!);
    }
  }

  /** A copy of everything, to be written. */
  clone(): Followers {
    const clone = new Followers(this.#budget, this.#halfLifeMs, this.#pace, this.#rows.clone());
    clone.#limit = this.#limit;
    clone.#counts = this.#counts.slice();
    clone.#touched = this.#touched.slice();
    clone.#touches = this.#touches;
    clone.#origin = this.#origin;
    return clone;
  }

  /** Writes everything; the same signals give the same bytes. */
  *encode(to: ByteWriter, { order, rank }: ItemOrder): Portions {
    to.f64(this.#origin).uint(this.#limit).uint(this.#touches);
    const known = yield* filterInPortions(
      order,
      (item) => item < this.#counts.length && this.#touched[item]! > 0,
    );
    to.uint(known.length);
    yield* inPortions(known, (item) => {
      to.uint(rank[item]!).f64(this.#counts[item]!).uint(this.#touched[item]!);
    });
    const { keys, weights } = this.#rows;
    const items = yield* filterInPortions(order, (item) => this.#rows.has(item));
    to.uint(items.length);
    yield* inPortions(items, (item) => {
      const found = this.#rows.collect(item);
      const slots = this.#rows.slots.slice(0, found).sort((a, b) =>
        rank[keys[a]! - 1]! - rank[keys[b]! - 1]!
      );
      to.uint(rank[item]!).uint(slots.length);
      for (const at of slots) to.uint(rank[keys[at]! - 1]!).f32(weights[at + 1]!);
    });
  }

  /** Reads what {@linkcode Followers.encode} wrote. @param itemAt The item at a place of the order. */
  *decode(from: ByteReader, itemAt: (rank: number) => number): Portions {
    this.#origin = from.f64();
    this.#limit = from.uint();
    this.#touches = from.uint();
    yield* timesInPortions(from.count(), () => {
      const item = itemAt(from.uint());
      this.#ensure(item);
      this.#counts[item] = from.f64();
      this.#touched[item] = from.uint();
    });
    yield* timesInPortions(from.count(), () => {
      const item = itemAt(from.uint());
      this.#rows.ensure(item);
      for (let k = from.count(); k > 0; k--) this.#rows.add(item, itemAt(from.uint()), from.f32(), 0, 0);
    });
  }

  #ensure(item: number): void {
    // Filled without holes: a sparse array would be a hash map.
    while (this.#counts.length <= item) {
      this.#counts.push(0);
      this.#touched.push(0);
    }
  }

  /** The weight of a behaviour at `time`. */
  #unit(time: number): number {
    const now = this.#pace.at(time);
    if (Number.isNaN(this.#origin)) this.#origin = now;
    const exponent = (now - this.#origin) / this.#halfLifeMs;
    if (exponent < MAX_EXPONENT) return 2 ** exponent;
    const whole = Math.floor(exponent);
    this.#rows.scale(2 ** -whole);
    for (let item = 0; item < this.#counts.length; item++) {
      this.#counts[item] = this.#counts[item]! * 2 ** -whole;
    }
    this.#origin += whole * this.#halfLifeMs;
    return 2 ** (exponent - whole);
  }

  #shrink(byId: ById): void {
    const items: number[] = [];
    for (let item = 0; item < this.#rows.bound; item++) if (this.#rows.has(item)) items.push(item);
    while (this.bytes > this.#budget && this.#limit > MIN_LIMIT) {
      this.#limit = Math.max(MIN_LIMIT, this.#limit >> 1);
      for (const item of items) {
        if (this.#rows.size(item) > this.#limit) this.#rows.keep(item, this.#limit, byId);
      }
    }
    if (this.bytes <= this.#budget) return;
    items.sort((a, b) => (this.#touched[a] ?? 0) - (this.#touched[b] ?? 0) || byId(a, b));
    for (const item of items) {
      if (this.bytes <= 0.75 * this.#budget) return;
      this.#rows.remove(item);
    }
  }
}

/** Proposes items that follow the newest behaviours. */
export const FOLLOWS: SourceKind = {
  name: "follows",
  proposals: 40,
  weight: 0,
  create: ({ catalogue, pace, options: { neighbours } }) => {
    const { bytes, halfLifeMs } = settle(NEIGHBOURS_OPTIONS, neighbours);
    const followers = new Followers(bytes / 4, halfLifeMs, pace);
    return {
      ...byRequest(({ context }: CandidateRequest, scores) => followers.score(context, scores)),
      learn: (signal) => followers.learn(signal, (a, b) => catalogue.compare(a, b)),
      encode: (to, items) => followers.encode(to, items),
      copy: () => {
        const clone = followers.clone();
        return (to, items) => clone.encode(to, items);
      },
      decode: (from, itemAt) => followers.decode(from, itemAt),
    };
  },
};
