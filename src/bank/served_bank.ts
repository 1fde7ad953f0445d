/**
 * The bank of exponential means as it is served: its newest weights, and an index of the items' output vectors. Each
 * vector is followed by its bias, and each query by a 1, so that their inner product is the score itself.
 *
 * @module
 */

import { UNKNOWN_ROW } from "../embeddings/rows.ts";
import { ServingTable, type StagedDelta } from "../embeddings/serving_table.ts";
import { BANK_BEHAVIOURS, BANK_TABLES, BANK_WIDTH } from "./bank_tables.ts";
import { EmaBank } from "./ema_bank.ts";
import { createKernels } from "../nn/kernels/choose.ts";
import type { KernelName, Kernels } from "../nn/kernels/kernels.ts";
import type { Nearest } from "../vectors/nearest.ts";
import { VectorIndex } from "../vectors/vector_index.ts";

/** Capacity of the first index, in items; it doubles when full. */
const FIRST_CAPACITY = 4096;
/** Vectors that change between two calls of {@linkcode VectorIndex.tend}. */
const TEND_EVERY = 10;

/** Behaviours of a query, newest first. */
export interface BankBehaviours {
  /** Ids of their items. */
  readonly items: readonly string[];
  /** Signed strengths. */
  readonly strengths: ArrayLike<number>;
  /** Time since the newest one, milliseconds. */
  readonly gapMs: number;
}

/** Scores which items come next, by the newest version of a bank. */
export class ServedBank {
  readonly #kernels: Kernels;
  readonly #bank: EmaBank;
  readonly #tables = {
    in: new ServingTable(BANK_TABLES.in, BANK_WIDTH),
    out: new ServingTable(BANK_TABLES.out, BANK_WIDTH + 1),
  };
  /** Output vectors, by row of their table. */
  #index: VectorIndex;
  #capacity = FIRST_CAPACITY;
  /** By row: whether it is in the index. */
  #indexed = new Uint8Array(FIRST_CAPACITY);
  readonly #e: Float32Array;
  readonly #strengths = new Float32Array(BANK_BEHAVIOURS);
  readonly #query: Float32Array;
  #moves = 0;
  #puts = 0;

  /** Starts untrained. @param kernels name of the kernels to use */
  constructor(kernels: KernelName) {
    this.#kernels = createKernels(kernels);
    this.#bank = new EmaBank(BANK_WIDTH, () => 0, this.#kernels);
    this.#index = this.#newIndex(FIRST_CAPACITY);
    this.#e = this.#kernels.floats(BANK_BEHAVIOURS * BANK_WIDTH);
    this.#query = this.#kernels.floats(BANK_WIDTH + 1);
  }

  /** Number of items with an output vector. */
  get size(): number {
    return this.#index.size;
  }

  /** How often rows may have been reassigned: while it is unchanged, each row still belongs to its item. */
  get moves(): number {
    return this.#moves;
  }

  /** Begins to apply the rows of a version. @param table one of {@linkcode BANK_TABLES} */
  stage(table: string, bytes: Uint8Array): StagedDelta {
    const staged = (table === BANK_TABLES.in ? this.#tables.in : this.#tables.out).stage(bytes);
    if (table === BANK_TABLES.in) return staged;
    return {
      ...staged,
      commit: () => {
        staged.commit();
        this.#update(staged);
      },
    };
  }

  /** Takes the dense weights of a version. @throws RangeError when there are more than a bank has */
  set(dense: Float32Array): void {
    this.#bank.parameters.values.set(dense);
  }

  /** Sets the query that {@linkcode ServedBank.score} and {@linkcode ServedBank.nearest} score items for. */
  ask({ items, strengths, gapMs }: BankBehaviours): void {
    const T = Math.min(BANK_BEHAVIOURS, items.length), d = BANK_WIDTH;
    const e = this.#e.fill(0, 0, T * d);
    for (let t = 0; t < T; t++) {
      const { in: table } = this.#tables, newest = T - 1 - t;
      table.addRow(table.lookup(items[newest]!), 1, e, t * d);
      this.#strengths[t] = strengths[newest]!;
    }
    this.#query.set(this.#bank.query({ T, e, strengths: this.#strengths, gapMs }));
    this.#query[d] = 1;
  }

  /** The row of an item's output vector; 0 = it has none. */
  rowOf(item: string): number {
    const row = this.#tables.out.lookup(item);
    return row === UNKNOWN_ROW ? 0 : row;
  }

  /** The id of the item of a row. */
  itemOf(row: number): string {
    return this.#tables.out.key(row);
  }

  /** The score of an item that has a row. */
  score(row: number): number {
    const { values } = this.#index, query = this.#query;
    const from = this.#index.offset(row);
    let sum = 0;
    for (let i = 0; i <= BANK_WIDTH; i++) sum += query[i]! * values[from + i]!;
    return sum;
  }

  /** Rows of the items with the largest scores, or nearly those; valid until the next call. */
  nearest(limit: number): Nearest {
    return this.#index.nearest(this.#query, limit);
  }

  /** Brings the index up to date with the table; in place, as the kernels' memory is never freed. */
  #update(staged: StagedDelta): void {
    staged.forEachRow((row) => this.#put(row));
    if (!staged.moves) return;
    this.#moves++;
    const gone = this.#indexed.slice();
    this.#tables.out.forEachRow((row) => gone[row] = 0);
    gone.forEach((isGone, row) => {
      if (isGone === 0) return;
      this.#index.remove(row);
      this.#indexed[row] = 0;
    });
  }

  #put(row: number): void {
    if (row >= this.#capacity) this.#grow(row);
    if (this.#indexed[row] === 0) {
      this.#index.add(row);
      this.#indexed[row] = 1;
    }
    this.#tables.out.copyRow(row, this.#index.values, this.#index.offset(row));
    this.#index.changed(row);
    if (++this.#puts % TEND_EVERY === 0) this.#index.tend();
  }

  #grow(row: number): void {
    while (this.#capacity <= row) this.#capacity *= 2;
    const before = this.#indexed;
    this.#index = this.#newIndex(this.#capacity);
    this.#indexed = new Uint8Array(this.#capacity);
    before.forEach((isIndexed, other) => {
      if (isIndexed === 1) this.#put(other);
    });
  }

  #newIndex(capacity: number): VectorIndex {
    return new VectorIndex({ dimensions: BANK_WIDTH + 1, capacity }, this.#kernels);
  }
}
