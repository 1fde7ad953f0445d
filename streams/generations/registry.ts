/**
 * The records of generations on their topic: what each is made as, by its number.
 *
 * @module
 */

import type { Log, NewRecord } from "../log/log.ts";
import { readAll } from "../log/reading.ts";
import { corruptRecord, remedyByCopy } from "../log/unreadable.ts";
import type { Topics } from "../topics/topics.ts";
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

/** The record of a generation. */
export function generationRecord(
  { generations }: Pick<Topics, "generations">,
  generation: Generation,
  time: number,
): NewRecord {
  const value = encodeGeneration(generation);
  return { topic: generations, partition: 0, key: String(generation.number), value, time };
}
