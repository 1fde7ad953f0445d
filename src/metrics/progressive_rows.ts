import { endRecord, openRecord, readArray, startRecord, writeArray } from "../codec/record.ts";
import { accuracy, calibration, constantLogLoss, logLoss, normalizedEntropy } from "./probability.ts";
import { auc, gauc, prAuc } from "./ranking.ts";

/** A prediction made before its outcome, and the outcome. */
export interface ProgressiveRow {
  /** Index of the user: 0, 1, 2, … in the order of first appearance. */
  readonly user: number;
  /** Outcome in {0, 1}. */
  readonly label: number;
  /** The frozen prediction in [0, 1]. */
  readonly prediction: number;
  /** The true probability, from a simulator. @default {NaN} */
  readonly oracle?: number;
  /** Whether the user had no earlier behaviour. */
  readonly newUser: boolean;
}

/** Segments of rows by user. */
export type Segment = "all" | "new" | "returning";

/** All figures of a range of rows; `null` where undefined. */
export interface MetricsReport {
  /** Number of rows. */
  readonly rows: number;
  /** Area under the ROC curve. */
  readonly auc: number | null;
  /** AUC within users, weighted by their rows. */
  readonly gauc: number | null;
  /** Mean log loss in nats. */
  readonly logLoss: number | null;
  /** Log loss relative to the best constant. */
  readonly normalizedEntropy: number | null;
  /** Σ predictions / Σ labels. */
  readonly calibration: number | null;
  /** Average precision. */
  readonly prAuc: number | null;
  /** Share of rows where `prediction >= 0.5` agrees with the label. */
  readonly accuracy: number | null;
  /** Log loss of the best constant for these rows. */
  readonly constantLogLoss: number | null;
  /** Log loss of the true probabilities, if all rows have one. */
  readonly oracleLogLoss?: number | null;
  /** AUC of the true probabilities, if all rows have one. */
  readonly oracleAuc?: number | null;
}

const NAME = "progressive-rows";
const VERSION = 1;
/** Bits of a row's flags, as encoded. */
const LABEL = 1, NEW_USER = 2;

/**
 * All evaluated predictions in order, for exact figures over any range: progressive validation (McMahan et al., KDD'13)
 * without the approximations of constant memory. 14 bytes per row, and 8 for a true probability.
 *
 * @example
 * ```ts
 * import { ProgressiveRows } from "@meander/meander/evaluation";
 * import assert from "node:assert/strict";
 * const rows = new ProgressiveRows();
 * rows.update({ user: 0, label: 0, prediction: 0.2, newUser: true });
 * rows.update({ user: 0, label: 1, prediction: 0.6, newUser: false });
 * assert.equal(rows.report().auc, 1);
 * assert.equal(rows.report(1).auc, null); // One label only.
 * assert.equal(rows.report(0, 2, "new").rows, 1);
 * ```
 */
export class ProgressiveRows {
  #labels = new Uint8Array(1024);
  #newUsers = new Uint8Array(1024);
  #users = new Uint32Array(1024);
  #predictions = new Float64Array(1024);
  /** Empty until the first true probability is known. */
  #oracles = new Float64Array(0);
  #length = 0;

  /** Number of rows. */
  get length(): number {
    return this.#length;
  }

  /** Outcomes of all rows: a view, valid until the next update. */
  get labels(): Uint8Array {
    return this.#labels.subarray(0, this.#length);
  }

  /** Predictions of all rows: a view, valid until the next update. */
  get predictions(): Float64Array {
    return this.#predictions.subarray(0, this.#length);
  }

  /** Appends a row. @throws {RangeError} if the prediction is not in [0, 1] or the label not in {0, 1} */
  update(row: ProgressiveRow): void {
    const { user, label, prediction, oracle = NaN, newUser } = row;
    if (!(prediction >= 0 && prediction <= 1) || (label !== 0 && label !== 1)) {
      throw new RangeError(
        `Cannot judge a row as prediction and outcome: current values are ${prediction} and ${label}`,
      );
    }
    const at = this.#length;
    if (at === this.#labels.length) this.#reserve(2 * at);
    this.#labels[at] = label;
    this.#newUsers[at] = newUser ? 1 : 0;
    this.#users[at] = user;
    this.#predictions[at] = prediction;
    if (!Number.isNaN(oracle) && this.#oracles.length === 0) {
      this.#oracles = new Float64Array(this.#labels.length).fill(NaN);
    }
    if (this.#oracles.length > 0) this.#oracles[at] = oracle;
    this.#length++;
  }

  /**
   * All figures of the rows `[from, to)` of a segment. O(n log n).
   *
   * @param from first row @default {0}
   * @param to one past the last row @default {length}
   * @param segment users whose rows count @default {"all"}
   */
  report(from = 0, to: number = this.#length, segment: Segment = "all"): MetricsReport {
    const end = Math.min(to, this.#length);
    let users = this.#users.subarray(from, end);
    let labels = this.#labels.subarray(from, end);
    let predictions = this.#predictions.subarray(from, end);
    let oracles = this.#oracles.subarray(from, end);
    if (segment !== "all") {
      const wanted = segment === "new" ? 1 : 0;
      const newUsers = this.#newUsers;
      const mine = (_: number, i: number) => newUsers[from + i] === wanted;
      users = users.filter(mine);
      labels = labels.filter(mine);
      predictions = predictions.filter(mine);
      oracles = oracles.filter(mine);
    }
    const report = {
      rows: labels.length,
      auc: auc(labels, predictions),
      gauc: gauc(users, labels, predictions),
      logLoss: logLoss(labels, predictions),
      normalizedEntropy: normalizedEntropy(labels, predictions),
      calibration: calibration(labels, predictions),
      prAuc: prAuc(labels, predictions),
      accuracy: accuracy(labels, predictions),
      constantLogLoss: constantLogLoss(labels),
    };
    if (oracles.length === 0 || oracles.some(Number.isNaN)) return report;
    return { ...report, oracleLogLoss: logLoss(labels, oracles), oracleAuc: auc(labels, oracles) };
  }

  /** Drops the oldest rows. O(rows). @returns The previous index of each remaining user; the n-th becomes n. */
  drop(count: number): number[] {
    const { length } = this;
    for (const column of [this.#labels, this.#newUsers, this.#users, this.#predictions, this.#oracles]) {
      column.copyWithin(0, Math.min(count, column.length), length);
    }
    this.#length = Math.max(0, length - count);
    const indices = new Map<number, number>();
    for (let i = 0; i < this.#length; i++) {
      const user = this.#users[i] ?? 0;
      const index = indices.get(user) ?? indices.size;
      indices.set(user, index);
      this.#users[i] = index;
    }
    return [...indices.keys()];
  }

  /** Encodes all rows by column, deterministically. */
  encode(): Uint8Array {
    const length = this.#length;
    const flags = this.#labels.slice(0, length);
    for (let i = 0; i < length; i++) flags[i] = (flags[i] ? LABEL : 0) | (this.#newUsers[i] ? NEW_USER : 0);
    const writer = startRecord(NAME, VERSION).uint(length);
    writeArray(writer, flags);
    writeArray(writer, this.#users.subarray(0, length));
    writeArray(writer, this.#predictions.subarray(0, length));
    writeArray(writer, this.#oracles.subarray(0, length));
    return writer.toBytes();
  }

  /** Replaces its rows with encoded ones. @throws {SyntaxError} if the bytes are invalid; nothing is changed then */
  decode(bytes: Uint8Array): void {
    const reader = openRecord(bytes, NAME, VERSION);
    const length = reader.uint();
    const flags = reader.bytes();
    if (flags.length !== length) {
      throw new SyntaxError(`Cannot decode ${length} rows: there are ${flags.length} labels`);
    }
    const users = readArray(reader, new Uint32Array(length));
    const predictions = readArray(reader, new Float64Array(length));
    const oracleBytes = reader.bytes();
    endRecord(reader, NAME);
    if (oracleBytes.length !== 0 && oracleBytes.length !== 8 * length) {
      throw new SyntaxError(
        `Cannot decode ${length} rows: their true probabilities are ${oracleBytes.length} bytes`,
      );
    }
    const oracles = new Float64Array(oracleBytes.slice().buffer);
    this.#labels = flags.map((bits) => bits & LABEL ? 1 : 0);
    this.#newUsers = flags.map((bits) => bits & NEW_USER ? 1 : 0);
    this.#users = users;
    this.#predictions = predictions;
    this.#oracles = oracles;
    this.#length = length;
    this.#reserve(Math.max(1024, length));
  }

  #reserve(rows: number): void {
    this.#labels = extended(this.#labels, new Uint8Array(rows));
    this.#newUsers = extended(this.#newUsers, new Uint8Array(rows));
    this.#users = extended(this.#users, new Uint32Array(rows));
    this.#predictions = extended(this.#predictions, new Float64Array(rows));
    if (this.#oracles.length > 0) this.#oracles = extended(this.#oracles, new Float64Array(rows).fill(NaN));
  }
}

function extended<T extends Uint8Array | Uint32Array | Float64Array>(from: T, into: T): T {
  into.set(from);
  return into;
}
