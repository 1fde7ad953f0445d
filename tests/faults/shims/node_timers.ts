/**
 * Stands for `node:timers` in a simulated world.
 *
 * @module
 */

import { nextTurn } from "../globals.ts";

/** See Node. */
export function setImmediate(run: () => void): void {
  nextTurn(run);
}
