/** Generations that do not serve, and have users who are to be erased. */

import { getLogger } from "@logtape/logtape";
import type { Log } from "../../log/log.ts";
import { partitionOf } from "../../log/partitioner.ts";
import { newestOf } from "../../log/reading.ts";
import { ownPosition } from "../../task/inputs/inputs.ts";
import { generationsOf } from "../../topics/generations.ts";
import {
  firstTopics,
  generationOf,
  generationTopics,
  rememberedTopic,
  type Topics,
} from "../../topics/topics.ts";
import { dropGeneration, type Rest } from "./drop_generation.ts";

const logger = getLogger(["meander", "log"]);

/**
 * Drops every other generation that has one of the users, whether kept or half built: nothing runs that could
 * remove the users from its samples, statistics and weights, and the events that would trigger this are about to be
 * erased.
 *
 * @param topics those of the generation that serves
 * @param firstEvent offset of the first event that is to be erased
 * @param rest called after each portion, so that others can use the log
 */
export async function dropOthersWith(
  log: Log,
  topics: Topics,
  users: readonly string[],
  firstEvent: number,
  rest: Rest,
): Promise<void> {
  const first = firstTopics(topics);
  const recorded = await generationsOf(log, first);
  for (const name of (await log.topics(first.state)).keys()) {
    const number = generationOf(first, name);
    if (number === null || name === topics.state) continue;
    const isCarried = recorded.get(number)?.carries !== undefined; // it has weights of users whose events it has not read
    if (!isCarried && !await knowsAny(log, generationTopics(first, number), users, firstEvent)) continue;
    await dropGeneration(log, first, number, 0, rest);
    logger.warn(
      "generation {number}, which does not serve, has users who are erased: dropped; it can be built " +
        "again",
      { number },
    );
  }
}

/**
 * Whether a generation has a state of one of the users, may have read one of their events, or is about to
 * start from some.
 */
async function knowsAny(
  log: Log,
  of: Topics,
  users: readonly string[],
  firstEvent: number,
): Promise<boolean> {
  const remembered = rememberedTopic(of);
  const begins = (await log.identify(remembered))?.partitions ?? 0;
  for (let place = 0; place < begins; place++) {
    const { start, end } = await log.bounds(remembered, place);
    if (end > start) return true;
  }
  const { partitions = 0 } = await log.identify(of.state) ?? {};
  const hasRead = await log.identify(of.statistics) !== null;
  for (const user of users) {
    const partition = partitionOf(user, partitions);
    const own = hasRead ? await ownPosition(log, of, partition) : null;
    if ((own?.next ?? 0) > firstEvent) return true;
    if (await newestOf(log, of.state, partition, user) !== null) return true;
  }
  return false;
}
