/**
 * The users of a task that are in memory, in the order of activity and within a budget of bytes, and their way to
 * records and back.
 *
 * Nothing else allocates or releases rows of the sequence slab: a row belongs to a user in memory, or to a user who is
 * viewed, until the view ends.
 *
 * @module
 */

import type { Catalogue } from "../items/catalogue.ts";
import type { SequenceSlab } from "./states/sequence.ts";
import { UserCodec } from "./user_codec.ts";
import { createUser, type UserState } from "./user_state.ts";

/** Bytes in memory per byte of a record, beside the slab (maps, strings, objects); measured as 2 to 4. */
const RECORD_GROWTH = 3;
/** Bytes of a user of whom nothing is known: most users have done little, and are mostly this. */
export const USER_BYTES = 300;

/** Keeps the users in memory, least recently active first. */
export class UserMemory {
  /** Users that left memory since this process began. */
  evicted = 0;
  /** Users that were restored since this process began. */
  restored = 0;
  readonly #users = new Map<string, UserState>();
  readonly #sequences: SequenceSlab;
  readonly #codec: UserCodec;
  #bytes = 0;

  /** Makes a memory without users. */
  constructor(sequences: SequenceSlab, catalogue: Catalogue) {
    this.#sequences = sequences;
    this.#codec = new UserCodec(sequences, catalogue);
  }

  /** By id, least recently active first. */
  get users(): ReadonlyMap<string, UserState> {
    return this.#users;
  }

  /** Estimated bytes of all users, as of their last records. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Returns the user of an id, a new one if there is none, and makes them the most recently active. */
  activate(id: string): UserState {
    const known = this.#users.get(id);
    const user = known ?? createUser(id, this.#sequences);
    // Re-inserting keeps the map in the order of activity.
    if (known !== undefined) this.#users.delete(id);
    this.#users.set(id, user);
    return user;
  }

  /** The record of a user for the changelog. */
  record(user: UserState): Uint8Array {
    const record = this.#codec.encode(user);
    this.#weigh(user, record.length);
    return record;
  }

  /** Restores a user from a record. */
  restore(id: string, record: Uint8Array): UserState {
    const user = this.#codec.decode(id, record);
    this.#weigh(user, record.length);
    this.#users.set(id, user);
    this.restored++;
    return user;
  }

  /** Views the user of a record without restoring it. @param view receives a state that is only valid during the call */
  view<View>(id: string, record: Uint8Array, view: (user: UserState) => View): View {
    return this.#look(this.#codec.decode(id, record), view);
  }

  /** Views a new user. @param view receives a state that is only valid during the call */
  viewNobody<View>(id: string, view: (nobody: UserState) => View): View {
    return this.#look(createUser(id, this.#sequences), view);
  }

  /** Drops a user until it is restored. */
  remove(user: UserState): void {
    this.#users.delete(user.id);
    this.#sequences.release(user.row);
    this.#bytes -= user.bytes;
  }

  /** Drops a user for good, with the words that the codec caches. */
  forget(user: UserState): void {
    this.remove(user);
    this.#codec.forget();
  }

  /** Drops the least recently active users until the rest fit into `maxBytes`; users with deadlines stay. */
  evict(maxBytes: number): void {
    if (this.#bytes <= maxBytes) return;
    for (const user of this.#users.values()) {
      if (isWaiting(user)) continue;
      this.remove(user);
      this.evicted++;
      if (this.#bytes <= maxBytes) return;
    }
  }

  #look<View>(user: UserState, view: (user: UserState) => View): View {
    try {
      return view(user);
    } finally {
      this.#sequences.release(user.row);
    }
  }

  #weigh(user: UserState, recordBytes: number): void {
    const bytes = USER_BYTES + this.#sequences.rowBytes(user.row) + RECORD_GROWTH * recordBytes;
    this.#bytes += bytes - user.bytes;
    user.bytes = bytes;
  }
}

/** Whether the user has to stay in memory for a deadline. */
export function isWaiting({ pending, parked, listed }: UserState): boolean {
  return pending.size + parked.length > 0 || listed !== null && listed.due !== null;
}
