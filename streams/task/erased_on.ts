/**
 * Whom a partition has erased, as its records on the log say.
 *
 * @module
 */

import { erasedKey, ErasedUsers, isErasedKey } from "../../src/users/erased_users.ts";
import { indexesKeys } from "../log/capabilities.ts";
import type { Log } from "../log/log.ts";
import { readAll } from "../log/reading.ts";
import { servingGeneration } from "../topics/serving.ts";
import { firstTopics, generationTopics, type Topics } from "../topics/topics.ts";

/** Reads them. @param statistics name of the topic, which is read whole where the log has no index */
export async function erasedOn(
  log: Log,
  statistics: string,
  partition: number,
): Promise<ErasedUsers> {
  const records = new Map<string, Uint8Array | null>();
  if (indexesKeys(log)) {
    for (let number = 0, value: Uint8Array | null | undefined; value !== null; number++) {
      value = (await log.latest(statistics, partition, erasedKey(number)))?.value ?? null;
      records.set(erasedKey(number), value);
    }
  } else {
    for await (const { key, value } of readAll(log, statistics, partition)) {
      if (key !== null && isErasedKey(key)) records.set(key, value);
    }
  }
  const erased = new ErasedUsers();
  for (const [key, value] of records) if (value !== null) erased.restore(key, value);
  return erased;
}

/**
 * Takes over whom the serving generation has erased, whose events may be gone, for a task of another one.
 *
 * @param topics those of the other one
 * @param erased receives them
 */
export async function carryErased(
  log: Log,
  topics: Topics,
  task: number,
  erased: ErasedUsers,
): Promise<void> {
  const first = firstTopics(topics);
  const serving = generationTopics(first, await servingGeneration(log, first)).statistics;
  if (serving === topics.statistics) return;
  const partitions = (await log.identify(serving))?.partitions ?? 0;
  const tasks = (await log.identify(topics.statistics))?.partitions ?? 1;
  for (let partition = 0; partition < partitions; partition++) {
    if ((partition - task) % commonDivisor(partitions, tasks) !== 0) continue; // they have no users in common
    erased.carry(await erasedOn(log, serving, partition));
  }
}

function commonDivisor(a: number, b: number): number {
  return b === 0 ? a : commonDivisor(b, a % b);
}
