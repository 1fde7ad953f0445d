/**
 * Progressive validation: each prediction is frozen at its impression and judged when its outcome is final, before the
 * sample is learnt (McMahan et al., KDD 2013).
 */

import { createHash } from "node:crypto";
import type { ByteReader } from "../codec/byte_reader.ts";
import type { ByteWriter } from "../codec/byte_writer.ts";
import { ProgressiveRows } from "../metrics/progressive_rows.ts";
import type { LearnResult } from "./learner.ts";
import type { Sample } from "../samples/sample.ts";
import { times } from "../values/times.ts";

/** Progress of learning after a batch. */
export interface LearningMark {
  /** Rows judged so far. */
  readonly rows: number;
  /** Event time of the newest sample, milliseconds since the epoch. */
  readonly time: number;
  /** Mean loss per row of the batch, nats. */
  readonly loss: number;
  /** Mean auxiliary loss of the batch; 0 without. */
  readonly aux: number;
  /** Newest version before the batch. */
  readonly version: number;
}

/** Options of a {@linkcode Validation}. */
export interface ValidationOptions {
  /** Number of rows and marks to keep; up to twice as many are held. @default {all} */
  readonly rows?: number;
}

/**
 * Predictions judged on final outcomes before they were learnt, with the progress of learning.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { Validation } from "@meander/meander/core";
 *
 * const { rows, judged } = new Validation(); // a replay has one at `learning.validation`
 * assert.equal(judged, 0);
 * assert.equal(rows.report().auc, null);
 * ```
 */
export class Validation {
  /** The judged rows that are kept. */
  readonly rows: ProgressiveRows = new ProgressiveRows();
  readonly #keep: number;
  #dropped = 0;
  /** Indices of users in `#names`. */
  #users = new Map<string, number>();
  /** Ids of the users of rows, by index; empty = erased. */
  #names: string[] = [];
  #marks: LearningMark[] = [];
  #digest: Uint8Array = new Uint8Array(32);

  /** Starts without rows. */
  constructor({ rows = Infinity }: ValidationOptions = {}) {
    this.#keep = rows;
  }

  /** Number of rows judged, including those no longer kept. */
  get judged(): number {
    return this.#dropped + this.rows.length;
  }

  /** Marks of the batches whose rows are kept, oldest first. */
  get marks(): readonly LearningMark[] {
    return this.#marks;
  }

  /** Digest of all samples in order: `d_n = SHA-256(d_{n−1} ‖ SHA-256(record_n))`, in hexadecimal. @internal */
  get digest(): string {
    return [...this.#digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  }

  /** @internal Judges a sample whose labels are final. @param bytes its record, for the digest */
  update(sample: Sample, bytes: Uint8Array): void {
    if (sample.purpose !== "learn") this.#judge(sample);
    const record = createHash("sha256").update(bytes).digest();
    this.#digest = createHash("sha256").update(this.#digest).update(record).digest();
    if (this.rows.length >= 2 * this.#keep) this.#drop(this.rows.length - this.#keep);
  }

  #judge(sample: Sample): void {
    const known = this.#users.get(sample.user);
    const user = known ?? this.#names.length;
    if (known === undefined) {
      this.#users.set(sample.user, user);
      this.#names.push(sample.user);
    }
    const { rows, newUser } = sample;
    for (let row = 0; row < rows.length; row++) {
      const [label, prediction, oracle] = [rows.label(row), rows.prediction(row), rows.oracle(row)];
      this.rows.update({ user, label, prediction, oracle, newUser });
    }
  }

  #drop(count: number): void {
    this.#setNames(this.rows.drop(count).map((index) => this.#names[index] ?? ""));
    this.#marks = this.#marks.flatMap((mark) =>
      mark.rows > count ? [{ ...mark, rows: mark.rows - count }] : []
    );
    this.#dropped += count;
  }

  #setNames(names: string[]): void {
    this.#names = names;
    this.#users = new Map();
    for (const [place, name] of names.entries()) if (name !== "") this.#users.set(name, place);
  }

  /** @internal Erases user ids; their rows stay, anonymously. */
  erase(users: readonly string[]): void {
    for (const user of users) {
      const place = this.#users.get(user);
      if (place === undefined) continue;
      this.#users.delete(user);
      this.#names[place] = "";
    }
  }

  /** @internal Records the progress of learning after a batch. */
  mark(result: Pick<LearnResult, "loss" | "aux">, time: number, version: number): void {
    const { loss, aux } = result;
    this.#marks.push({ rows: this.rows.length, time, loss, aux, version });
    if (this.#marks.length >= 2 * this.#keep) this.#marks = this.#marks.slice(-this.#keep);
  }

  /** @internal Writes everything. */
  encode(to: ByteWriter): void {
    to.bytes(this.rows.encode()).bytes(this.#digest).uint(this.#names.length);
    for (const name of this.#names) to.string(name);
    to.uint(this.#marks.length);
    for (const mark of this.#marks) {
      to.uint(mark.rows).f64(mark.time).f64(mark.loss).f64(mark.aux).uint(mark.version);
    }
    to.uint(this.#dropped);
  }

  /** @internal Reads what {@linkcode Validation.encode} wrote; this one must be empty. */
  decode(from: ByteReader): void {
    this.rows.decode(from.bytes());
    this.#digest = from.bytes().slice();
    this.#setNames(times(from.uint(), () => from.string()));
    this.#marks = times(from.uint(), () => ({
      rows: from.uint(),
      time: from.f64(),
      loss: from.f64(),
      aux: from.f64(),
      version: from.uint(),
    }));
    this.#dropped = from.uint();
  }
}
