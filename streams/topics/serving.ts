/**
 * Which generation of a deployment serves: a record on the topic of generations, so that all switch in one commit.
 *
 * @module
 */

import type { Log, NewRecord } from "../log/log.ts";
import { newestOf } from "../log/reading.ts";
import { corruptRecord, remedyByCopy } from "../log/unreadable.ts";
import { generationTopics, topicNames, type Topics } from "./topics.ts";

/** Key of the record. */
export const SERVING_KEY = "serving";

/** Number of the generation that is there before any record says so. */
export const FIRST_GENERATION = 1;

/** Number of the generation that serves. @throws LogError `corrupt` when the record cannot be read */
export async function servingGeneration(
  log: Pick<Log, "identify" | "latest" | "read" | "bounds">,
  { generations }: Pick<Topics, "generations">,
): Promise<number> {
  if (await log.identify(generations) === null) return FIRST_GENERATION;
  const record = await newestOf(log, generations, 0, SERVING_KEY);
  if (record === null || record.value === null) return FIRST_GENERATION;
  const number = Number(new TextDecoder().decode(record.value));
  if (Number.isSafeInteger(number) && number > 0) return number;
  const cause = new SyntaxError(`its value is ${number}`);
  throw corruptRecord("find which generation serves", record, cause, remedyByCopy(record));
}

/** The topics of the generation that serves. @param prefix of topic names */
export async function servingTopics(
  log: Pick<Log, "identify" | "latest" | "read" | "bounds">,
  prefix?: string,
): Promise<Topics> {
  const topics = topicNames(prefix);
  return generationTopics(topics, await servingGeneration(log, topics));
}

/** The record that has a generation serve. @param time wall clock, milliseconds since the epoch */
export function servingRecord(
  { generations }: Pick<Topics, "generations">,
  generation: number,
  time: number,
): NewRecord {
  const value = new TextEncoder().encode(String(generation));
  return { topic: generations, partition: 0, key: SERVING_KEY, value, time };
}
