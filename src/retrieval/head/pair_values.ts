/**
 * Input values of the pair head for a pair of a behaviour and a candidate, and for a behaviour alone. A new value needs
 * an entry here.
 *
 * @module
 */

import type { ItemLists } from "../items/item_lists.ts";
import { logarithms } from "../items/logarithms.ts";
import type { Context } from "../signals/context.ts";
import { FAR, NEAR, type Neighbours, TOGETHER } from "../folds/neighbours.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
/** A row with more entries than this many times the candidates is not scanned: each candidate is looked up. */
const LONG = 1;

/** The parts from which values are computed. */
export interface PairParts {
  /** Counts of items that occur together. */
  readonly neighbours: Neighbours;
  /** Categories of items. */
  readonly lists: ItemLists;
}

/** The behaviours and candidates of a request. */
export interface PairRequest {
  /** The earlier behaviours, newest first. */
  readonly context: Context;
  /** Number H of behaviours that are read, the newest ones. */
  readonly H: number;
  /** Indices of the K candidates. */
  readonly items: ArrayLike<number>;
  readonly time: number;
}

/** Columns to be filled, which are all 0. */
export interface Columns {
  /** Row by row. */
  readonly values: Float32Array;
  /** The first column. */
  readonly column: number;
  readonly columns: number;
}

/** Values that are computed in one pass. */
export interface ValueKind {
  /** Names of the values, one per column. */
  readonly names: readonly string[];
  /** Makes the function that fills the columns for a request. */
  create(parts: PairParts): (request: PairRequest, into: Columns) => void;
}

/** ln(1 + c) of the decayed counts c of two items: within `far`, within `near`, and liked by the same people. */
const COUNTS: ValueKind = {
  names: ["far", "near", "together"],
  create: ({ neighbours }) => {
    /** By item: its place among the candidates + 1. */
    let places = new Uint16Array(64);
    let scratch = new Float64Array(64);
    return ({ context, H, items, time }, { values, column, columns }) => {
      const K = items.length;
      const { rows } = neighbours;
      if (3 * H * K > scratch.length) scratch = new Float64Array(3 * H * K);
      else scratch.fill(0, 0, 3 * H * K);
      for (let i = 0; i < K; i++) {
        if (items[i]! >= places.length) {
          const wider = new Uint16Array(2 * items[i]! + 1);
          wider.set(places);
          places = wider;
        }
        places[items[i]!] = i + 1;
      }
      const scale = 1 / neighbours.unit(time);
      const bound = places.length;
      const { keys, weights } = rows;
      for (let j = 0; j < H; j++) {
        const behaviour = context.items[j]!;
        if (rows.size(behaviour) > LONG * K) {
          for (let i = 0; i < K; i++) {
            const at = rows.find(behaviour, items[i]!);
            if (at >= 0) copyCounts(weights, at, scale, scratch, i * H + j);
          }
          continue;
        }
        // One pass over a short row, instead of a look-up per pair.
        const size = rows.collect(behaviour);
        const { slots } = rows;
        for (let k = 0; k < size; k++) {
          const at = slots[k]!;
          const item = keys[at]! - 1;
          const place = item < bound ? places[item]! : 0;
          if (place > 0) copyCounts(weights, at, scale, scratch, (place - 1) * H + j);
        }
      }
      for (let i = 0; i < K; i++) places[items[i]!] = 0;
      logarithms(scratch, 3 * H * K);
      for (let pair = 0, to = column; pair < H * K; pair++, to += columns) {
        values[to] = scratch[3 * pair]!;
        values[to + 1] = scratch[3 * pair + 1]!;
        values[to + 2] = scratch[3 * pair + 2]!;
      }
    };
  },
};

/** Copies the counts in a slot of a row, `scale` times, to those of a pair. */
function copyCounts(
  weights: Float32Array,
  slot: number,
  scale: number,
  to: Float64Array,
  pair: number,
): void {
  to[3 * pair] = weights[slot + 1 + FAR]! * scale;
  to[3 * pair + 1] = weights[slot + 1 + NEAR]! * scale;
  to[3 * pair + 2] = weights[slot + 1 + TOGETHER]! * scale;
}

/** Bits per word of a bit set. */
const WORD = 32;

/** The cosine of the sets of categories of two items. */
const CATEGORIES: ValueKind = {
  names: ["categories"],
  create: ({ lists }) => ({ context, H, items }, { values, column, columns }) => {
    const K = items.length;
    // A bit for each category of the behaviours: those that two sets share are counted without a branch.
    const bits = new Map<number, number>();
    for (let j = 0; j < H; j++) {
      for (const category of lists.categoriesOf(context.items[j]!)) {
        if (!bits.has(category)) bits.set(category, bits.size);
      }
    }
    const words = Math.ceil(bits.size / WORD);
    const sets = (size: number, itemOf: (n: number) => number) => {
      const set = new Int32Array(size * words), roots = new Float64Array(size);
      for (let n = 0; n < size; n++) {
        const own = lists.categoriesOf(itemOf(n));
        for (const category of own) {
          const bit = bits.get(category);
          if (bit !== undefined) set[n * words + Math.floor(bit / WORD)]! |= 1 << bit % WORD;
        }
        // Without categories none are shared, whatever the divisor.
        roots[n] = Math.sqrt(Math.max(1, own.length));
      }
      return { set, roots };
    };
    const theirs = sets(H, (j) => context.items[j]!);
    const own = sets(K, (i) => items[i]!);
    for (let i = 0, to = column; i < K; i++) {
      for (let j = 0; j < H; j++, to += columns) {
        let common = 0;
        for (let w = 0; w < words; w++) {
          common += ones(own.set[i * words + w]! & theirs.set[j * words + w]!);
        }
        values[to] = common / (own.roots[i]! * theirs.roots[j]!);
      }
    }
  },
};

/** Number of bits that are 1. */
function ones(word: number): number {
  const pairs = word - (word >>> 1 & 0x55555555);
  const fours = (pairs & 0x33333333) + (pairs >>> 2 & 0x33333333);
  return Math.imul(fours + (fours >>> 4) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

/** Whether the candidate is the behaviour's item. */
const SAME: ValueKind = {
  names: ["same"],
  create: () => ({ context, H, items }, { values, column, columns }) => {
    const K = items.length;
    for (let i = 0; i < K; i++) {
      for (let j = 0; j < H; j++) {
        if (context.items[j] === items[i]) values[(i * H + j) * columns + column] = 1;
      }
    }
  },
};

export const PAIR_VALUES: readonly ValueKind[] = [COUNTS, CATEGORIES, SAME];

/** How often the item occurred, how strongly the user liked it, and how long ago. */
const BEHAVIOUR: ValueKind = {
  names: ["count", "strength", "gap", "minute", "hour"],
  create: ({ neighbours }) => ({ context, H, time }, { values, column, columns }) => {
    const scale = 1 / neighbours.unit(time);
    for (let j = 0, to = column; j < H; j++, to += columns) {
      const gap = Math.max(0, time - context.times[j]!);
      const strength = context.strengths[j]!;
      values[to] = Math.log1p(neighbours.count(context.items[j]!) * scale);
      values[to + 1] = Math.sign(strength) * Math.log1p(Math.abs(strength));
      values[to + 2] = Math.log1p(gap / MINUTE_MS);
      values[to + 3] = 2 ** (-gap / MINUTE_MS);
      values[to + 4] = 2 ** (-gap / HOUR_MS);
    }
  },
};

export const BEHAVIOUR_VALUES: readonly ValueKind[] = [BEHAVIOUR];
