/**
 * Checks that the topic of generations still says which one serves, since it may have been deleted and created again.
 */

import { type Log, LogError } from "../log/log.ts";
import { readAll } from "../log/reading.ts";
import { ownRecord } from "../task/inputs/inputs.ts";
import { FIRST_GENERATION, SERVING_KEY, servingGeneration } from "../topics/serving.ts";
import { generationOf, generationTopics, type Topics } from "../topics/topics.ts";

/**
 * Number of the generation that serves. Where no record says it, each one that tasks have worked for must have a record
 * of its own.
 *
 * @throws LogError `corrupt` when one has none: otherwise the first generation would serve again, and answer requests
 * that arrived since a switch once more
 */
export async function checkServing(
  log: Pick<Log, "identify" | "topics" | "latest" | "read" | "bounds">,
  topics: Topics,
): Promise<number> {
  const { generations } = topics;
  const keys = new Set<string | null>();
  if (await log.identify(generations) !== null) {
    for await (const { key } of readAll(log, generations, 0)) keys.add(key);
  }
  if (keys.has(SERVING_KEY)) return await servingGeneration(log, topics);
  for (const name of (await log.topics(topics.state)).keys()) {
    const number = generationOf(topics, name) ?? FIRST_GENERATION;
    if (number === FIRST_GENERATION || keys.has(`${number}`) || !await hasWorked(log, topics, number)) {
      continue;
    }
    throw new LogError(
      "corrupt",
      `Cannot tell which generation serves: ${generations} does not say, and has no record of generation ${number}, whose ` +
        `topics exist; restore it from a copy, or append a record with the key "${SERVING_KEY}" and the number ` +
        `as its value to ${generations}/0`,
    );
  }
  return FIRST_GENERATION;
}

/** Whether a generation has a record of a task: one that was dropped has nothing but topics. */
async function hasWorked(
  log: Pick<Log, "identify" | "latest" | "read" | "bounds">,
  topics: Topics,
  generation: number,
): Promise<boolean> {
  const own = generationTopics(topics, generation);
  const { partitions = 0 } = await log.identify(own.statistics) ?? {};
  for (let partition = 0; partition < partitions; partition++) {
    if ((await ownRecord(log, own, partition))?.value) return true;
  }
  return false;
}
