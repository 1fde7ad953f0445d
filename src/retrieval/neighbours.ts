/**
 * Which items go together: for each item its neighbours with three weights, counted behaviour by behaviour, within
 * a budget of bytes.
 *
 * For a behaviour with item i and the one that came x behaviours (x = 0 the newest) and Δt before, with item j:
 *
 * ```text
 *   far(i, j)      += u · 0.93^x · 2^(−Δt / 1 h)      x < 40: what is found in the same hour
 *   near(i, j)     += u · 0.97^x · 2^(−Δt / 1 min)    x < 40: what is found on the same page
 *   together(i, j) += 1                               x < 100, when both behaviours are for their item
 * ```
 *
 * and the same for (j, i): within a page the order is chance, so counts are not directed. u is 1, or
 * `dislikedWeight` for a behaviour against its item. All counts halve every `halfLifeMs` of event time. They are
 * kept in units that grow by that rate, so that nothing has to be decayed until the unit is 2^32 times larger.
 *
 * Bounds: a row that has more than `limit` neighbours keeps the best three quarters by far weight. When all rows
 * are beyond the budget, `limit` is halved; when it is {@linkcode MIN_LIMIT}, the rows that were updated longest
 * ago go.
 *
 * @module
 */

import type { ByteReader } from "../codec/byte_reader.ts";
import type { ByteWriter } from "../codec/byte_writer.ts";
import { nthLargest } from "./item_scores.ts";
import { NeighbourRow } from "./neighbour_row.ts";
import type { Signal } from "./signal.ts";

/** Weights of a neighbour. */
export const FAR = 0;
/** See {@linkcode FAR}. */
export const NEAR = 1;
/** See {@linkcode FAR}. */
export const TOGETHER = 2;

const WINDOW = 40;
const FAR_DECAY = 0.93;
const FAR_MS = 3_600_000;
const NEAR_DECAY = 0.97;
const NEAR_MS = 60_000;
/** Smallest `limit`. */
const MIN_LIMIT = 16;
/** The unit of the counts grows to 2 to the power of this; then all are divided by it, which changes no digit. */
const MAX_EXPONENT = 32;
/** What is smaller is not counted. */
const LEAST = 1e-3;

/** Options of {@linkcode Neighbours}. */
export interface NeighboursOptions {
  /** Bytes of all rows together. @default {67108864} */
  readonly bytes?: number;
  /** Most neighbours of an item. @default {4096} */
  readonly limit?: number;
  /** Half-life of the counts, milliseconds of event time. @default {90 days} */
  readonly halfLifeMs?: number;
  /** What a behaviour against its item counts, beside 1 for the others. @default {1} */
  readonly dislikedWeight?: number;
}

/** What is kept of one item. */
interface Item {
  readonly row: NeighbourRow;
  /** Σ u of its behaviours. */
  count: number;
  /** Number of behaviours for it. */
  liked: number;
  /** Running number of its newest update. */
  touched: number;
}

/** The neighbours of all items. */
export class Neighbours {
  readonly #budget: number;
  readonly #halfLifeMs: number;
  readonly #dislikedWeight: number;
  #limit: number;
  #items: (Item | undefined)[] = [];
  #bytes = 0;
  #touches = 0;
  /** Event time at which the unit was 1; NaN before the first signal. */
  #origin = NaN;

  /** No neighbours. */
  constructor(options: NeighboursOptions = {}) {
    this.#budget = options.bytes ?? 64 * 2 ** 20;
    this.#limit = Math.max(MIN_LIMIT, options.limit ?? 4096);
    this.#halfLifeMs = options.halfLifeMs ?? 90 * 86_400_000;
    this.#dislikedWeight = options.dislikedWeight ?? 1;
  }

  /** Bytes of all rows. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The row of an item, if there is one. */
  row(item: number): NeighbourRow | undefined {
    return this.#items[item]?.row;
  }

  /** Σ u of the behaviours with an item, in today's units. */
  count(item: number): number {
    return this.#items[item]?.count ?? 0;
  }

  /** Number of behaviours for an item, in today's units. */
  liked(item: number): number {
    return this.#items[item]?.liked ?? 0;
  }

  /** What one behaviour at `time` counts. */
  unit(time: number): number {
    return Number.isNaN(this.#origin) ? 1 : 2 ** ((time - this.#origin) / this.#halfLifeMs);
  }

  /** Counts a signal. O({@linkcode MAX_CONTEXT}). @param byId Compares items by their ids. */
  learn(signal: Signal, byId: (a: number, b: number) => number): void {
    const { item, time, liked, context } = signal;
    const unit = this.#unit(time);
    const u = unit * (liked ? 1 : this.#dislikedWeight);
    const mine = this.#item(item);
    let far = u;
    let near = u;
    for (let x = 0; x < context.items.length; x++) {
      const other = context.items[x]!;
      const gap = Math.abs(time - context.times[x]!);
      const a = x < WINDOW ? far * 2 ** (-gap / FAR_MS) : 0;
      const b = x < WINDOW ? near * 2 ** (-gap / NEAR_MS) : 0;
      const both = liked && context.liked[x] ? unit : 0;
      far *= FAR_DECAY;
      near *= NEAR_DECAY;
      if (other === item || (a < LEAST * unit && both === 0)) continue;
      this.#add(mine, other, a, b, both, byId);
      this.#add(this.#item(other), item, a, b, both, byId);
    }
    mine.count += u;
    if (liked) mine.liked += unit;
    if (this.#bytes > this.#budget) this.#shrink(byId);
  }

  /** Writes everything. @param order All items by id. @param rank Their places in it. */
  encode(to: ByteWriter, order: readonly number[], rank: Uint32Array): void {
    to.f64(this.#origin).uint(this.#limit).uint(this.#touches);
    const items = order.filter((item) => this.#items[item] !== undefined);
    to.uint(items.length);
    for (const at of items) {
      const { row, count, liked, touched } = this.#items[at]!;
      to.uint(rank[at]!).f64(count).f64(liked).uint(touched).uint(row.size);
      const slots = slotsOf(row).sort((a, b) => rank[row.key(a)]! - rank[row.key(b)]!);
      for (const slot of slots) {
        to.uint(rank[row.key(slot)]!).f32(row.weight(slot, 0)).f32(row.weight(slot, 1));
        to.f32(row.weight(slot, 2));
      }
    }
  }

  /** Reads what {@linkcode Neighbours.encode} wrote. @param itemAt The item at a place of the order. */
  decode(from: ByteReader, itemAt: (rank: number) => number): void {
    this.#origin = from.f64();
    this.#limit = from.uint();
    this.#touches = from.uint();
    this.#items = [];
    this.#bytes = 0;
    for (let n = from.count(); n > 0; n--) {
      const item = this.#item(itemAt(from.uint()));
      item.count = from.f64();
      item.liked = from.f64();
      item.touched = from.uint();
      const before = item.row.bytes;
      for (let k = from.count(); k > 0; k--) {
        item.row.add(itemAt(from.uint()), from.f32(), from.f32(), from.f32());
      }
      this.#bytes += item.row.bytes - before;
    }
  }

  #unit(time: number): number {
    if (Number.isNaN(this.#origin)) this.#origin = time;
    const exponent = (time - this.#origin) / this.#halfLifeMs;
    if (exponent < MAX_EXPONENT) return 2 ** exponent;
    const whole = Math.floor(exponent);
    const factor = 2 ** -whole;
    for (const item of this.#items) {
      if (item === undefined) continue;
      item.row.scale(factor);
      item.count *= factor;
      item.liked *= factor;
    }
    this.#origin += whole * this.#halfLifeMs;
    return 2 ** (exponent - whole);
  }

  #item(index: number): Item {
    const known = this.#items[index];
    if (known !== undefined) return known;
    const item = { row: new NeighbourRow(), count: 0, liked: 0, touched: 0 };
    // Filled without holes: a sparse array would be a hash map.
    while (this.#items.length < index) this.#items.push(undefined);
    this.#items[index] = item;
    this.#bytes += item.row.bytes;
    return item;
  }

  #add(item: Item, other: number, a: number, b: number, c: number, byId: (a: number, b: number) => number) {
    const before = item.row.bytes;
    item.row.add(other, a, b, c);
    item.touched = ++this.#touches;
    if (item.row.size > this.#limit) prune(item.row, Math.floor(this.#limit * 0.75), byId);
    this.#bytes += item.row.bytes - before;
  }

  #shrink(byId: (a: number, b: number) => number): void {
    while (this.#bytes > this.#budget && this.#limit > MIN_LIMIT) {
      this.#limit = Math.max(MIN_LIMIT, this.#limit >> 1);
      for (const item of this.#items) {
        if (item === undefined || item.row.size <= this.#limit) continue;
        const before = item.row.bytes;
        prune(item.row, this.#limit, byId);
        this.#bytes += item.row.bytes - before;
      }
    }
    if (this.#bytes <= this.#budget) return;
    const oldest = this.#items.flatMap((item, index) => item === undefined ? [] : [{ index, item }])
      .sort((a, b) => a.item.touched - b.item.touched || byId(a.index, b.index));
    for (const { index, item } of oldest) {
      if (this.#bytes <= 0.75 * this.#budget) return;
      this.#bytes -= item.row.bytes;
      this.#items[index] = undefined;
    }
  }
}

function slotsOf(row: NeighbourRow): number[] {
  const slots: number[] = [];
  for (let slot = 0; slot < row.slots; slot++) if (row.key(slot) >= 0) slots.push(slot);
  return slots;
}

/** Keeps the best `size` neighbours by far weight; among equals those with the smaller ids. */
function prune(row: NeighbourRow, size: number, byId: (a: number, b: number) => number): void {
  const slots = slotsOf(row);
  const border = nthLargest(Float64Array.from(slots, (slot) => row.weight(slot, FAR)), size);
  const above = slots.filter((slot) => row.weight(slot, FAR) > border).length;
  const kept = new Set(
    slots.filter((slot) => row.weight(slot, FAR) === border)
      .sort((a, b) => byId(row.key(a), row.key(b))).slice(0, size - above).map((slot) => row.key(slot)),
  );
  row.retain((slot) => row.weight(slot, FAR) > border || kept.has(row.key(slot)));
}
