/**
 * The records of generations on their topic: what each is made as, by its number.
 *
 * @module
 */

import { type Log, LogError, type NewRecord } from "../log/log.ts";
import { readAll } from "../log/reading.ts";
import { corruptRecord, remedyByCopy } from "../log/unreadable.ts";
import { tasksLog } from "../task/shared_sources.ts";
import { generationTopics, type Topics } from "../topics/topics.ts";
import { decodeGeneration, encodeGeneration, type Generation } from "./generation.ts";

/** The generations of a deployment, by number. @throws LogError `corrupt` when a record cannot be read */
export async function generationsOf(
  log: Pick<Log, "identify" | "bounds" | "read">,
  { generations }: Pick<Topics, "generations">,
): Promise<ReadonlyMap<number, Generation>> {
  const found = new Map<number, Generation>();
  if (await log.identify(generations) === null) return found;
  for await (const record of readAll(log, generations, 0)) {
    const { key, value } = record;
    if (key === null || !/^\d+$/.test(key)) continue; // other records have names
    try {
      if (value === null) found.delete(Number(key));
      else found.set(Number(key), decodeGeneration(value));
    } catch (cause) {
      throw corruptRecord(`compare generation ${key}`, record, cause, remedyByCopy(record));
    }
  }
  return found;
}

/**
 * The log as the tasks of a generation have it.
 *
 * @param topics those of the first generation
 * @throws LogError `topic-mismatch` when its tasks shared another number of partitions
 */
export async function generationLog(log: Log, topics: Topics, number: number): Promise<Log> {
  const { sources } = (await generationsOf(log, topics)).get(number) ?? {};
  const now = (await log.topics()).get(topics.events)?.partitions;
  if (sources !== undefined && now !== undefined && sources !== now) {
    throw new LogError(
      "topic-mismatch",
      `Cannot go on with ${topics.events} as ${sources} partitions: it has ${now} now, so that users are elsewhere than ` +
        `their states; begin anew under another --prefix, with --rekey-from ${topics.events}`,
    );
  }
  return await tasksLog(log, generationTopics(topics, number));
}

/** The record of a generation. */
export function generationRecord(
  { generations }: Pick<Topics, "generations">,
  generation: Generation,
  time: number,
): NewRecord {
  const value = encodeGeneration(generation);
  return { topic: generations, partition: 0, key: String(generation.number), value, time };
}
