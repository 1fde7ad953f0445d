/**
 * Where a learner may go back to: the last checkpoint, when a step broke the weights; and an older one that
 * was served for a while without complaint, when its predictions turn out bad.
 *
 * @module
 */

import type { ByteReader } from "../codec/byte_reader.ts";
import type { ByteWriter } from "../codec/byte_writer.ts";
import type { Learner } from "./learner.ts";

/** Users to remember, before they are erased from the snapshots. */
const MAX_ERASED = 1000;

/** The learner at some time. */
interface Snapshot {
  readonly bytes: Uint8Array;
  /** Rows judged until then. */
  readonly rows: number;
  /** Users erased until then, since the beginning. */
  readonly erased: number;
}

/** At most three encoded learners, often the same one. */
export class Snapshots {
  readonly #trustRows: number;
  #last: Snapshot;
  /** On its way to be trusted. */
  #pending: Snapshot;
  #trusted: Snapshot;
  /** Users erased since the trusted snapshot: going back must not bring them back. */
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

  /** Notes the encoded learner after so many judged rows, which is sound and has no complaint against it. */
  keep(bytes: Uint8Array, rows: number): void {
    this.#last = { bytes, rows, erased: this.#trusted.erased + this.#erased.length };
    if (this.#pending.bytes === this.#trusted.bytes) this.#pending = this.#last;
    this.trust(rows);
  }

  /** No complaint so far: trusts what is old enough. */
  trust(rows: number): void {
    if (rows - this.#pending.rows < this.#trustRows) return;
    this.#erased.splice(0, this.#pending.erased - this.#trusted.erased);
    this.#trusted = this.#pending;
  }

  /** Gives up everything that is not trusted. */
  distrust(): void {
    this.#last = this.#pending = this.#trusted;
  }

  /**
   * Remembers users whom going back must not bring back.
   *
   * @param learner comes back as it was; with many users to remember, they are erased from the snapshots by it
   */
  erase(users: readonly string[], learner: Learner): void {
    this.#erased.push(...users);
    if (this.#erased.length > MAX_ERASED) this.purge(learner);
  }

  /**
   * Erases from the snapshots themselves whom they must not bring back; nothing names those any more.
   *
   * @param learner comes back as it was
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

  /** Takes a learner back to the last or the trusted snapshot; batches stay counted. */
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
   * Reads what {@linkcode Snapshots.encode} wrote, in place of its own.
   *
   * @returns the encoded learner
   * @throws SyntaxError when a snapshot is missing.
   */
  decode(from: ByteReader): Uint8Array {
    const distinct = Array.from({ length: from.count() }, () => from.bytes().slice());
    const learner = (index: number): Uint8Array => {
      const bytes = distinct[index];
      if (bytes === undefined) {
        throw new SyntaxError(`Cannot decode snapshots: there is none numbered ${index}`);
      }
      return bytes;
    };
    const snapshot = () => ({ bytes: learner(from.uint()), rows: from.uint(), erased: from.uint() });
    this.#last = snapshot();
    this.#pending = snapshot();
    this.#trusted = snapshot();
    this.#erased = Array.from({ length: from.count() }, () => from.string());
    return learner(0);
  }
}
