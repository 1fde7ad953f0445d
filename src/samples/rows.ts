/**
 * The rows of a list, in columns: candidates as they are scored, the slate that is chosen from them, the impression
 * that waits for its outcome, and the sample that is learnt are all of this one type.
 *
 * A list stays open for the outcome window, so many are open at once. In columns, a list is half a dozen objects for
 * the garbage collector; with objects for rows, a list of twenty would be two hundred.
 */

import type { Team } from "../assignment/interleaving.ts";
import { times } from "../values/times.ts";

/** What models read of an item; the same object until any of it changes. */
export interface ItemFeatures {
  /** Number of the item in this process; −1 in a sample that was read from the log. */
  readonly index: number;
  /** Id of the item. */
  readonly id: string;
  /** Categories, most important first. */
  readonly categories: readonly string[];
  /** Values of the schema's item fields; `null` = missing. */
  readonly fields: readonly (string | null)[];
}

/** One row, read out of its columns. */
export interface Row {
  /** Id of the item. */
  readonly item: string;
  /** Categories of the item, most important first. */
  readonly categories: readonly string[];
  /** Values of the schema's item fields; `null` = missing. */
  readonly fields: readonly (string | null)[];
  /** Numeric features in the schema's order, not standardised; always finite. */
  readonly numerics: Float32Array;
  /** Logit of the causal prior (item mean + user mean − base rate) that the model starts from. */
  readonly offset: number;
  /** 1 for a positive outcome within the window, else 0. */
  readonly label: 0 | 1;
  /** 0 is the top of the list; −1 for a candidate that has no place. */
  readonly position: number;
  /** Probability with which the policy chose it, in (0, 1]; 1 when unknown. */
  readonly propensity: number;
  /** The prediction frozen at the impression, a probability. */
  readonly prediction: number;
  /** True probability, known only to a simulator; never a feature. `NaN` when unknown. */
  readonly oracle: number;
  /** Sum of the values of positive interactions within the window. */
  readonly reward: number;
  /** Interleaved variant that is credited with it; `undefined` for neither. */
  readonly team: Team | undefined;
}

/** A row to be put into columns: an item, and those of its values that are known. */
export type RowValues = Pick<Row, "item"> & Partial<Row>;

/** An outcome of a row. */
export interface RowOutcome {
  /** 1 is positive, 0 explicitly negative. */
  readonly label: 0 | 1;
  /** Value of a positive outcome. @default {0} */
  readonly reward?: number | undefined;
  /** Whether it is final: no later outcome of the item is expected. */
  readonly explicit: boolean;
}

/** Numbers of a row other than its numeric features. */
const OFFSET = 0, LOGIT = 1, PREDICTION = 2, MARKS = 3, POSITION = 4, PROPENSITY = 5, ORACLE = 6, REWARD = 7;
const NUMBERS = 8;
/** Marks: a label in two bits ({@linkcode OPEN} = none), flags, and a team (0 = none). */
const LABEL = 3, OPEN = 2, CLOSED = 4, LATE = 8, TEAM = 16;

/**
 * Rows in columns. Scoring sets logits, the policy positions and propensities, and the join outcomes; values that are
 * not set yet have their defaults.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { Rows } from "@meander/meander/core";
 *
 * const rows = Rows.of([{ item: "tent", categories: ["outdoor"], label: 1 }, { item: "lamp" }]);
 * assert.equal(rows.length, 2);
 * assert.deepEqual(rows.map(({ item, label, position }) => [item, label, position]), [["tent", 1, 0], ["lamp", 0, 1]]);
 * ```
 */
export class Rows implements Iterable<Row> {
  /** Numeric features of a row, N. */
  readonly width: number;
  /** What models read of the items [K]; here and in the next two, there may be unused room at the end. */
  readonly items: ItemFeatures[];
  /** Numeric features [K, N], not standardised. */
  numerics: Float32Array;
  /** @internal Everything else [K, 8]. */
  numbers: Float64Array;
  #length = 0;

  /** No rows, and room for some. @param width numeric features per row @param numerics those of all rows, if known */
  constructor(room: number, width: number, numerics: Float32Array = new Float32Array(room * width)) {
    this.width = width;
    // Of exactly this size: a growing array would allocate spare room.
    this.items = new Array<ItemFeatures>(room);
    this.numerics = numerics;
    this.numbers = new Float64Array(room * NUMBERS);
  }

  /**
   * Builds rows from objects, such as those in tests and in imported data. By default, a row's position is its index,
   * its label 0, and its prediction σ(offset).
   *
   * @throws RangeError when they have different numbers of numeric features
   */
  static of(values: readonly RowValues[]): Rows {
    const rows = new Rows(values.length, values[0]?.numerics?.length ?? 0);
    for (const { item, categories = [], fields = [], numerics = [], offset = 0, ...value } of values) {
      if (numerics.length !== rows.width) {
        throw new RangeError(
          `Cannot add a row of ${numerics.length} numeric features to those of ${rows.width}`,
        );
      }
      const row = rows.add({ index: -1, id: item, categories, fields }, offset, offset);
      rows.numerics.set(numerics, row * rows.width);
      rows.place(row, value.position ?? row, value.propensity ?? 1);
      if (value.prediction !== undefined) rows.predict(row, value.prediction);
      rows.setOracle(row, value.oracle ?? NaN);
      rows.answer(row, { label: value.label ?? 0, reward: value.reward, explicit: false });
      if (value.team !== undefined) rows.draft(row, value.team);
    }
    return rows;
  }

  /** Number of rows, K. */
  get length(): number {
    return this.#length;
  }

  /** Drops all rows, and makes room for others. */
  clear(room: number): void {
    this.#length = 0;
    if (room * NUMBERS <= this.numbers.length) return;
    this.numerics = new Float32Array(2 * room * this.width);
    this.numbers = new Float64Array(2 * room * NUMBERS);
  }

  /**
   * Adds an item that has no place and no outcome. The caller writes its numeric features to `numerics`.
   *
   * @returns Its row.
   */
  add(item: ItemFeatures, offset: number, logit: number): number {
    const row = this.#length++;
    this.items[row] = item;
    const at = row * NUMBERS, numbers = this.numbers;
    numbers[at + OFFSET] = offset;
    numbers[at + LOGIT] = logit;
    numbers[at + PREDICTION] = NaN;
    numbers[at + MARKS] = OPEN;
    numbers[at + POSITION] = -1;
    numbers[at + PROPENSITY] = 1;
    numbers[at + ORACLE] = NaN;
    numbers[at + REWARD] = 0;
    return row;
  }

  /** Adds a copy of a row of `from`, which must have as many numeric features. @returns The row */
  copy(from: Rows, row: number): number {
    const { width } = this;
    const own = this.#length++;
    this.items[own] = from.items[row]!;
    for (let n = 0; n < width; n++) this.numerics[own * width + n] = from.numerics[row * width + n]!;
    for (let n = 0; n < NUMBERS; n++) this.numbers[own * NUMBERS + n] = from.numbers[row * NUMBERS + n]!;
    return own;
  }

  /** Copies of some rows, in that order. */
  pick(rows: readonly number[]): Rows {
    const picked = new Rows(rows.length, this.width);
    for (const row of rows) picked.copy(this, row);
    return picked;
  }

  /** Sets the frozen prediction as a logit. */
  setLogit(row: number, logit: number): void {
    this.numbers[row * NUMBERS + LOGIT] = logit;
  }

  /** Sets the frozen prediction as a probability whose logit is unknown. */
  predict(row: number, prediction: number): void {
    this.numbers[row * NUMBERS + LOGIT] = NaN;
    this.numbers[row * NUMBERS + PREDICTION] = prediction;
  }

  /** Sets a row's position on the list, and the probability with which it was chosen. */
  place(row: number, position: number, propensity: number): void {
    this.numbers[row * NUMBERS + POSITION] = position;
    this.numbers[row * NUMBERS + PROPENSITY] = propensity;
  }

  /** Credits a row to one of two interleaved variants; call it at most once per row. */
  draft(row: number, team: Team): void {
    this.#mark(row, TEAM * (1 + team));
  }

  /** Sets the true probability. */
  setOracle(row: number, oracle: number): void {
    this.numbers[row * NUMBERS + ORACLE] = oracle;
  }

  /** Sets the sum of the values of the positive outcomes. */
  setReward(row: number, reward: number): void {
    this.numbers[row * NUMBERS + REWARD] = reward;
  }

  /** Adds an outcome to a row. A positive label stays positive. */
  answer(row: number, { label, explicit, reward = 0 }: RowOutcome): void {
    const before = this.isOpen(row) ? OPEN : this.label(row);
    const now = label === 1 || before === 1 ? 1 : 0;
    this.#mark(row, now - before);
    if (explicit) this.close(row);
    const sum = this.reward(row) + reward;
    this.setReward(row, Math.max(-Number.MAX_VALUE, Math.min(Number.MAX_VALUE, sum)));
  }

  /** Marks the outcome of a row as final. */
  close(row: number): void {
    if (!this.isClosed(row)) this.#mark(row, CLOSED);
  }

  /** Marks a row as clicked after its label was given. */
  clickLate(row: number): void {
    if (!this.isLate(row)) this.#mark(row, LATE);
  }

  /** Index of the first row of an item; −1 = there is none. @param item its number in this process */
  find(item: number): number {
    for (let row = 0; row < this.#length; row++) if (this.items[row]!.index === item) return row;
    return -1;
  }

  /** Numeric features of a row: a view on `numerics`. */
  numericsOf(row: number): Float32Array {
    return this.numerics.subarray(row * this.width, (row + 1) * this.width);
  }

  /** The causal prior's logit. */
  offset(row: number): number {
    return this.numbers[row * NUMBERS + OFFSET]!;
  }

  /** The frozen prediction as a logit; `NaN` if only the probability is known. */
  logit(row: number): number {
    return this.numbers[row * NUMBERS + LOGIT]!;
  }

  /** The frozen prediction as a probability. */
  prediction(row: number): number {
    const prediction = this.numbers[row * NUMBERS + PREDICTION]!;
    return prediction === prediction ? prediction : 1 / (1 + Math.exp(-this.logit(row)));
  }

  /** 1 after a positive outcome, else 0. */
  label(row: number): 0 | 1 {
    return (this.#marks(row) & LABEL) === 1 ? 1 : 0;
  }

  /** Whether it has no outcome yet. */
  isOpen(row: number): boolean {
    return (this.#marks(row) & OPEN) !== 0;
  }

  /** Whether an explicit action (a rating, a dislike) made the outcome final. */
  isClosed(row: number): boolean {
    return (this.#marks(row) & CLOSED) !== 0;
  }

  /** Whether it was clicked after its label was given. */
  isLate(row: number): boolean {
    return (this.#marks(row) & LATE) !== 0;
  }

  /** 0 is the top; −1 without a place. */
  position(row: number): number {
    return this.numbers[row * NUMBERS + POSITION]!;
  }

  /** Probability of the policy's choice, in (0, 1]. */
  propensity(row: number): number {
    return this.numbers[row * NUMBERS + PROPENSITY]!;
  }

  /** True probability; `NaN` when unknown. */
  oracle(row: number): number {
    return this.numbers[row * NUMBERS + ORACLE]!;
  }

  /** Sum of the values of the positive outcomes so far. */
  reward(row: number): number {
    return this.numbers[row * NUMBERS + REWARD]!;
  }

  /** Which of two interleaved variants is credited with it; `undefined` = neither. */
  team(row: number): Team | undefined {
    const team = Math.floor(this.#marks(row) / TEAM);
    return team === 0 ? undefined : team === 1 ? 0 : 1;
  }

  /** A row as an object. @throws RangeError when there is none */
  at(row: number): Row {
    const item = row < this.#length ? this.items[row] : undefined;
    if (item === undefined) throw new RangeError(`Cannot read row ${row}: there are ${this.#length}`);
    return {
      item: item.id,
      categories: item.categories,
      fields: item.fields,
      numerics: this.numericsOf(row),
      offset: this.offset(row),
      label: this.label(row),
      position: this.position(row),
      propensity: this.propensity(row),
      prediction: this.prediction(row),
      oracle: this.oracle(row),
      reward: this.reward(row),
      team: this.team(row),
    };
  }

  /** Calls `of` with each row as an object, and returns the results. */
  map<Value>(of: (row: Row, at: number) => Value): Value[] {
    return times(this.#length, (row) => of(this.at(row), row));
  }

  /** All rows as objects. */
  *[Symbol.iterator](): Generator<Row, void, undefined> {
    for (let row = 0; row < this.#length; row++) yield this.at(row);
  }

  #marks(row: number): number {
    return this.numbers[row * NUMBERS + MARKS]!;
  }

  #mark(row: number, change: number): void {
    this.numbers[row * NUMBERS + MARKS]! += change;
  }
}
