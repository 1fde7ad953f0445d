/** The log as the tasks of a generation see it. */

import { type Log, LogError } from "../log/log.ts";
import { remedyByNewPrefix } from "../task/inputs/position.ts";
import { tasksLog } from "../task/shared_sources.ts";
import { generationsOf } from "../topics/generations.ts";
import { generationTopics, type Topics } from "../topics/topics.ts";

/**
 * The log as the tasks of a generation see it.
 *
 * @param topics those of the first generation
 * @throws LogError `topic-mismatch` when its tasks shared another number of partitions
 */
export async function generationLog(log: Log, topics: Topics, number: number): Promise<Log> {
  const { sources } = (await generationsOf(log, topics)).get(number) ?? {};
  const now = (await log.topics(topics.events)).get(topics.events)?.partitions;
  if (sources !== undefined && now !== undefined && sources !== now) {
    throw new LogError(
      "topic-mismatch",
      `Cannot resume ${topics.events} with ${sources} partitions: it has ${now} now, so users are in other partitions than ` +
        `their states; ${remedyByNewPrefix(topics.events)}`,
    );
  }
  return await tasksLog(log, generationTopics(topics, number));
}
