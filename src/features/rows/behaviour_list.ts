/**
 * The behaviours of an impression: gathers e_t = strength_t · [E_item ; mean E_category], and scatters gradients.
 */

import type { SampleHistory } from "../../samples/sample.ts";
import { type FeatureTables, tableOf } from "../feature_tables.ts";
import type { FieldTable, TrainableTable } from "../field_table.ts";
import type { RowLog } from "./row_log.ts";
import { cleared } from "./workspace.ts";

/** Gathers and scatters behaviours, in an array that the next history overwrites. */
export class BehaviourList {
  #e = new Float32Array(0);
  readonly #k: number;
  readonly #read: RowLog;
  #gathered: SampleHistory | undefined;

  /** An empty list. @param k width of an id's embedding @param read cleared, then records the rows, for scattering */
  constructor(k: number, read: RowLog) {
    this.#k = k;
    this.#read = read;
  }

  /** Gathers the behaviours from the `from`th on. @returns e [T, 2k], valid until the next gathering */
  gather(history: SampleHistory, from: number, { item, category }: FeatureTables): Float32Array {
    const k = this.#k, d = 2 * k;
    const { items, categories, strengths } = history;
    const T = items.length - from;
    this.#e = cleared(this.#e, T * d);
    this.#gathered = history;
    this.#read.clear();
    for (let t = 0; t < T; t++) {
      const strength = strengths[from + t]!;
      item.addRow(this.#read.read(item, items[from + t]!), strength, this.#e, t * d);
      this.#read.addMean(category, categories[from + t]!, strength, this.#e, t * d + k);
    }
    return this.#e.subarray(0, T * d);
  }

  /** Forgets what was gathered last, whose gradients can then no longer be scattered. */
  forget(): void {
    this.#gathered = undefined;
  }

  /**
   * Adds ∂/∂e of the behaviours from the `from`th on to the tables.
   *
   * @throws Error when they were not the last to be gathered.
   */
  scatter(
    history: SampleHistory,
    from: number,
    { item, category }: FeatureTables<TrainableTable>,
    gradient: Float32Array,
  ): void {
    if (history !== this.#gathered) {
      throw new Error("Cannot scatter gradients: their behaviours were not the last to be gathered");
    }
    const k = this.#k, d = 2 * k;
    const { items, categories, strengths } = history;
    this.#read.rewind();
    for (let t = 0; from + t < items.length; t++) {
      const strength = strengths[from + t]!;
      item.accumulate(this.#read.next(item, items[from + t]!), strength, gradient, t * d);
      this.#read.giveMean(category, categories[from + t]!, strength, gradient, t * d + k);
    }
  }
}

/** One behaviour's vector e [2k], written into `out`. */
export function behaviourVector(
  tables: ReadonlyMap<string, FieldTable>,
  item: string,
  categories: readonly string[],
  strength: number,
  out: Float32Array,
): void {
  out.fill(0);
  const items = tableOf(tables, "item");
  items.addRow(items.rowOf(item), strength, out, 0);
  const of = tableOf(tables, "category");
  for (const name of categories) of.addRow(of.rowOf(name), strength / categories.length, out, items.width);
}
