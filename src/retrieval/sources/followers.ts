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
 * Bounds: see `row_bounds.ts`; the counts of items outlive their rows.
 */

import type { ByteReader } from "../../codec/byte_reader.ts";
import type { ByteWriter } from "../../codec/byte_writer.ts";
import type { ItemScores } from "../items/item_scores.ts";
import { GrowingUnit } from "../items/growing_unit.ts";
import { type ById, NeighbourRows } from "../items/neighbour_rows.ts";
import { RowBounds } from "../items/row_bounds.ts";
import { settle } from "../../options/option.ts";
import { type Context, repeatWeight } from "../signals/context.ts";
import { Pace } from "../items/pace.ts";
import type { Signal } from "../signals/signal.ts";
import { byRequest } from "../items/scored.ts";
import { NEIGHBOURS_OPTIONS } from "../folds/neighbours.ts";
import type { CandidateRequest } from "../signals/candidate_request.ts";
import { durable, type SourceKind } from "./source.ts";
import { filterInPortions, inPortions, type Portions, timesInPortions } from "../../values/portions.ts";

/** Number of behaviours that another one follows, and from which a request is scored. */
const WINDOW = 10;
const STEP = 0.7;
/** Most followers of an item. */
const LIMIT = 1024;

export class Followers {
  readonly #rows: NeighbourRows;
  #bounds: RowBounds;
  readonly #unit: GrowingUnit;
  /** By item: its behaviours. */
  #counts: number[] = [];

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
    this.#bounds = new RowBounds(rows, bytes, LIMIT);
    this.#unit = new GrowingUnit(pace, halfLifeMs, (factor) => this.#scale(factor));
  }

  get bytes(): number {
    return this.#rows.bytes;
  }

  /** Counts a signal. O(1). @param byId Compares items by their ids. */
  learn({ item, time, context }: Signal, byId: ById): void {
    const { size, items } = context;
    const unit = this.#unit.moveTo(time) * repeatWeight(context, item);
    const rows = this.#rows;
    rows.turn(this.#bounds.touches, unit);
    rows.warm(item, items, Math.min(WINDOW, size));
    for (let x = 0; x < Math.min(WINDOW, size); x++) {
      const other = items[x]!;
      if (other === item || items.indexOf(other) < x) continue;
      rows.ensure(other);
      if (rows.add(other, item, unit / (1 + x), 0, 0)) this.#bounds.cut(other, byId);
    }
    this.#setCount(item, (this.#counts[item] ?? 0) + unit);
    this.#bounds.touch(item);
    this.#bounds.makeRoom(byId);
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
    const clone = new Followers(0, NaN, undefined, this.#rows.clone());
    clone.#bounds = this.#bounds.clone(clone.#rows);
    clone.#unit.origin = this.#unit.origin;
    clone.#counts = this.#counts.slice();
    return clone;
  }

  /** Writes everything. @param order All items by id. @param rank Their places in it. */
  *encode(to: ByteWriter, order: readonly number[], rank: Uint32Array): Portions {
    const { limit, touches, touched } = this.#bounds;
    to.f64(this.#unit.origin).uint(limit).uint(touches);
    const known = yield* filterInPortions(order, (item) => (touched[item] ?? 0) > 0);
    to.uint(known.length);
    yield* inPortions(known, (item) => {
      to.uint(rank[item]!).f64(this.#counts[item]!).uint(touched[item]!);
    });
    const items = yield* filterInPortions(order, (item) => this.#rows.has(item));
    to.uint(items.length);
    yield* inPortions(items, (item) => this.#rows.encodeRow(to.uint(rank[item]!), item, rank, 1));
  }

  /** Reads what {@linkcode Followers.encode} wrote. @param itemAt The item at a place of the order. */
  *decode(from: ByteReader, itemAt: (rank: number) => number): Portions {
    this.#unit.origin = from.f64();
    this.#bounds.limit = from.uint();
    this.#bounds.touches = from.uint();
    yield* timesInPortions(from.count(), () => {
      const item = itemAt(from.uint());
      this.#setCount(item, from.f64());
      this.#bounds.touch(item, from.uint());
    });
    yield* timesInPortions(from.count(), () => {
      this.#rows.decodeRow(from, itemAt(from.uint()), itemAt, 1);
    });
  }

  #setCount(item: number, count: number): void {
    // Filled without holes: a sparse array would be a hash map.
    while (this.#counts.length <= item) this.#counts.push(0);
    this.#counts[item] = count;
  }

  /** Multiplies all counts. */
  #scale(factor: number): void {
    this.#rows.scale(factor);
    for (let item = 0; item < this.#counts.length; item++) this.#counts[item] = this.#counts[item]! * factor;
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
      ...durable(followers),
    };
  },
};
