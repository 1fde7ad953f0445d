/** How far a generation has read the events. */

import type { Log } from "../log/log.ts";
import { ownPosition } from "../task/inputs/inputs.ts";
import type { Topics } from "../topics/topics.ts";

/** Where the tasks of a generation are. */
export interface Positions {
  /** Number of partitions of the events, which tasks may share. */
  readonly partitions: number;
  /** Offsets of events up to which each task has committed. */
  readonly tasks: readonly number[];
}

/** Finds where the tasks of a generation are. @param log not split */
export async function positionsOf(
  log: Pick<Log, "identify" | "latest" | "read" | "bounds">,
  topics: Topics,
): Promise<Positions> {
  const partitions = (await log.identify(topics.events))?.partitions ?? 0;
  const tasks = (await log.identify(topics.statistics))?.partitions;
  const places = Array.from({ length: tasks ?? partitions }, async (_, task) => {
    const { start } = await log.bounds(topics.events, task % partitions);
    const own = tasks === undefined ? null : await ownPosition(log, topics, task);
    return Math.max(start, own?.next ?? start);
  });
  return { partitions, tasks: await Promise.all(places) };
}

/** Whether the log has dropped events that a task of a generation has not read. @param log not split */
export async function hasGap(
  log: Pick<Log, "identify" | "latest" | "read" | "bounds">,
  topics: Topics,
): Promise<boolean> {
  const partitions = (await log.identify(topics.events))?.partitions ?? 0;
  const tasks = (await log.identify(topics.statistics))?.partitions ?? 0;
  for (let task = 0; task < tasks; task++) {
    const own = await ownPosition(log, topics, task);
    const { start } = await log.bounds(topics.events, task % partitions);
    if (own !== null && own.next < start) return true;
  }
  return false;
}

/** The offsets up to which every partition is done, for a generation with `count` tasks. */
export function goalFor({ partitions, tasks }: Positions, count: number): readonly number[] {
  if (tasks.length === count) return tasks;
  return Array.from({ length: count }, (_, one) => {
    const place = one % partitions;
    return Math.min(...tasks.filter((_, task) => task % partitions === place));
  });
}

/** Whether tasks that share a partition are at different offsets, when a different number is to share it. */
export function isUneven({ partitions, tasks }: Positions, count: number): boolean {
  return tasks.length !== count && tasks.some((next, task) => next !== tasks[task % partitions]);
}

/** Number of offsets between two positions, over all tasks. */
export function distance(from: readonly number[], to: readonly number[]): number {
  return to.reduce((sum, end, partition) => sum + Math.max(0, end - (from[partition] ?? 0)), 0);
}
