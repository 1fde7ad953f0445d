/**
 * Input values of the pair head for a pair of a behaviour and a candidate, and for a behaviour alone. A new value needs
 * an entry here.
 */

import { grown } from "../../values/grown.ts";
import type { ItemLists } from "../items/item_lists.ts";
import { logarithms } from "../items/logarithms.ts";
import type { Context } from "../signals/context.ts";
import { FAR, NEAR, type Neighbours, TOGETHER } from "../folds/neighbours.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;

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
  readonly items: Uint32Array;
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
    /** By item + 1: its place among the candidates + 1. */
    let places = new Uint16Array(64);
    /** The pairs that occurred: where their values go, and the values. */
    let targets = new Uint32Array(64), counts = new Float64Array(3 * 64);
    return ({ context, H, items, time }, { values, column, columns }) => {
      const K = items.length;
      const { rows } = neighbours;
      if (H * K > targets.length) {
        targets = new Uint32Array(2 * H * K);
        counts = new Float64Array(3 * 2 * H * K);
      }
      for (let i = 0; i < K; i++) {
        const key = items[i]! + 1;
        if (key >= places.length) places = grown(places, new Uint16Array(2 * key));
        places[key] = i + 1;
      }
      const scale = 1 / neighbours.unit(time);
      const { weights } = rows;
      let pairs = 0;
      for (let j = 0; j < H; j++) {
        const found = rows.seek(context.items[j]!, { items, places });
        const { slots, sought } = rows;
        for (let k = 0; k < found; k++, pairs++) {
          const at = slots[k]!;
          targets[pairs] = (sought[k]! * H + j) * columns + column;
          counts[3 * pairs] = weights[at + 1 + FAR]! * scale;
          counts[3 * pairs + 1] = weights[at + 1 + NEAR]! * scale;
          counts[3 * pairs + 2] = weights[at + 1 + TOGETHER]! * scale;
        }
      }
      for (let i = 0; i < K; i++) places[items[i]! + 1] = 0;
      logarithms(counts, 3 * pairs);
      for (let pair = 0; pair < pairs; pair++) {
        const to = targets[pair]!;
        values[to] = counts[3 * pair]!;
        values[to + 1] = counts[3 * pair + 1]!;
        values[to + 2] = counts[3 * pair + 2]!;
      }
    };
  },
};

/** The cosine of the sets of categories of two items. */
const CATEGORIES: ValueKind = {
  names: ["categories"],
  create: ({ lists }) => {
    /** By category: whether the candidate has it. */
    let has = new Uint8Array(64);
    return ({ context, H, items }, { values, column, columns }) => {
      if (lists.categoryCount > has.length) has = new Uint8Array(2 * lists.categoryCount);
      const theirs: number[][] = [], roots: number[] = [];
      for (let j = 0; j < H; j++) {
        const all = lists.categoriesOf(context.items[j]!);
        theirs.push(all.filter((category, n) => all.indexOf(category) === n));
        roots.push(rootOf(all));
      }
      for (let i = 0, to = column; i < items.length; i++) {
        const own = lists.categoriesOf(items[i]!);
        const root = rootOf(own);
        for (let n = 0; n < own.length; n++) has[own[n]!] = 1;
        for (let j = 0; j < H; j++, to += columns) {
          const categories = theirs[j]!;
          let common = 0;
          for (let n = 0; n < categories.length; n++) common += has[categories[n]!]!;
          values[to] = common / (root * roots[j]!);
        }
        for (let n = 0; n < own.length; n++) has[own[n]!] = 0;
      }
    };
  },
};

/** The length of the vector of a set; without categories none are shared, whatever the divisor. */
function rootOf({ length }: ArrayLike<number>): number {
  return Math.sqrt(Math.max(1, length));
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
