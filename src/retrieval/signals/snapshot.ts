/** A snapshot that is written in pieces, by several commits. */

import type { Portions } from "../../values/portions.ts";

/** Most portions of work per piece that a commit may write. */
const PIECE_PORTIONS = 500;

/** A state of which snapshots are made. */
export interface Snapshotted {
  /** Does what freezing would otherwise have to do. */
  sort(): Portions;
  /** What is known now, to be written while more is learnt. */
  freeze(): Portions<{ write(give: (piece: Uint8Array) => void): Portions<Uint8Array> }>;
}

/** A snapshot under way. */
export class Snapshot {
  readonly #state: Snapshotted;
  readonly #sorting: Portions;
  #writing: Portions<Uint8Array> | null = null;
  /** Pieces for the next commits, and the last one. */
  readonly #given: Uint8Array[] = [];
  #last: Uint8Array | null = null;

  constructor(state: Snapshotted) {
    this.#state = state;
    this.#sorting = state.sort();
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
      else this.#writing = (yield* this.#state.freeze()).write((piece) => this.#given.push(piece));
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
