/**
 * The rows of the pairs of a list: who looks, crossed with what the candidates are. Candidates share categories and
 * values of fields, so each pair's key is joined and looked up once a list; a candidate that has it again is told to the
 * table as another sight.
 *
 * @module
 */

import { UNKNOWN_ROW } from "../../embeddings/rows.ts";
import { type FieldTable, giveAt, type TrainableTable, valueAt } from "../field_table.ts";
import { categorySuffix, fieldSuffix } from "../pairs.ts";
import type { RowLog } from "./row_log.ts";

/** A candidate, as far as pairs are made of it. */
export interface PairedRow {
  readonly categories: readonly string[];
  readonly fields: readonly (string | null)[];
}

/** Looks up the pairs of a list's candidates, and gives gradients to them. */
export class PairRows {
  readonly #crossed: readonly number[];
  readonly #read: RowLog;
  /** Numbers of categories, and of the values of each crossed field, in the order of their first candidates. */
  readonly #categories = new Map<string, number>();
  readonly #values: readonly Map<string, number>[];
  #traits = 0;
  /** What the keys of a trait's pairs end in. */
  #suffixes: string[] = [];
  /** Rows of the pairs of a trait, one a prefix; 0 = not looked up. */
  #rows = new Uint32Array(64);
  /** Traits of the candidate in hand. */
  readonly #own: number[] = [];
  #prefixes: readonly string[] = [];

  /**
   * No list yet.
   *
   * @param crossed indices of the item fields that are crossed
   * @param read notes the rows, and gives them back
   */
  constructor(crossed: readonly number[], read: RowLog) {
    this.#crossed = crossed;
    this.#read = read;
    this.#values = crossed.map(() => new Map<string, number>());
  }

  /** Begins a list. @param prefixes what its pairs begin with */
  start(prefixes: readonly string[]): void {
    this.#rows.fill(0, 0, this.#traits * this.#prefixes.length);
    this.#prefixes = prefixes;
    this.#categories.clear();
    for (const values of this.#values) values.clear();
    this.#suffixes.length = 0;
    this.#traits = 0;
  }

  /** Adds the weights of a candidate's pairs to `z`, one after the other. @returns the sum */
  addTo(z: number, candidate: PairedRow, table: FieldTable): number {
    const read = this.#read, own = this.#own, prefixes = this.#prefixes;
    this.#findTraits(candidate);
    for (let p = 0; p < prefixes.length; p++) {
      for (let i = 0; i < own.length; i++) {
        const at = own[i]! * prefixes.length + p;
        let row = this.#rows[at]!;
        if (row > UNKNOWN_ROW && table.again !== undefined) table.again(row);
        else row = this.#rows[at] = table.rowOf(prefixes[p]! + this.#suffixes[own[i]!]!);
        read.note(row);
        z += valueAt(table, row);
      }
    }
    return z;
  }

  /** Gives a gradient to each pair of a candidate of the list, in the order of {@linkcode PairRows.addTo}. */
  give(gradient: number, candidate: PairedRow, table: TrainableTable): void {
    const read = this.#read, own = this.#own, prefixes = this.#prefixes;
    this.#findTraits(candidate);
    for (let p = 0; p < prefixes.length; p++) {
      for (let i = 0; i < own.length; i++) {
        giveAt(table, read.nextJoined(table, prefixes[p]!, this.#suffixes[own[i]!]!), gradient);
      }
    }
  }

  #findTraits({ categories, fields }: PairedRow): void {
    const own = this.#own;
    own.length = 0;
    for (let i = 0; i < categories.length; i++) {
      const category = categories[i]!;
      own.push(
        this.#categories.get(category) ?? this.#add(this.#categories, category, categorySuffix(category)),
      );
    }
    for (let i = 0; i < this.#crossed.length; i++) {
      const index = this.#crossed[i]!;
      const value = fields[index];
      if (value === null || value === undefined) continue;
      const values = this.#values[i]!;
      own.push(values.get(value) ?? this.#add(values, value, fieldSuffix(index, value)));
    }
  }

  #add(traits: Map<string, number>, name: string, suffix: string): number {
    const trait = this.#traits++;
    traits.set(name, trait);
    this.#suffixes.push(suffix);
    const room = this.#traits * this.#prefixes.length;
    if (room > this.#rows.length) {
      const rows = new Uint32Array(2 * room);
      rows.set(this.#rows);
      this.#rows = rows;
    }
    return trait;
  }
}
