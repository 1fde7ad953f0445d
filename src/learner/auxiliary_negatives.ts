/**
 * The negatives of DIEN's auxiliary loss: for each behaviour but the first, another one is drawn from a reservoir of
 * recent behaviours, so popular ones are drawn more often. Its vector is gathered like a behaviour's, with strength 1,
 * and its gradient is scattered the same way.
 */

import type { ByteReader } from "../codec/byte_reader.ts";
import type { ByteWriter } from "../codec/byte_writer.ts";
import { mulberry32 } from "../draws/random.ts";
import { behaviourVector } from "../features/rows/behaviour_list.ts";
import { tableOf } from "../features/feature_tables.ts";
import type { FieldTable, TrainableTable } from "../features/field_table.ts";
import type { SampleHistory } from "../samples/sample.ts";
import { times } from "../values/times.ts";

/** A behaviour that may be drawn. */
export interface ReservoirEntry {
  readonly item: string;
  readonly categories: readonly string[];
}

interface KeptEntry extends ReservoirEntry {
  /** Its encoding, cached: most entries are written many times before they are overwritten. */
  words?: string;
}

const TRIES = 8;
const PADDING: ReservoirEntry = { item: "", categories: [] };

/** A seeded ring of the newest behaviours. */
export class NegativeReservoir {
  readonly #capacity: number;
  readonly #seed: number;
  #entries: KeptEntry[] = [];
  #next = 0;
  #draws = 0;

  constructor(capacity: number, seed: number) {
    this.#capacity = capacity;
    this.#seed = seed;
  }

  /** Adds the newest behaviour of a history. */
  update(history: SampleHistory): void {
    const last = history.items.length - 1;
    if (last < 0) return;
    this.#entries[this.#next] = { item: history.items[last]!, categories: history.categories[last]! };
    this.#next = (this.#next + 1) % this.#capacity;
  }

  /** A random behaviour whose item is not `positive`, or the padding entry if a few tries find none. */
  draw(positive: string): ReservoirEntry {
    const random = mulberry32((this.#seed + Math.imul(this.#draws++, 0x9e3779b9)) >>> 0);
    for (let i = 0; i < TRIES; i++) {
      const entry = this.#entries[Math.floor(random() * this.#entries.length)];
      if (entry !== undefined && entry.item !== positive) return entry;
    }
    return PADDING;
  }

  encode(to: ByteWriter): void {
    to.uint(this.#next).uint(this.#draws).uint(this.#entries.length);
    for (const entry of this.#entries) {
      to.string(entry.words ??= JSON.stringify([entry.item, ...entry.categories]));
    }
  }

  /** Reads what {@linkcode NegativeReservoir.encode} wrote; it replaces the present state. */
  decode(from: ByteReader): void {
    this.#next = from.uint();
    this.#draws = from.uint();
    this.#entries = times(from.count(), () => {
      const [item, ...categories] = from.json<[string, ...string[]]>();
      return { item, categories };
    });
  }
}

/** Negatives of a history of T behaviours; d = 2k is the width of a behaviour. */
export interface Negatives {
  /** Negatives of the behaviours 1 to T − 1. */
  readonly entries: readonly ReservoirEntry[];
  /** Their vectors [T, d]; row 0 is zero. Empty = none. */
  readonly vectors: Float32Array;
}

/** No negatives: the history is too short, or the model has no auxiliary loss. */
export const NO_NEGATIVES: Negatives = { entries: [], vectors: new Float32Array(0) };

/** Draws the negatives of a history; none if it has fewer than two behaviours. */
export function drawNegatives(
  { items }: SampleHistory,
  reservoir: NegativeReservoir,
  tables: ReadonlyMap<string, FieldTable>,
): Negatives {
  if (items.length < 2) return NO_NEGATIVES;
  const d = 2 * tableOf(tables, "item").width;
  const vectors = new Float32Array(items.length * d);
  const entries: ReservoirEntry[] = [];
  for (let t = 1; t < items.length; t++) {
    const entry = reservoir.draw(items[t]!);
    entries.push(entry);
    behaviourVector(tables, entry.item, entry.categories, 1, vectors.subarray(t * d, (t + 1) * d));
  }
  return { entries, vectors };
}

/** Adds the gradient ∂loss/∂vectors [T, d] of negatives to the tables. */
export function scatterNegatives(
  { entries }: Negatives,
  gradient: Float32Array,
  tables: ReadonlyMap<string, TrainableTable>,
): void {
  const item = tableOf(tables, "item");
  const category = tableOf(tables, "category");
  const k = item.width, d = 2 * k;
  entries.forEach((entry, at) => {
    const offset = (at + 1) * d;
    item.accumulate(item.rowOf(entry.item), 1, gradient, offset);
    for (const name of entry.categories) {
      category.accumulate(category.rowOf(name), 1 / entry.categories.length, gradient, offset + k);
    }
  });
}
