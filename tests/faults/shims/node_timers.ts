/**
 * Replaces `node:timers` in a simulated world.
 *
 * @module
 */

import { nextTurn } from "../globals.ts";

/** See Node. */
export function setImmediate(run: () => void): void {
  nextTurn(run);
}

/** A timer of Node, as far as it is used. */
interface Timeout {
  readonly id: ReturnType<typeof globalThis.setTimeout>;
  /** See Node: a world ends when it is told to, whatever is pending. */
  unref(): void;
}

/** See Node. Looked up at each call: the timers of the world are installed later. */
export function setTimeout(run: () => void, ms?: number): Timeout {
  return { id: globalThis.setTimeout(run, ms), unref: () => {} };
}

/** See Node. */
export function clearTimeout(timer: Timeout | undefined): void {
  globalThis.clearTimeout(timer?.id);
}
