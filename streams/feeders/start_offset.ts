/** The offset at which the reading of a partition begins. */

import { type Log, LogError } from "../log/log.ts";
import { offsetSince } from "../log/reading.ts";
import type { Start } from "../mapping/start.ts";

/**
 * The offset of a start in a partition.
 *
 * @throws LogError `topic-mismatch` when the partition ends before it
 */
export async function startOffset(
  log: Pick<Log, "bounds" | "read" | "since">,
  { topic, partition }: { readonly topic: string; readonly partition: number },
  from: Start,
): Promise<number> {
  const { start, end } = await log.bounds(topic, partition);
  if (from === "earliest") return start;
  if (from === "latest") return end;
  if ("offsets" in from) {
    const offset = from.offsets.get(partition) ?? start;
    if (offset <= end) return offset;
    const reason = `Cannot start ${topic}/${partition} at ${offset}: it has offsets ${start} to ${end}`;
    throw new LogError("topic-mismatch", reason);
  }
  return await offsetSince(log, topic, partition, from.time);
}
