/**
 * Pauses that end when there is something better to do.
 *
 * @module
 */

import { setTimeout as delay } from "node:timers/promises";

/** Waits that many milliseconds, or until the signal is aborted; neither is an error. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  try {
    await delay(ms, undefined, { signal });
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
