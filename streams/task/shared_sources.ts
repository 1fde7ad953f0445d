/**
 * The topics that tasks read, if a generation has more tasks than these have partitions: several tasks share each
 * partition, by the user's key.
 */

import { EXPERIMENT } from "../experiments/record.ts";
import type { Log } from "../log/log.ts";
import { splitLog } from "../log/split_log.ts";
import { isOutput, prefixOf, type Topics } from "../topics/topics.ts";
import { ownPartitions } from "./inputs/own_partitions.ts";

/**
 * The log as the tasks of a generation see it.
 *
 * @param tasks number of tasks, for a generation without topics. @default {as many as its states have partitions}
 * @throws LogError `topic-mismatch` when it is not a multiple of the number of partitions of events
 */
export async function tasksLog(log: Log, topics: Topics, tasks?: number): Promise<Log> {
  const own = ownPartitions(log, topics); // below the split, as it knows only of partitions that exist
  const existing = await own.topics(prefixOf(topics));
  const partitions = existing.get(topics.events)?.partitions;
  const into = tasks ?? existing.get(topics.state)?.partitions;
  if (partitions === undefined || into === undefined || into === partitions) return log;
  return splitLog(own, {
    partitions,
    into,
    isSplit: (topic) => topic === topics.events || isOutput(topics, topic),
    shared: topics.state,
    isForAll: ({ headers }) => headers[EXPERIMENT] !== undefined,
  });
}
