/**
 * The negatives of DIEN's auxiliary loss: for each behaviour but the first, another one is drawn from the reservoir.
 * Its vector is gathered like a behaviour's, with strength 1, and its gradient is scattered the same way.
 *
 * @module
 */

import { behaviourVector } from "../features/rows/behaviour_list.ts";
import { tableOf } from "../features/feature_tables.ts";
import type { FieldTable, TrainableTable } from "../features/field_table.ts";
import type { NegativeReservoir, ReservoirEntry } from "./negative_reservoir.ts";
import type { SampleHistory } from "../samples/sample.ts";

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
