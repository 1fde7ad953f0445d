/**
 * Who was erased, and when: what a session hands over late, by an alias of that time or before, begins no new life. Hashes
 * of ids, since no id may outlive a `forget`.
 *
 * @module
 */

import { idHash } from "./user_state.ts";

/** Key of their record on the `statistics` topic. */
export const ERASED_KEY = "erased";

/** Erasures of a partition that are remembered, the newest by event time. */
const MOST = 1000;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** The erasures of a partition. */
export class ErasedUsers {
  /** Event times of erasures by hash of the user, oldest first. */
  #times = new Map<number, number>();
  #hasChanged = false;

  /** Notes an erasure. @param time event time */
  note(user: string, time: number): void {
    this.#add([[idHash(user), time]]);
  }

  /** Whether the user was erased at an event time or later. */
  includes(user: string, time: number): boolean {
    return (this.#times.get(idHash(user)) ?? -Infinity) >= time;
  }

  /** The record, where it has changed since the last call; else `null`. */
  change(): Uint8Array | null {
    if (!this.#hasChanged) return null;
    this.#hasChanged = false;
    return encoder.encode(JSON.stringify([...this.#times]));
  }

  /** Takes a record in. @throws SyntaxError when it is none */
  restore(record: Uint8Array): void {
    this.carry(record);
    this.#hasChanged = false;
  }

  /** Takes the record of another generation in. @throws SyntaxError when it is none */
  carry(record: Uint8Array): void {
    this.#add(JSON.parse(decoder.decode(record)));
  }

  #add(erasures: readonly (readonly [hash: number, time: number])[]): void {
    for (const [hash, time] of erasures) {
      this.#times.set(hash, Math.max(time, this.#times.get(hash) ?? -Infinity));
      this.#hasChanged = true;
    }
    const all = [...this.#times].sort(([a, from], [b, to]) => from - to || a - b);
    this.#times = new Map(all.slice(-MOST));
  }
}
