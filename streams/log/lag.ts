/**
 * How far a reader is behind.
 *
 * @module
 */

import type { Log } from "./log.ts";

/** Offsets of a topic at or above a reader's positions, holes of the log included; one position per partition. */
export async function lagOf(
  log: Pick<Log, "bounds">,
  topic: string,
  positions: readonly number[],
): Promise<number> {
  const ends = await Promise.all(positions.map((_, partition) => log.bounds(topic, partition)));
  return ends.reduce((sum, { end }, partition) => sum + Math.max(0, end - (positions[partition] ?? 0)), 0);
}
