/**
 * Which items occur together: for each item its neighbours with three weights, counted behaviour by behaviour, within
 * a budget of bytes.
 *
 * For a behaviour with item i and each of the newest behaviours before it, with item j, x behaviours (x = 0 the newest)
 * and Δt ago:
 *
 * ```text
 *   far(i, j)      += 0.93^x · 2^(−Δt / far)      items that occur together
 *   near(i, j)     += 0.97^x · 2^(−Δt / near)     items on the same page
 *   together(i, j) += 1                               when both behaviours are for their item
 * ```
 *
 * with the half-lives far and near of the stream's {@linkcode Pace}, and the same for (j, i): the order within a page
 * is chance, so counts have no direction. A repeat counts less ({@linkcode repeatWeight}), and of several behaviours
 * with the same item j only the newest counts. All counts halve every `halfLifeMs` of the pace's time
 * (`growing_unit.ts`). Powers of time are taken in steps of a 64th of a half-life.
 *
 * For an item with more than 512 behaviours, only a third of the pairs with x ≥ 8 are counted, at three times the
 * weight: its row has enough data for that.
 *
 * Bounds: see `row_bounds.ts`; what loses its row loses its counts.
 */

import { count, integer, type OptionsOf, positive, settle } from "../../options/option.ts";
import type { ByteReader } from "../../codec/byte_reader.ts";
import type { ByteWriter } from "../../codec/byte_writer.ts";
import { GrowingUnit } from "../items/growing_unit.ts";
import { type ById, NeighbourRows } from "../items/neighbour_rows.ts";
import { MIN_LIMIT, RowBounds } from "../items/row_bounds.ts";
import { Pace } from "../items/pace.ts";
import { repeatWeight } from "../signals/context.ts";
import { LEARNT_CONTEXT, type Signal } from "../signals/signal.ts";
import { filterInPortions, inPortions, type Portions, timesInPortions } from "../../values/portions.ts";
import { grown } from "../../values/grown.ts";

/** Index of a weight of a neighbour; see the formulas above. */
export const FAR = 0;
/** See {@linkcode FAR}. */
export const NEAR = 1;
/** See {@linkcode FAR}. */
export const TOGETHER = 2;

const FAR_WEIGHTS = Float64Array.from({ length: LEARNT_CONTEXT }, (_, x) => 0.93 ** x);
const NEAR_WEIGHTS = Float64Array.from({ length: LEARNT_CONTEXT }, (_, x) => 0.97 ** x);
/** With this many behaviours per item, one in `THINNED` of the pairs beyond `DENSE` counts, with the weight of all. */
const COMMON = 512;
const DENSE = 8;
const THINNED = 3;
/** Exponent of the discount on popular neighbours: n^−0.2. */
export const POPULARITY_EXPONENT = 0.2;
/** Weights per pair. */
const WEIGHTS = 3;
/** Smaller increments are not counted. */
const LEAST = 1e-3;
/** Steps per half-life, and half-lives after which nothing is left. */
const STEPS = 64;
const HALVED = Float64Array.from({ length: 20 * STEPS }, (_, step) => 2 ** (-step / STEPS));

/** Options of {@linkcode Neighbours}. */
export interface NeighboursOptions {
  /** Bytes of all rows together. @default {67108864} */
  readonly bytes?: number | undefined;
  /** Most neighbours of an item. @default {4096} */
  readonly limit?: number | undefined;
  /** Half-life of the counts, milliseconds of the stream's time (`pace.ts`). @default {7776000000} */
  readonly halfLifeMs?: number | undefined;
}

export const NEIGHBOURS_OPTIONS = {
  bytes: count(67_108_864, "memory of all pairs of items, bytes"),
  limit: integer(4096, { minimum: MIN_LIMIT }, "most neighbours of an item"),
  halfLifeMs: positive(7_776_000_000, "half-life of the counts of pairs, in the stream's time"),
} satisfies OptionsOf<NeighboursOptions>;

export class Neighbours {
  readonly rows: NeighbourRows;
  #bounds: RowBounds;
  readonly #unit: GrowingUnit;
  /** Half-lives of pairs, and the stream's time. */
  readonly pace: Pace;
  /** By item: its behaviours; its behaviours in favour. */
  #counts = new Float64Array(256);
  #liked = new Float64Array(256);
  /** By item: its count to the power of −{@linkcode POPULARITY_EXPONENT}; 0 for one that was not counted. */
  #discounts = new Float64Array(256);
  /** Scratch: the pairs of a signal, and the far, near and together weight of each. */
  readonly #others = new Uint32Array(LEARNT_CONTEXT);
  readonly #amounts = new Float64Array(WEIGHTS * LEARNT_CONTEXT);

  constructor(
    options: NeighboursOptions = {},
    pace: Pace = new Pace(),
    rows: NeighbourRows = new NeighbourRows(),
  ) {
    const { bytes, limit, halfLifeMs } = settle(NEIGHBOURS_OPTIONS, options);
    this.rows = rows;
    this.#bounds = new RowBounds(rows, bytes, limit);
    this.#unit = new GrowingUnit(pace, halfLifeMs, (factor) => this.#scale(factor));
    this.pace = pace;
  }

  get bytes(): number {
    return this.rows.bytes;
  }

  /** Number of behaviours with an item; divided by {@linkcode Neighbours.unit}, the decayed sum. */
  count(item: number): number {
    return item < this.#counts.length ? this.#counts[item]! : 0;
  }

  /** Number of behaviours for an item; divided by {@linkcode Neighbours.unit}, the decayed number. */
  liked(item: number): number {
    return item < this.#liked.length ? this.#liked[item]! : 0;
  }

  /** The discount for popularity on an item's weights as a neighbour: n^−0.2, n = {@linkcode Neighbours.count}. */
  discount(item: number): number {
    return item < this.#discounts.length ? this.#discounts[item]! : 0;
  }

  /** The weight of a behaviour at `time`; finite, however long the stream pauses. */
  unit(time: number): number {
    return this.#unit.at(time);
  }

  /** Counts a signal. O(its context). @param byId Compares items by their ids. */
  learn(signal: Signal, byId: ById): void {
    const { item, time, liked, context } = signal;
    const { size, items, times, liked: likes } = context;
    const now = this.#unit.moveTo(time);
    const unit = now * repeatWeight(context, item);
    const least = LEAST * now;
    this.#ensure(item);
    const dense = this.#counts[item]! < COMMON * now ? size : DENSE;
    const [others, amounts] = [this.#others, this.#amounts];
    const { farMs, nearMs } = this.pace;
    const { touches } = this.#bounds;
    let weight = 1;
    let pairs = 0;
    for (let x = 0; x < size; x++) {
      if (x >= dense) {
        if ((x + touches) % THINNED !== 0) continue;
        weight = THINNED;
      }
      const other = items[x]!;
      if (other === item || items.indexOf(other) < x) continue;
      const gap = Math.abs(time - times[x]!);
      const a = unit * weight * FAR_WEIGHTS[x]! * halved(gap, farMs);
      const b = unit * weight * NEAR_WEIGHTS[x]! * halved(gap, nearMs);
      const both = liked && likes[x] === 1 ? weight * unit : 0;
      if (a < least && both === 0) continue;
      amounts[WEIGHTS * pairs] = a;
      amounts[WEIGHTS * pairs + 1] = b;
      amounts[WEIGHTS * pairs + 2] = both;
      others[pairs++] = other;
    }
    this.rows.warm(item, others, pairs);
    this.rows.turn(touches, unit);
    for (let k = 0; k < pairs; k++) {
      const other = others[k]!;
      const [a, b, both] = [amounts[WEIGHTS * k]!, amounts[WEIGHTS * k + 1]!, amounts[WEIGHTS * k + 2]!];
      this.#ensure(other);
      if (this.rows.add(item, other, a, b, both)) this.#bounds.cut(item, byId);
      if (this.rows.add(other, item, a, b, both)) this.#bounds.cut(other, byId);
    }
    this.#bounds.touch(item);
    this.#setCount(item, this.#counts[item]! + unit);
    if (liked) this.#liked[item] = this.#liked[item]! + unit;
    for (const dropped of this.#bounds.makeRoom(byId)) {
      this.#setCount(dropped, 0);
      this.#liked[dropped] = 0;
      this.#bounds.touch(dropped, 0);
    }
  }

  /** A copy of everything, to be written. */
  clone(): Neighbours {
    const clone = new Neighbours({}, this.pace, this.rows.clone());
    clone.#bounds = this.#bounds.clone(clone.rows);
    clone.#unit.origin = this.#unit.origin;
    clone.#counts = this.#counts.slice();
    clone.#liked = this.#liked.slice();
    return clone;
  }

  /** Writes everything. @param order All items by id. @param rank Their places in it. */
  *encode(to: ByteWriter, order: readonly number[], rank: Uint32Array): Portions {
    to.f64(this.#unit.origin).uint(this.#bounds.limit).uint(this.#bounds.touches);
    const items = yield* filterInPortions(order, (item) => this.rows.has(item));
    to.uint(items.length);
    yield* inPortions(items, (item) => {
      to.uint(rank[item]!).f64(this.#counts[item]!).f64(this.#liked[item]!);
      to.uint(this.#bounds.touched[item] ?? 0);
      this.rows.encodeRow(to, item, rank, WEIGHTS);
    });
  }

  /** Reads what {@linkcode Neighbours.encode} wrote. @param itemAt The item at a place of the order. */
  *decode(from: ByteReader, itemAt: (rank: number) => number): Portions {
    this.#unit.origin = from.f64();
    this.#bounds.limit = from.uint();
    this.#bounds.touches = from.uint();
    yield* timesInPortions(from.count(), () => {
      const item = itemAt(from.uint());
      this.#ensure(item);
      this.#setCount(item, from.f64());
      this.#liked[item] = from.f64();
      this.#bounds.touch(item, from.uint());
      this.rows.decodeRow(from, item, itemAt, WEIGHTS);
    });
  }

  /** Multiplies all counts. */
  #scale(factor: number): void {
    this.rows.scale(factor);
    for (let item = 0; item < this.#counts.length; item++) {
      if (!this.rows.has(item)) continue;
      this.#setCount(item, this.#counts[item]! * factor);
      this.#liked[item] = this.#liked[item]! * factor;
    }
  }

  #setCount(item: number, count: number): void {
    this.#counts[item] = count;
    this.#discounts[item] = count > 0 ? count ** -POPULARITY_EXPONENT : 0;
  }

  #ensure(item: number): void {
    if (item >= this.#counts.length) this.#grow(item);
    this.rows.ensure(item);
  }

  #grow(item: number): void {
    const length = Math.max(2 * this.#counts.length, item + 1);
    this.#counts = grown(this.#counts, new Float64Array(length));
    this.#liked = grown(this.#liked, new Float64Array(length));
    this.#discounts = grown(this.#discounts, new Float64Array(length));
  }
}

/** 2^(−gap / half-life) in steps. */
function halved(gap: number, halfLifeMs: number): number {
  const step = gap / halfLifeMs * STEPS;
  return step < HALVED.length ? HALVED[step | 0]! : 0;
}
