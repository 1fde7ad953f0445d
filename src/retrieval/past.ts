/** The behaviours of a user before a request. */

import type { CatalogueItem } from "../items/catalogue.ts";
import type { SequenceSlab } from "../users/states/sequence.ts";
import type { UserState } from "../users/user_state.ts";
import type { Returns } from "./signals/returns.ts";
import { type Context, ContextBuffer } from "./signals/context.ts";

/** Most behaviours of a user that a request reads, of those that are kept: the newest ones. */
const MAX_CONTEXT = 1000;

/** Reads users' behaviours for requests. */
export class Past {
  readonly #sequences: SequenceSlab;
  readonly #returns: Returns;
  readonly #context: ContextBuffer;

  /** Reads these behaviours. @param returns Whether their items may be recommended again */
  constructor(sequences: SequenceSlab, returns: Returns) {
    this.#sequences = sequences;
    this.#returns = returns;
    this.#context = new ContextBuffer(Math.min(MAX_CONTEXT, sequences.capacity));
  }

  /** A user's behaviours up to `time`, newest first; valid until the next call. */
  context(user: UserState, time: number): Context {
    this.#sequences.newest(user.row, time, this.#context);
    return this.#context;
  }

  /** Item indices of a user's kept behaviours up to a time. */
  items({ row }: UserState, time: number): Uint32Array {
    const sequences = this.#sequences;
    const own = new Uint32Array(sequences.length(row));
    let size = 0;
    for (let place = 0; place < own.length; place++) {
      if (sequences.time(row, place) <= time) own[size++] = sequences.item(row, place);
    }
    return own.subarray(0, size);
  }

  /** Whether one of the user's kept behaviours is this action on this item. */
  did({ row }: UserState, action: string, item: CatalogueItem): boolean {
    const sequences = this.#sequences;
    for (let place = sequences.length(row) - 1; place >= 0; place--) {
      if (sequences.item(row, place) === item.index && sequences.action(row, place) === action) return true;
    }
    return false;
  }

  /** Whether the user had an item before the kept behaviours; `false` if such items may be recommended again. */
  hadBefore({ former }: UserState, item: CatalogueItem): boolean {
    return former !== null && !this.#returns.expected && former.has(item.id);
  }

  /**
   * Whether all items that the user had are known. If not, lists contain items that the user had long ago, which look
   * good but are not taken again: a head would learn from them that good-looking items are not taken, and what it
   * learnt from other users does not apply to them.
   */
  knowsAll(user: UserState | null): boolean {
    if (this.#returns.expected || user === null) return true;
    const dropped = this.#sequences.total(user.row) - this.#sequences.length(user.row);
    return dropped === (user.former?.behaviours ?? 0);
  }
}
