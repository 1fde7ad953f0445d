/**
 * The bank of exponential means as it is served: its newest weights, and a copy of the items' output vectors in the
 * kernels' memory, all of which a search scores. Each vector is followed by its bias, and each query by a 1, so that
 * their inner product is the score itself.
 */

import { UNKNOWN_ROW } from "../embeddings/rows.ts";
import { ServingTable, type StagedDelta } from "../embeddings/serving_table.ts";
import { BANK_BEHAVIOURS, BANK_TABLES, BANK_WIDTH } from "./bank_tables.ts";
import { EmaBank } from "./ema_bank.ts";
import { createKernels } from "../nn/kernels/choose.ts";
import type { KernelName, Kernels } from "../nn/kernels/kernels.ts";
import { Nearest } from "../vectors/nearest.ts";

/** Rows for which there is room at first; the room doubles when full. */
const FIRST_CAPACITY = 4096;
/** Rows that are scored at a time. */
const RUN = 4096;
/** Floats of an output vector and its bias. */
const OUT = BANK_WIDTH + 1;

/** Behaviours of a query, newest first. */
export interface BankBehaviours {
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
    out: new ServingTable(BANK_TABLES.out, OUT),
  };
  /** Output vectors, by row of their table. */
  #vectors: Float32Array;
  /** By row: whether an item has it. */
  #used = new Uint8Array(FIRST_CAPACITY);
  /** Rows up to the last one in use. */
  #rows = 0;
  #size = 0;
  readonly #scores: Float32Array;
  #nearest = new Nearest(0);
  readonly #e: Float32Array;
  readonly #strengths = new Float32Array(BANK_BEHAVIOURS);
  readonly #query: Float32Array;
  #moves = 0;

  /** Starts untrained. @param kernels name of the kernels to use */
  constructor(kernels: KernelName) {
    this.#kernels = createKernels(kernels);
    this.#bank = new EmaBank(BANK_WIDTH, () => 0, this.#kernels);
    this.#vectors = this.#kernels.floats(FIRST_CAPACITY * OUT);
    this.#scores = this.#kernels.floats(RUN);
    this.#e = this.#kernels.floats(BANK_BEHAVIOURS * BANK_WIDTH);
    this.#query = this.#kernels.floats(OUT);
  }

  /** Number of items with an output vector. */
  get size(): number {
    return this.#size;
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

  /** Takes the dense weights of a version. @throws RangeError when there are not as many as a bank has */
  set(dense: Float32Array): void {
    const { values } = this.#bank.parameters;
    if (dense.length !== values.length) {
      throw new RangeError(
        `Cannot take ${dense.length} weights of a version as a bank's: it has ${values.length}`,
      );
    }
    values.set(dense);
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

  itemOf(row: number): string {
    return this.#tables.out.key(row);
  }

  score(row: number): number {
    let sum = 0;
    for (let i = 0, at = row * OUT; i < OUT; i++, at++) sum += this.#query[i]! * this.#vectors[at]!;
    return sum;
  }

  /** Rows of the items with the largest scores; valid until the next call. O(items). */
  nearest(limit: number): Nearest {
    if (limit !== this.#nearest.limit) this.#nearest = new Nearest(limit);
    const nearest = this.#nearest, used = this.#used;
    nearest.clear();
    for (let from = 0; from < this.#rows; from += RUN) {
      const length = Math.min(RUN, this.#rows - from);
      const scores = this.#kernels.clear(this.#scores.subarray(0, length));
      this.#kernels.addYWt(scores, 0, this.#query, 0, this.#vectors, from * OUT, 1, length, OUT);
      for (let k = 0; k < length; k++) {
        if (scores[k]! > nearest.border && used[from + k] === 1) nearest.add(from + k, scores[k]!);
      }
    }
    nearest.cut();
    return nearest;
  }

  /** Brings the vectors up to date with the table; in place, as the kernels' memory is never freed. */
  #update(staged: StagedDelta): void {
    staged.forEachRow((row) => this.#put(row));
    if (!staged.moves) return;
    this.#moves++;
    this.#used.fill(0);
    this.#rows = this.#size = 0;
    this.#tables.out.forEachRow((row) => this.#use(row));
  }

  #put(row: number): void {
    if (row >= this.#used.length) this.#grow(row);
    if (this.#used[row] === 0) this.#use(row);
    this.#tables.out.copyRow(row, this.#vectors, row * OUT);
  }

  #use(row: number): void {
    this.#used[row] = 1;
    this.#size++;
    this.#rows = Math.max(this.#rows, row + 1);
  }

  #grow(row: number): void {
    const used = this.#used, vectors = this.#vectors;
    let capacity = used.length;
    while (capacity <= row) capacity *= 2;
    this.#used = new Uint8Array(capacity);
    this.#used.set(used);
    this.#vectors = this.#kernels.floats(capacity * OUT);
    this.#vectors.set(vectors);
  }
}
