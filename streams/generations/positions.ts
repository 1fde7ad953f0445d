/**
 * How far a generation has got in the events.
 *
 * @module
 */

import type { Log } from "../log/log.ts";
import { ownPosition } from "../task/inputs/inputs.ts";
import type { Topics } from "../topics/topics.ts";

/** Offsets of events up to which a generation has committed, by partition. */
export async function positionsOf(
  log: Pick<Log, "identify" | "latest" | "read" | "bounds">,
  topics: Topics,
  partitions: number,
): Promise<readonly number[]> {
  const isThere = await log.identify(topics.statistics) !== null;
  return await Promise.all(
    Array.from({ length: partitions }, async (_, partition) => {
      const { start } = await log.bounds(topics.events, partition);
      const own = isThere ? await ownPosition(log, topics, partition) : null;
      return Math.max(start, own?.next ?? start);
    }),
  );
}

/** How many offsets are between two places, over all partitions. */
export function distance(from: readonly number[], to: readonly number[]): number {
  return to.reduce((sum, end, partition) => sum + Math.max(0, end - (from[partition] ?? 0)), 0);
}
