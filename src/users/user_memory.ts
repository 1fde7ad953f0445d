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
/** No row. */
const NOBODY = -1;

/** Keeps the users in memory, and their order of activity. */
export class UserMemory {
  /** Users that left memory since this process began. */
  evicted = 0;
  /** Users that were restored since this process began. */
  restored = 0;
  readonly #users = new Map<string, UserState>();
  /**
   * By row: the user, and the rows of those who were active just before and after. A map that is kept in this order, by
   * deleting and setting, is made anew again and again: with 100,000 users that takes longer than all else of an event.
   */
  readonly #byRow: (UserState | undefined)[] = [];
  readonly #older: number[] = [];
  readonly #newer: number[] = [];
  #oldest = NOBODY;
  #newest = NOBODY;
  readonly #sequences: SequenceSlab;
  readonly #codec: UserCodec;
  #bytes = 0;

  /** Makes a memory without users. */
  constructor(sequences: SequenceSlab, catalogue: Catalogue) {
    this.#sequences = sequences;
    this.#codec = new UserCodec(sequences, catalogue);
  }

  /** By id. */
  get users(): ReadonlyMap<string, UserState> {
    return this.#users;
  }

  /** The most recently active users, at most so many, least recently active first. */
  newest(most: number): UserState[] {
    const users: UserState[] = [];
    for (let row = this.#newest; row !== NOBODY && users.length < most; row = this.#older[row]!) {
      users.push(this.#byRow[row]!);
    }
    return users.reverse();
  }

  /** Estimated bytes of all users, as of their last records. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Returns the user of an id, a new one if there is none, and makes them the most recently active. */
  activate(id: string): UserState {
    const known = this.#users.get(id);
    if (known === undefined) return this.#add(createUser(id, this.#sequences));
    if (known.row !== this.#newest) {
      this.#unlink(known.row);
      this.#link(known.row);
    }
    return known;
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
    this.restored++;
    return this.#add(user);
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
    this.#unlink(user.row);
    this.#byRow[user.row] = undefined;
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
    for (let row = this.#oldest; row !== NOBODY && this.#bytes > maxBytes;) {
      const user = this.#byRow[row]!;
      row = this.#newer[row]!;
      if (isWaiting(user)) continue;
      this.remove(user);
      this.evicted++;
    }
  }

  /** Adds the most recently active user. */
  #add(user: UserState): UserState {
    this.#users.set(user.id, user);
    // Rows are given out in order, so this has no holes but those of users who are viewed.
    while (this.#byRow.length <= user.row) {
      this.#byRow.push(undefined);
      this.#older.push(NOBODY);
      this.#newer.push(NOBODY);
    }
    this.#byRow[user.row] = user;
    this.#link(user.row);
    return user;
  }

  #link(row: number): void {
    this.#older[row] = this.#newest;
    this.#newer[row] = NOBODY;
    if (this.#newest === NOBODY) this.#oldest = row;
    else this.#newer[this.#newest] = row;
    this.#newest = row;
  }

  #unlink(row: number): void {
    const older = this.#older[row]!, newer = this.#newer[row]!;
    if (older === NOBODY) this.#oldest = newer;
    else this.#newer[older] = newer;
    if (newer === NOBODY) this.#newest = older;
    else this.#older[newer] = older;
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
