/**
 * Drops generations that another one has replaced for long enough.
 *
 * @module
 */

import type { Log } from "../log/log.ts";
import { newestOf, readAll } from "../log/reading.ts";
import { dropGeneration } from "../service/erasure/drop_generation.ts";
import { SERVING_KEY, servingGeneration } from "../topics/serving.ts";
import type { Topics } from "../topics/topics.ts";
import { generationsOf } from "../topics/generations.ts";

/**
 * Drops the generations that are kept, when another one has served for a while.
 *
 * @param topics those of the first generation
 * @param keepMs for how long, milliseconds
 * @param now wall clock, milliseconds since the epoch
 * @returns their numbers
 */
export async function dropKept(
  log: Log,
  topics: Topics,
  keepMs: number,
  now: number,
): Promise<readonly number[]> {
  if (await log.identify(topics.generations) === null) return [];
  const switched = await newestOf(log, topics.generations, 0, SERVING_KEY);
  if (switched === null || now - switched.time < keepMs) return [];
  const serving = await servingGeneration(log, topics);
  // What was noted after the switch is being built.
  const notedAt = new Map<number, number>();
  for await (const { key, time } of readAll(log, topics.generations, 0)) notedAt.set(Number(key), time);
  const kept = [...(await generationsOf(log, topics)).keys()].filter((number) =>
    number !== serving && (notedAt.get(number) ?? 0) <= switched.time
  );
  for (const number of kept) await dropGeneration(log, topics, number, now);
  return kept;
}
