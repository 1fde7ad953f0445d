/**
 * The topics that tasks read, where a generation has more tasks than they have partitions: each partition is shared by
 * several, by the user's key.
 *
 * @module
 */

import { EXPERIMENT } from "../experiments/record.ts";
import type { Log } from "../log/log.ts";
import { splitLog } from "../log/split_log.ts";
import { isOutput, type Topics } from "../topics/topics.ts";

/**
 * The log as the tasks of a generation see it.
 *
 * @param tasks how many there are, of a generation without topics. @default {as many as its states have partitions}
 * @throws LogError `topic-mismatch` when they are no multiple of the partitions of events
 */
export async function tasksLog(log: Log, topics: Topics, tasks?: number): Promise<Log> {
  const existing = await log.topics();
  const partitions = existing.get(topics.events)?.partitions;
  const into = tasks ?? existing.get(topics.state)?.partitions;
  // Fewer tasks than partitions: events have grown, which the service says.
  if (partitions === undefined || into === undefined || into <= partitions && tasks === undefined) return log;
  if (into === partitions) return log;
  return splitLog(log, {
    partitions,
    into,
    isSplit: (topic) => topic === topics.events || isOutput(topics, topic),
    shared: topics.state,
    isForAll: ({ headers }) => headers[EXPERIMENT] !== undefined,
  });
}
