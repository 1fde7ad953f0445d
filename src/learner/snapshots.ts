/**
 * States that a learner may go back to: the last checkpoint, after a step that broke the weights, and an older one that
 * was served for a while without complaint, after predictions turned out bad.
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
}

/** At most three encoded learners, often the same one. */
export class Snapshots {
  readonly #trustRows: number;
  #last: Snapshot;
  /** To be trusted once it is old enough. */
  #pending: Snapshot;
  #trusted: Snapshot;
  /** Users erased since the last purge, to be erased again after going back. */
  #erased: string[] = [];

  /**
   * Starts from an encoded learner, which is trusted.
   *
   * @param trustRows rows without complaint after which a snapshot is trusted
   */
  constructor(bytes: Uint8Array, trustRows: number) {
    this.#trustRows = trustRows;
    this.#last = this.#pending = this.#trusted = { bytes, rows: 0 };
  }

  /**
   * Keeps a learner that is sound and without complaint, after a {@linkcode Snapshots.purge}.
   *
   * @param rows rows judged so far
   * @returns the encoded learner
   */
  keep(learner: Learner, rows: number): Uint8Array {
    const bytes = this.encodeLearner(learner);
    this.#last = { bytes, rows };
    if (this.#pending.bytes === this.#trusted.bytes) this.#pending = this.#last;
    this.trust(rows);
    return bytes;
  }

  /** Encodes a learner, after a {@linkcode Snapshots.purge}. */
  encodeLearner(learner: Learner): Uint8Array {
    this.purge(learner);
    return learner.encode();
  }

  /** Trusts the pending snapshot if it is old enough. Called while there is no complaint. */
  trust(rows: number): void {
    if (rows - this.#pending.rows < this.#trustRows) return;
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
    for (const { bytes } of [this.#last, this.#pending, this.#trusted]) {
      if (purged.has(bytes)) continue;
      this.#decode(learner, bytes);
      purged.set(bytes, learner.encode());
    }
    const of = ({ bytes, rows }: Snapshot) => ({ bytes: purged.get(bytes) ?? bytes, rows });
    [this.#last, this.#pending, this.#trusted] = [of(this.#last), of(this.#pending), of(this.#trusted)];
    this.#erased = [];
    learner.decode(current);
  }

  /** Restores a learner to the last or the trusted snapshot, except for its count of batches. */
  restore(learner: Learner, which: "last" | "trusted"): void {
    const { bytes } = which === "last" ? this.#last : this.#trusted;
    const { steps } = learner;
    this.#decode(learner, bytes);
    learner.steps = steps;
  }

  #decode(learner: Learner, bytes: Uint8Array): void {
    learner.decode(bytes);
    for (const user of this.#erased) learner.forget(user);
  }

  /** Writes everything; `current` is the encoded learner, which {@linkcode Snapshots.decode} gives back. */
  encode(to: ByteWriter, current: Uint8Array): void {
    const snapshots = [this.#last, this.#pending, this.#trusted];
    const distinct = [...new Set([current, ...snapshots.map(({ bytes }) => bytes)])];
    to.uint(distinct.length);
    for (const bytes of distinct) to.bytes(bytes);
    // Earlier releases count users who were erased before a snapshot here, whom it does not hold.
    for (const { bytes, rows } of snapshots) to.uint(distinct.indexOf(bytes)).uint(rows).uint(0);
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
    const snapshot = () => {
      const [bytes, rows] = [learner(from.uint()), from.uint()];
      from.uint();
      return { bytes, rows };
    };
    this.#last = snapshot();
    this.#pending = snapshot();
    this.#trusted = snapshot();
    this.#erased = times(from.count(), () => from.string());
    return learner(0);
  }
}
