/**
 * A share of a processor for a thread.
 *
 * @module
 */

import process from "node:process";

/** How long work took, milliseconds. */
interface Spent {
  /** Of a processor. */
  readonly processor: number;
  /** By the clock. */
  readonly wall: number;
}

/**
 * How long to rest after some work, so that a share of a processor is used, milliseconds. What the thread waited for, such
 * as a processor that others had, is rest.
 */
export function restAfter({ processor, wall }: Spent, share: number): number {
  return Math.max(0, processor / share - wall);
}

/** Begins to measure. @returns tells what was spent since then */
export function measureSpent(): () => Spent {
  const begun = performance.now(), used = threadMs();
  return () => ({ processor: threadMs() - used, wall: performance.now() - begun });
}

function threadMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}
