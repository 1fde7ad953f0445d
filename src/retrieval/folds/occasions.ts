/**
 * On which occasions an item is taken: at which time of day, how long after the user's previous behaviour, and after how
 * many of them.
 *
 * Each kind of occasion divides requests into 8. With c the decayed count of an item's wanted behaviours, c_o that of
 * those on the occasion of a request, and s_o the share of all items' behaviours on it,
 *
 * ```text
 *   lift = ln((c_o + 5 s_o) / ((c + 5) s_o))
 * ```
 *
 * so an unknown item has 0. Popularity is left to those features that know it. A repeat counts less
 * ({@linkcode repeatWeight}), and all counts halve every `halfLifeMs` of the pace's time. 100 bytes per item.
 */

import type { ByteReader } from "../../codec/byte_reader.ts";
import type { ByteWriter } from "../../codec/byte_writer.ts";
import { type Context, repeatWeight } from "../signals/context.ts";
import type { Signal } from "../signals/signal.ts";
import { Pace } from "../items/pace.ts";
import { filterInPortions, inPortions, type Portions, timesInPortions } from "../../values/portions.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** Occasions per kind. */
const OCCASIONS = 8;
/** Behaviours with the shares of all items that are added to those of an item. */
const PRIOR = 5;
/** The unit of the counts grows to 2 to the power of this; then all are divided by it, without loss of precision. */
const MAX_EXPONENT = 32;
const HALF_LIFE_MS = 90 * DAY_MS;

/** The part of a signal or request that determines its occasions. */
interface Occasion {
  readonly time: number;
  readonly context: Pick<Context, "size" | "times">;
}

/** The kinds of occasions, and which of 8 an occasion is. */
const KINDS = {
  "usual hour": ({ time }: Occasion): number => Math.floor(time % DAY_MS / (DAY_MS / OCCASIONS)),
  "usual pause": ({ time, context: { size, times } }: Occasion, { farMs }: Pace): number => {
    if (size === 0) return OCCASIONS - 1;
    const gap = time - times[0]!;
    if (gap <= 0) return 0;
    // Below a 64th of what counts as together, then by factors of four.
    const step = 2 + Math.floor(Math.log2(64 * gap / farMs) / 2);
    return Math.max(1, Math.min(step, OCCASIONS - 2));
  },
  "usual stage": ({ context: { size } }: Occasion): number => {
    return size === 0 ? 0 : Math.min(1 + Math.ceil(Math.log2(size)), OCCASIONS - 1);
  },
};

export const OCCASION_KINDS: readonly string[] = Object.keys(KINDS);

const OCCASIONS_OF = Object.values(KINDS);
/** Counts per item: of each occasion of each kind, and of all. */
const COLUMNS = OCCASIONS_OF.length * OCCASIONS + 1;
const ALL = COLUMNS - 1;
/** From this format of the snapshot on, only counts above 0 are written. */
const SPARSE_SINCE = 2;

/** Counts of items by occasion, a fold over signals. */
export class Occasions {
  /** The name under which it is written. */
  readonly name = "occasions";
  readonly #pace: Pace;
  readonly #halfLifeMs: number;
  /** By item: its {@linkcode COLUMNS}. */
  #counts = new Float32Array(16 * COLUMNS);
  /** The sums over all items. */
  readonly #sums = new Float64Array(COLUMNS);
  /** Time at which the unit was 1, and the newest one; NaN before the first signal. */
  #origin = NaN;
  #newest = NaN;

  /** Starts without counts. @param halfLifeMs Half-life of the counts, milliseconds of the pace's time */
  constructor(pace: Pace = new Pace(), halfLifeMs: number = HALF_LIFE_MS) {
    this.#pace = pace;
    this.#halfLifeMs = halfLifeMs;
  }

  /** Counts a signal if it is wanted. O(1). */
  learn(signal: Signal): void {
    const { item, time, context, wanted } = signal;
    if (!wanted) return;
    const now = this.#pace.at(time);
    if (Number.isNaN(this.#origin)) this.#origin = this.#newest = now;
    this.#newest = Math.max(this.#newest, now);
    this.#rescale();
    const unit = this.#unit(now) * repeatWeight(context, item);
    if ((item + 1) * COLUMNS > this.#counts.length) this.#grow(item);
    for (let kind = 0; kind < OCCASIONS_OF.length; kind++) {
      this.#add(item, kind * OCCASIONS + OCCASIONS_OF[kind]!(signal, this.#pace), unit);
    }
    this.#add(item, ALL, unit);
  }

  /**
   * The lift of each of `count` items on the occasion of a request.
   *
   * @param kind Place in {@linkcode OCCASION_KINDS}
   * @param give Receives the lift of the item at a place
   */
  lifts(
    kind: number,
    request: Occasion,
    { items, count }: { readonly items: ArrayLike<number>; readonly count: number },
    give: (place: number, lift: number) => void,
  ): void {
    if (Number.isNaN(this.#origin)) return;
    const unit = this.#unit(Math.max(this.#newest, this.#pace.at(request.time)));
    const column = kind * OCCASIONS + OCCASIONS_OF[kind]!(request, this.#pace);
    const sums = this.#sums, counts = this.#counts;
    const share = (sums[column]! + unit / 2) / (sums[ALL]! + unit * OCCASIONS / 2);
    for (let place = 0; place < count; place++) {
      const at = items[place]! * COLUMNS;
      if (at >= counts.length) continue;
      const all = counts[at + ALL]! / unit;
      if (all > 0) give(place, Math.log((counts[at + column]! / unit / share + PRIOR) / (all + PRIOR)));
    }
  }

  /** A copy of everything, to be written. */
  clone(): Occasions {
    const clone = new Occasions(this.#pace, this.#halfLifeMs);
    clone.#counts = this.#counts.slice();
    clone.#sums.set(this.#sums);
    clone.#origin = this.#origin;
    clone.#newest = this.#newest;
    return clone;
  }

  /** Writes everything. @param order All items by id. @param rank Their places in it. */
  *encode(to: ByteWriter, order: readonly number[], rank: Uint32Array): Portions {
    const items = yield* filterInPortions(order, (item) => this.#has(item));
    to.f64(this.#origin).f64(this.#newest).uint(items.length);
    yield* inPortions(items, (item) => this.#encodeItem(to.uint(rank[item]!), item * COLUMNS));
    to.f64s(this.#sums);
  }

  /**
   * Reads what {@linkcode Occasions.encode} wrote.
   *
   * @param itemAt The item at a place of the order
   * @param format That of the snapshot
   */
  *decode(from: ByteReader, itemAt: (rank: number) => number, format: number): Portions {
    this.#origin = from.f64();
    this.#newest = from.f64();
    yield* timesInPortions(from.count(), () => {
      const item = itemAt(from.uint());
      if ((item + 1) * COLUMNS > this.#counts.length) this.#grow(item);
      if (format < SPARSE_SINCE) this.#counts.set(from.f32s(COLUMNS), item * COLUMNS);
      else this.#decodeItem(from, item * COLUMNS);
    });
    this.#sums.set(from.f64s(COLUMNS));
  }

  /** Writes a bit per count, whether it is above 0, then those counts. @param start Where the item's counts begin */
  #encodeItem(to: ByteWriter, start: number): void {
    const counts = this.#counts;
    let which = 0;
    for (let column = 0; column < COLUMNS; column++) if (counts[start + column]! > 0) which |= 1 << column;
    to.uint(which);
    for (let column = 0; which >> column > 0; column++) {
      if ((which >> column & 1) === 1) to.f32(counts[start + column]!);
    }
  }

  #decodeItem(from: ByteReader, start: number): void {
    const which = from.uint();
    if (which >= 1 << COLUMNS) {
      throw new SyntaxError(`Cannot decode occasions: an item has the counts ${which}`);
    }
    for (let column = 0; which >> column > 0; column++) {
      if ((which >> column & 1) === 1) this.#counts[start + column] = from.f32();
    }
  }

  #has(item: number): boolean {
    return (item + 1) * COLUMNS <= this.#counts.length && this.#counts[item * COLUMNS + ALL]! > 0;
  }

  #add(item: number, column: number, amount: number): void {
    const at = item * COLUMNS + column;
    this.#counts[at] = this.#counts[at]! + amount;
    this.#sums[column] = this.#sums[column]! + amount;
  }

  #unit(now: number): number {
    return 2 ** ((now - this.#origin) / this.#halfLifeMs);
  }

  #rescale(): void {
    const exponent = (this.#newest - this.#origin) / this.#halfLifeMs;
    if (exponent < MAX_EXPONENT) return;
    const whole = Math.floor(exponent);
    for (const counts of [this.#counts, this.#sums]) {
      for (let at = 0; at < counts.length; at++) counts[at] = counts[at]! * 2 ** -whole;
    }
    this.#origin += whole * this.#halfLifeMs;
  }

  #grow(item: number): void {
    const counts = new Float32Array(Math.max(2 * this.#counts.length, (item + 1) * COLUMNS));
    counts.set(this.#counts);
    this.#counts = counts;
  }
}
