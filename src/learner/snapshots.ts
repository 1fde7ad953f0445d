/**
 * States that a learner may go back to: the last checkpoint, after a step that broke the weights, and an older one that
 * was served for a while without complaint, after predictions turned out bad.
 *
 * @module
 */

import type { ByteReader } from "../codec/byte_reader.ts";
import type { ByteWriter } from "../codec/byte_writer.ts";
import type { Learner } from "./learner.ts";
import { times } from "../values/times.ts";

/** Most erased users to remember before they are purged from the snapshots. */
const MAX_ERASED = 1000;

interface Snapshot {
  readonly bytes: Uint8Array;
  readonly rows: number;
  /** Number of users erased until then, since the last purge. */
  readonly erased: number;
}

/** At most three encoded learners, often the same one. */
export class Snapshots {
  readonly #trustRows: number;
  #last: Snapshot;
  /** To be trusted once it is old enough. */
  #pending: Snapshot;
  #trusted: Snapshot;
  /** Users erased since the trusted snapshot, to be erased again after going back. */
  #erased: string[] = [];

  /**
   * Starts from an encoded learner, which is trusted.
   *
   * @param trustRows rows without complaint after which a snapshot is trusted
   */
  constructor(bytes: Uint8Array, trustRows: number) {
    this.#trustRows = trustRows;
    this.#last = this.#pending = this.#trusted = { bytes, rows: 0, erased: 0 };
  }

  /** Keeps an encoded learner that is sound and without complaint. @param rows rows judged so far */
  keep(bytes: Uint8Array, rows: number): void {
    this.#last = { bytes, rows, erased: this.#trusted.erased + this.#erased.length };
    if (this.#pending.bytes === this.#trusted.bytes) this.#pending = this.#last;
    this.trust(rows);
  }

  /** Trusts the pending snapshot if it is old enough. Called while there is no complaint. */
  trust(rows: number): void {
    if (rows - this.#pending.rows < this.#trustRows) return;
    this.#erased.splice(0, this.#pending.erased - this.#trusted.erased);
    this.#trusted = this.#pending;
  }

  /** Drops everything newer than the trusted snapshot. */
  distrust(): void {
    this.#last = this.#pending = this.#trusted;
  }

  /**
   * Ensures that no later restore brings these users back.
   *
   * @param learner used to purge the snapshots if there are many users to remember; unchanged afterwards
   */
  erase(users: readonly string[], learner: Learner): void {
    this.#erased.push(...users);
    if (this.#erased.length > MAX_ERASED) this.purge(learner);
  }

  /**
   * Rewrites the snapshots without erased users, so that nothing kept contains their ids.
   *
   * @param learner used to rewrite them; unchanged afterwards
   */
  purge(learner: Learner): void {
    if (this.#erased.length === 0) return;
    const current = learner.encode();
    const purged = new Map<Uint8Array, Uint8Array>();
    for (const { bytes, erased } of [this.#last, this.#pending, this.#trusted]) {
      if (purged.has(bytes)) continue;
      learner.decode(bytes);
      for (const user of this.#erased.slice(erased - this.#trusted.erased)) learner.forget(user);
      purged.set(bytes, learner.encode());
    }
    const of = ({ bytes, rows }: Snapshot) => ({ bytes: purged.get(bytes) ?? bytes, rows, erased: 0 });
    [this.#last, this.#pending, this.#trusted] = [of(this.#last), of(this.#pending), of(this.#trusted)];
    this.#erased = [];
    learner.decode(current);
  }

  /** Restores a learner to the last or the trusted snapshot, except for its count of batches. */
  restore(learner: Learner, which: "last" | "trusted"): void {
    const { bytes, erased } = which === "last" ? this.#last : this.#trusted;
    const { steps } = learner;
    learner.decode(bytes);
    learner.steps = steps;
    for (const user of this.#erased.slice(erased - this.#trusted.erased)) learner.forget(user);
  }

  /** Writes everything; `current` is the encoded learner, which {@linkcode Snapshots.decode} gives back. */
  encode(to: ByteWriter, current: Uint8Array): void {
    const snapshots = [this.#last, this.#pending, this.#trusted];
    const distinct = [...new Set([current, ...snapshots.map(({ bytes }) => bytes)])];
    to.uint(distinct.length);
    for (const bytes of distinct) to.bytes(bytes);
    for (const { bytes, rows, erased } of snapshots) to.uint(distinct.indexOf(bytes)).uint(rows).uint(erased);
    to.uint(this.#erased.length);
    for (const user of this.#erased) to.string(user);
  }

  /**
   * Reads what {@linkcode Snapshots.encode} wrote; it replaces the present state.
   *
   * @returns the encoded learner
   * @throws SyntaxError when a snapshot is missing.
   */
  decode(from: ByteReader): Uint8Array {
    const distinct = times(from.count(), () => from.bytes().slice());
    const learner = (index: number): Uint8Array => {
      const bytes = distinct[index];
      if (bytes === undefined) {
        throw new SyntaxError(`Cannot decode snapshots: there is no learner numbered ${index}`);
      }
      return bytes;
    };
    const snapshot = () => ({ bytes: learner(from.uint()), rows: from.uint(), erased: from.uint() });
    this.#last = snapshot();
    this.#pending = snapshot();
    this.#trusted = snapshot();
    this.#erased = times(from.count(), () => from.string());
    return learner(0);
  }
}
