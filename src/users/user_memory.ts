/**
 * The users of a task that are in memory: who was active when, how many bytes they are, and how they go to their
 * records and come back.
 *
 * It alone allocates and releases rows of the sequence slab: a row belongs to a user in memory, or to one that is only
 * looked at, and then until the look ends.
 *
 * @module
 */

import type { Catalogue } from "../items/catalogue.ts";
import type { SequenceSlab } from "./states/sequence.ts";
import { UserCodec } from "./user_codec.ts";
import { createUser, type UserState } from "./user_state.ts";

/** Bytes in memory a byte of a record, beside the slab: maps, strings and objects; measured as 2 to 4. */
const RECORD_GROWTH = 3;

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

  /** Without users. */
  constructor(sequences: SequenceSlab, catalogue: Catalogue) {
    this.#sequences = sequences;
    this.#codec = new UserCodec(sequences, catalogue);
  }

  /** By id, least recently active first. */
  get users(): ReadonlyMap<string, UserState> {
    return this.#users;
  }

  /** Estimated bytes of them all, as of their last records. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The user of an id, who is the most recently active one from now on, and is made when there is none. */
  activate(id: string): UserState {
    const known = this.#users.get(id);
    const user = known ?? createUser(id, this.#sequences);
    // Taken out and put in again, so that the map stays in the order of activity.
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

  /** Takes a user in from its record. */
  restore(id: string, record: Uint8Array): UserState {
    const user = this.#codec.decode(id, record);
    this.#weigh(user, record.length);
    this.#users.set(id, user);
    this.restored++;
    return user;
  }

  /** Looks at a user in its record, without taking it in. @param view gets a state that is not valid afterwards */
  view<View>(id: string, record: Uint8Array, view: (user: UserState) => View): View {
    return this.#look(this.#codec.decode(id, record), view);
  }

  /** Looks at somebody without a past. @param view gets a state that is not valid afterwards */
  viewNobody<View>(id: string, view: (nobody: UserState) => View): View {
    return this.#look(createUser(id, this.#sequences), view);
  }

  /** Lets a user go until it is restored. */
  remove(user: UserState): void {
    this.#users.delete(user.id);
    this.#sequences.release(user.row);
    this.#bytes -= user.bytes;
  }

  /** Lets a user go for ever, and words of users that are kept in mind from one record to the next. */
  forget(user: UserState): void {
    this.remove(user);
    this.#codec.forget();
  }

  /** Lets the least recently active users go until the others fit into `maxBytes`; those who wait stay. */
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
    const bytes = this.#sequences.rowBytes(user.row) + RECORD_GROWTH * recordBytes;
    this.#bytes += bytes - user.bytes;
    user.bytes = bytes;
  }
}

/** Whether something of the user waits for a deadline, for which it has to be in memory. */
export function isWaiting({ pending, parked }: UserState): boolean {
  return pending.size + parked.length > 0;
}
