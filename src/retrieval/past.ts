/**
 * What a user did before a request.
 *
 * @module
 */

import type { CatalogueItem } from "../items/catalogue.ts";
import type { SequenceSlab } from "../users/states/sequence.ts";
import type { UserState } from "../users/user_state.ts";
import { type Context, ContextBuffer } from "./signals/context.ts";

/** Newest behaviours of a user that a request looks at. */
const MAX_CONTEXT = 100;

/** Reads users' behaviours for requests. */
export class Past {
  readonly #sequences: SequenceSlab;
  /** Whether items of the user's behaviours may be recommended again. */
  readonly #revisits: boolean;
  /** Scratch. */
  readonly #context = new ContextBuffer(MAX_CONTEXT);

  /** Of the users with these behaviours. @param revisits Whether their items may be recommended again */
  constructor(sequences: SequenceSlab, revisits: boolean) {
    this.#sequences = sequences;
    this.#revisits = revisits;
  }

  /** What a user did up to `time`, newest first; valid until the next call. */
  context(user: UserState, time: number): Context {
    this.#sequences.newest(user.row, time, this.#context);
    return this.#context;
  }

  /** Indices of the user's items up to a time, of the behaviours that are kept. */
  items({ row }: UserState, time: number): Uint32Array {
    const sequences = this.#sequences;
    const own = new Uint32Array(sequences.length(row));
    let size = 0;
    for (let place = 0; place < own.length; place++) {
      if (sequences.time(row, place) <= time) own[size++] = sequences.item(row, place);
    }
    return own.subarray(0, size);
  }

  /** Whether the user had an item before the behaviours that are kept, where such items are left out of lists. */
  hadBefore({ former }: UserState, item: CatalogueItem): boolean {
    return former !== null && !this.#revisits && former.has(item.id);
  }

  /**
   * Whether all items that the user had are known. If not, lists contain items that cannot be taken any more and look
   * better than most: a head would learn from them that good-looking items are not taken, and what it learnt from
   * other users does not apply to them.
   */
  knowsAll(user: UserState | null): boolean {
    if (this.#revisits || user === null) return true;
    const dropped = this.#sequences.total(user.row) - this.#sequences.length(user.row);
    return dropped === (user.former?.behaviours ?? 0);
  }
}
