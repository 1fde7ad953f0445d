/** Limits a thread to a share of a processor. */

import os from "node:os";
import process from "node:process";

/** Steps of priority below other threads: when both need a processor, a thread gets a quarter of it. */
const NICE = 5;

/** How long work took, milliseconds. */
interface Spent {
  /** CPU time. */
  readonly processor: number;
  /** Wall-clock time. */
  readonly wall: number;
}

/**
 * How long to rest after some work so that it uses a given share of a processor, milliseconds. Time that the thread
 * spent waiting, such as for a busy processor, counts as rest.
 */
export function restAfter({ processor, wall }: Spent, share: number): number {
  return Math.max(0, processor / share - wall);
}

/** Starts measuring. @returns a function that returns the time spent since */
export function measureSpent(): () => Spent {
  const begun = performance.now(), used = threadMs();
  return () => ({ processor: threadMs() - used, wall: performance.now() - begun });
}

function threadMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

/** Gives other threads of the process precedence over this one, for good; on Linux, if that is permitted. */
export function lowerPriority(): void {
  if (Deno.build.os !== "linux") return; // elsewhere the priority is that of the process
  try {
    os.setPriority(Math.min(os.constants.priority.PRIORITY_LOW, os.getPriority() + NICE));
  } catch { // not permitted
  }
}
