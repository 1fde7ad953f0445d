/**
 * The users of a task that are in memory, in the order of activity and within a budget of bytes, and their conversion
 * to records and back.
 *
 * Nothing else allocates or releases rows of the sequence slab: a row belongs to a user in memory, or to a user who is
 * viewed, until the view ends.
 */

import type { Catalogue } from "../items/catalogue.ts";
import { NO_ROW, RowOrder } from "./row_order.ts";
import type { SequenceSlab } from "./states/sequence.ts";
import { UserCodec } from "./user_codec.ts";
import { createUser, type UserState } from "./user_state.ts";

/** Bytes in memory per byte of a record, in addition to the slab (maps, strings, objects); measured as 2 to 4. */
const RECORD_GROWTH = 3;
/** Bytes of a new user's objects; most users have done little, and take hardly more. */
export const USER_BYTES = 300;

/** Keeps the users in memory, and their order of activity. */
export class UserMemory {
  /** Users that left memory since this process began. */
  evicted = 0;
  /** Users that were restored since this process began. */
  restored = 0;
  readonly #users = new Map<string, UserState>();
  readonly #byRow: (UserState | undefined)[] = [];
  /** In the order of activity: all users, and those who may be evicted; one found waiting rejoins at a later record. */
  readonly #active = new RowOrder();
  readonly #evictable = new RowOrder();
  readonly #sequences: SequenceSlab;
  readonly #codec: UserCodec;
  #bytes = 0;

  constructor(sequences: SequenceSlab, catalogue: Catalogue) {
    this.#sequences = sequences;
    this.#codec = new UserCodec(sequences, catalogue);
  }

  get users(): ReadonlyMap<string, UserState> {
    return this.#users;
  }

  /** The `most` most recently active users, least recently active first. */
  newest(most: number): UserState[] {
    const users: UserState[] = [];
    for (
      let row = this.#active.newest;
      row !== NO_ROW && users.length < most;
      row = this.#active.before(row)
    ) {
      users.push(this.#byRow[row]!);
    }
    return users.reverse();
  }

  /** Estimated bytes of all users, as of their last records. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Returns the user of an id, a new one if unknown, and makes them the most recently active. */
  activate(id: string): UserState {
    const known = this.#users.get(id);
    if (known === undefined) return this.#add(createUser(id, this.#sequences));
    this.#active.put(known.row);
    if (this.#evictable.has(known.row)) this.#evictable.put(known.row);
    return known;
  }

  record(user: UserState): Uint8Array {
    const record = this.#codec.encode(user);
    this.#weigh(user, record.length);
    if (!this.#evictable.has(user.row) && !isWaiting(user)) this.#evictable.put(user.row);
    return record;
  }

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
    this.#active.remove(user.row);
    this.#evictable.remove(user.row);
    this.#byRow[user.row] = undefined;
    this.#sequences.release(user.row);
    this.#bytes -= user.bytes;
  }

  /** Drops a user for good, with the strings that the codec caches. */
  forget(user: UserState): void {
    this.remove(user);
    this.#codec.forget();
  }

  /**
   * Drops the least recently active users until the rest fit into `maxBytes`. Users with deadlines stay, and count as
   * active at the first record without one. O(users dropped, and users with new deadlines)
   */
  evict(maxBytes: number): void {
    while (this.#bytes > maxBytes) {
      const row = this.#evictable.oldest;
      if (row === NO_ROW) return;
      const user = this.#byRow[row]!;
      this.#evictable.remove(row);
      if (isWaiting(user)) continue;
      this.remove(user);
      this.evicted++;
    }
  }

  /** Adds the most recently active user. */
  #add(user: UserState): UserState {
    this.#users.set(user.id, user);
    // Rows are allocated in order, so the only holes are those of viewed users.
    while (this.#byRow.length <= user.row) this.#byRow.push(undefined);
    this.#byRow[user.row] = user;
    this.#active.put(user.row);
    this.#evictable.put(user.row);
    return user;
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

/** Earliest event time at which something of the user's is due, so that they must be in memory; `Infinity` = never. */
export function dueTime({ pending, parked, listed }: UserState): number {
  let due = listed?.due?.time ?? Infinity;
  for (const { deadline } of pending.values()) due = Math.min(due, deadline);
  for (const { event } of parked) due = Math.min(due, event.time);
  return due;
}

/** Whether the user has to stay in memory for a deadline. */
export function isWaiting({ pending, parked, listed }: UserState): boolean {
  return pending.size + parked.length > 0 || listed !== null && listed.due !== null;
}
