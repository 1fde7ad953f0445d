/** Rows that gathering looked up, for scattering. */

import { UNKNOWN_ROW } from "../../embeddings/rows.ts";
import type { FieldTable, TrainableTable } from "../field_table.ts";

/** Rows in the order in which they were read, so that scattering gradients looks no key up again. */
export class RowLog {
  #rows = new Uint32Array(256);
  #size = 0;
  #at = 0;

  clear(): void {
    this.#size = 0;
  }

  /** Looks a key up and records its row. */
  read(of: FieldTable, key: string): number {
    const row = of.rowOf(key);
    this.note(row);
    return row;
  }

  note(row: number): void {
    if (this.#size === this.#rows.length) {
      const rows = new Uint32Array(2 * this.#size);
      rows.set(this.#rows);
      this.#rows = rows;
    }
    this.#rows[this.#size++] = row;
  }

  /** Goes back to the first row. */
  rewind(): void {
    this.#at = 0;
  }

  /** The next row, that of `key`: looked up again only if the key had no row, as it may have one by now. */
  next(of: FieldTable, key: string): number {
    const row = this.#rows[this.#at++]!;
    return row === UNKNOWN_ROW ? of.rowOf(key) : row;
  }

  /** Like {@linkcode RowLog.next}, for a key of two parts, which are joined only if needed. */
  nextJoined(of: FieldTable, prefix: string, suffix: string): number {
    const row = this.#rows[this.#at++]!;
    return row === UNKNOWN_ROW ? of.rowOf(prefix + suffix) : row;
  }

  /** Reads the mean of some keys' vectors, `scale` times, and adds it to `out` from `offset` on. */
  addMean(of: FieldTable, keys: readonly string[], scale: number, out: Float32Array, offset: number): void {
    for (const key of keys) of.addRow(this.read(of, key), scale / keys.length, out, offset);
  }

  /** The backward pass of {@linkcode RowLog.addMean}: adds the gradient at `offset` to the next rows. */
  giveMean(
    to: TrainableTable,
    keys: readonly string[],
    scale: number,
    gradient: Float32Array,
    offset: number,
  ): void {
    for (const key of keys) to.accumulate(this.next(to, key), scale / keys.length, gradient, offset);
  }
}
