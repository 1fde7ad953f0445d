/**
 * Pauses that a signal ends.
 *
 * @module
 */

import { setTimeout as delay } from "node:timers/promises";

/** Waits so many milliseconds, or until the signal is aborted; neither is an error. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  try {
    await delay(ms, undefined, { signal });
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
