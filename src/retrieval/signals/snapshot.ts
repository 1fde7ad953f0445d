/**
 * A snapshot that is written in pieces, by several commits.
 *
 * @module
 */

import type { Portions } from "../../values/portions.ts";
import type { SignalFolds } from "../signal_folds.ts";

/** Most portions of work per piece that a commit may write. */
const PIECE_PORTIONS = 500;

/** A snapshot under way. */
export class Snapshot {
  readonly #folds: SignalFolds;
  readonly #sorting: Portions;
  #writing: Portions<Uint8Array> | null = null;
  /** Pieces for the next commits, and the last one. */
  readonly #given: Uint8Array[] = [];
  #last: Uint8Array | null = null;

  constructor(folds: SignalFolds) {
    this.#folds = folds;
    this.#sorting = folds.sort();
  }

  /** Whether it has begun: it is of the state at that moment. */
  get isFrozen(): boolean {
    return this.#writing !== null;
  }

  /**
   * Goes on.
   *
   * @param budget Most pieces to take
   * @returns Pieces for a commit, and the last one if it is complete with them
   */
  *take(budget: number): Portions<[readonly Uint8Array[], Uint8Array | null]> {
    let left = budget * PIECE_PORTIONS;
    while (this.#writing === null) {
      if (left-- === 0) return [[], null];
      if (this.#sorting.next().done !== true) yield;
      else this.#writing = (yield* this.#folds.freeze()).write((piece) => this.#given.push(piece));
    }
    while (this.#last === null && this.#given.length < budget && left-- > 0) {
      const { done, value } = this.#writing.next();
      if (done === true) this.#last = value;
      else yield;
    }
    const pieces = this.#given.splice(0, budget);
    return [pieces, this.#given.length === 0 ? this.#last : null];
  }
}
