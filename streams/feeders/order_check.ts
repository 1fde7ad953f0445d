/**
 * Notices early that a file is out of order: tasks reject the behaviours of a user that come too late, so most of a
 * dump sorted by key could be lost.
 */

import type { OwnRecord } from "../../src/events/own_record.ts";

/** Most users to follow: in an unordered file, a user soon appears again. */
const MAX_USERS = 100_000;

/** Looks for the first behaviour that tasks would reject as too late. */
export class OrderCheck {
  readonly #allowedMs: number;
  /** Newest time by user; empty once such a behaviour was found. */
  readonly #newest = new Map<string, number>();
  #isFound = false;

  /** @param allowedMs how much older than the user's newest a behaviour may be */
  constructor(allowedMs: number) {
    this.#allowedMs = allowedMs;
  }

  /** Milliseconds by which the first behaviour that is too late is older than its user's newest; `null` for all others. */
  see(own: OwnRecord): number | null {
    if (this.#isFound || own.kind !== "event" || own.event.type !== "interaction") return null;
    const { user, time } = own.event;
    const newest = this.#newest.get(user);
    if (newest !== undefined && newest - time > this.#allowedMs) {
      this.#isFound = true;
      this.#newest.clear();
      return newest - time;
    }
    if (newest === undefined ? this.#newest.size < MAX_USERS : time > newest) this.#newest.set(user, time);
    return null;
  }
}
