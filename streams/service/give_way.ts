/**
 * How work in slices shares a thread with what comes in from outside.
 *
 * @module
 */

import { setImmediate as turn } from "node:timers/promises";

/** A turn of the event loop in which nobody has done anything takes less. */
const IDLE_TURN_MS = 0.1;
/** What comes over a socket takes some turns until it is seen: so many idle ones say that there is nothing. */
const IDLE_TURNS = 3;

/**
 * Leaves the thread to others: until they have nothing to do, or for `maxMs`.
 *
 * @param now a clock in milliseconds that never goes back
 */
export async function giveWay(maxMs: number, now: () => number): Promise<void> {
  const begun = now();
  for (let at = begun, idle = 0; idle < IDLE_TURNS && at - begun < maxMs;) {
    // Also when nothing is left: a log in this process answers without a turn, timers and signals need theirs.
    await turn();
    const next = now();
    idle = next - at < IDLE_TURN_MS ? idle + 1 : 0;
    at = next;
  }
}
