/**
 * The items of an open list, in columns.
 *
 * There are as many open lists as were answered within the window of outcomes. As objects, the items of a list of twenty
 * were two hundred of them, which V8 copied twice, then looked at in each collection of the old generation; in columns
 * they are half a dozen, and the list takes half of the memory.
 *
 * @module
 */

import type { Team } from "../../assignment/interleaving.ts";

/** What a model has read of an item. */
export interface RowFeatures {
  /** Categories at the impression. */
  readonly categories: readonly string[];
  /** Values of the schema's item fields at the impression. */
  readonly fields: readonly (string | null)[];
  /** Numeric features at the impression, not standardised; as many in all rows of a list. */
  readonly numerics: Float32Array;
  /** The causal prior's logit. */
  readonly offset: number;
}

/** One item of a pending impression. */
export interface PendingRow extends RowFeatures {
  /** Index in the catalogue. */
  readonly item: number;
  /** The frozen prediction as a logit. */
  readonly logit: number;
  /** The outcome, `null` while open. */
  readonly label: 0 | 1 | null;
  /** Whether it was clicked after its label was given. @default {false} */
  readonly late?: boolean;
  /** Whether an explicit action (a rating, a dislike) made the outcome final. */
  readonly closed: boolean;
  /** 0 is the top. */
  readonly position: number;
  /** Probability of the policy's choice, in (0, 1]. */
  readonly propensity: number;
  /** True probability, known only to a simulator; `NaN` when unknown. */
  readonly oracle: number;
  /** Sum of the values of the positive outcomes so far; absent = 0. */
  readonly reward?: number;
  /** Which of two interleaved variants is credited with it. */
  readonly team?: Team;
}

/** Numbers of a row beside its numeric features. */
const ITEM = 0, OFFSET = 1, LOGIT = 2, MARKS = 3, POSITION = 4, PROPENSITY = 5, ORACLE = 6, REWARD = 7;
const NUMBERS = 8;
/** Marks: a label in two bits, of which {@linkcode OPEN} is none; flags; and a team, of which 0 is none. */
const LABEL = 3, OPEN = 2, CLOSED = 4, LATE = 8, TEAM = 16;

/** An outcome of a row. */
export interface RowOutcome {
  /** 1 is positive, 0 explicitly negative. */
  readonly label: 0 | 1;
  /** Value of a positive outcome. @default {0} */
  readonly reward?: number;
  /** Whether it is final: no later outcome of the item is expected. */
  readonly explicit: boolean;
}

/** The items of a list. Their outcomes change, and nothing else. */
export class PendingRows implements Iterable<PendingRow> {
  /** All numeric features, row by row; there may be room behind those of the last. */
  readonly numerics: Float32Array;
  /** Numeric features of a row. */
  readonly width: number;
  readonly #numbers: Float64Array;
  readonly #categories: (readonly string[])[];
  readonly #fields: (readonly (string | null)[])[];
  #length = 0;

  /** No rows, and room for some. */
  constructor(room: number, width: number) {
    this.width = width;
    this.numerics = new Float32Array(room * width);
    this.#numbers = new Float64Array(room * NUMBERS);
    // Of just that size: an array that grows has room for as many again.
    this.#categories = new Array(room);
    this.#fields = new Array(room);
  }

  /** Rows in columns. */
  static of(rows: readonly PendingRow[]): PendingRows {
    const columns = new PendingRows(rows.length, rows[0]?.numerics.length ?? 0);
    for (const row of rows) columns.push(row);
    return columns;
  }

  /** Number of rows. */
  get length(): number {
    return this.#length;
  }

  /**
   * Adds an item that is not placed, and that nobody has answered. Features are copied.
   *
   * @returns Its row.
   */
  add(features: RowFeatures, item: number, logit: number): number {
    const { numerics, offset } = features;
    if (numerics.length !== this.width) {
      throw new RangeError(
        `Cannot add a row of ${numerics.length} numeric features to those of ${this.width}`,
      );
    }
    const row = this.#length++;
    this.numerics.set(numerics, row * this.width);
    this.#categories[row] = features.categories;
    this.#fields[row] = features.fields;
    const at = row * NUMBERS, numbers = this.#numbers;
    numbers[at + ITEM] = item;
    numbers[at + OFFSET] = offset;
    numbers[at + LOGIT] = logit;
    numbers[at + MARKS] = OPEN;
    numbers[at + PROPENSITY] = 1;
    numbers[at + ORACLE] = NaN;
    return row;
  }

  /** Says where a row is on the list, and the probability of that choice. */
  place(row: number, position: number, propensity: number): void {
    this.#numbers[row * NUMBERS + POSITION] = position;
    this.#numbers[row * NUMBERS + PROPENSITY] = propensity;
  }

  /** Says which of two interleaved variants is credited with a row: once. */
  draft(row: number, team: Team): void {
    this.#mark(row, TEAM * (1 + team));
  }

  /** Adds a copy of a row. */
  push(of: PendingRow): void {
    const row = this.add(of, of.item, of.logit);
    this.place(row, of.position, of.propensity);
    if (of.team !== undefined) this.draft(row, of.team);
    this.#mark(row, (of.label ?? OPEN) - OPEN + (of.closed ? CLOSED : 0) + (of.late ? LATE : 0));
    this.#numbers[row * NUMBERS + ORACLE] = of.oracle;
    this.#numbers[row * NUMBERS + REWARD] = of.reward ?? 0;
  }

  /** A copy of a row. Its features are shared. */
  at(row: number): PendingRow {
    const [team, reward] = [this.team(row), this.reward(row)];
    return {
      item: this.item(row),
      categories: this.categories(row),
      fields: this.fields(row),
      numerics: this.numerics.subarray(row * this.width, (row + 1) * this.width),
      offset: this.offset(row),
      logit: this.logit(row),
      label: this.label(row),
      ...(this.isLate(row) ? { late: true } : {}),
      closed: this.isClosed(row),
      position: this.position(row),
      propensity: this.propensity(row),
      oracle: this.oracle(row),
      ...(reward === 0 ? {} : { reward }),
      ...(team === undefined ? {} : { team }),
    };
  }

  /** Copies of all rows, as {@linkcode PendingRows.at} gives them. */
  *[Symbol.iterator](): Generator<PendingRow, void, undefined> {
    for (let row = 0; row < this.length; row++) yield this.at(row);
  }

  /** The first row of an item; −1 = there is none. */
  find(item: number): number {
    for (let row = 0; row < this.length; row++) if (this.item(row) === item) return row;
    return -1;
  }

  /** Gives a row a label: a positive one stays. @param outcome what is said of it */
  answer(row: number, { label, explicit, reward = 0 }: RowOutcome): void {
    const before = this.label(row);
    const now = label === 1 ? 1 : before ?? 0;
    this.#mark(row, now - (before ?? OPEN) + (explicit && !this.isClosed(row) ? CLOSED : 0));
    this.#numbers[row * NUMBERS + REWARD]! += reward;
  }

  /** Notes that a row was clicked after its label was given. */
  clickLate(row: number): void {
    if (!this.isLate(row)) this.#mark(row, LATE);
  }

  /** Index of its item in the catalogue. */
  item(row: number): number {
    return this.#numbers[row * NUMBERS + ITEM]!;
  }

  /** Categories of its item at the impression. */
  categories(row: number): readonly string[] {
    return this.#categories[row]!;
  }

  /** Values of its item's fields at the impression. */
  fields(row: number): readonly (string | null)[] {
    return this.#fields[row]!;
  }

  /** The causal prior's logit. */
  offset(row: number): number {
    return this.#numbers[row * NUMBERS + OFFSET]!;
  }

  /** The frozen prediction as a logit. */
  logit(row: number): number {
    return this.#numbers[row * NUMBERS + LOGIT]!;
  }

  /** The outcome, `null` while open. */
  label(row: number): 0 | 1 | null {
    const label = this.#marks(row) & LABEL;
    return label === OPEN ? null : label === 1 ? 1 : 0;
  }

  /** Whether the outcome is final. */
  isClosed(row: number): boolean {
    return (this.#marks(row) & CLOSED) !== 0;
  }

  /** Whether it was clicked after its label was given. */
  isLate(row: number): boolean {
    return (this.#marks(row) & LATE) !== 0;
  }

  /** 0 is the top. */
  position(row: number): number {
    return this.#numbers[row * NUMBERS + POSITION]!;
  }

  /** Probability of the policy's choice, in (0, 1]. */
  propensity(row: number): number {
    return this.#numbers[row * NUMBERS + PROPENSITY]!;
  }

  /** True probability; `NaN` when unknown. */
  oracle(row: number): number {
    return this.#numbers[row * NUMBERS + ORACLE]!;
  }

  /** Sum of the values of the positive outcomes so far. */
  reward(row: number): number {
    return this.#numbers[row * NUMBERS + REWARD]!;
  }

  /** Which of two interleaved variants is credited with it; `undefined` = neither. */
  team(row: number): Team | undefined {
    const team = Math.floor(this.#marks(row) / TEAM);
    return team === 0 ? undefined : team === 1 ? 0 : 1;
  }

  #marks(row: number): number {
    return this.#numbers[row * NUMBERS + MARKS]!;
  }

  #mark(row: number, change: number): void {
    this.#numbers[row * NUMBERS + MARKS]! += change;
  }
}
