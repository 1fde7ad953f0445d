/** Drops what was derived for generations that do not serve. */

import { setTimeout as delay } from "node:timers/promises";
import { canErase } from "../../log/capabilities.ts";
import type { Log, LogRecord, NewRecord } from "../../log/log.ts";
import { newestOf, readAll, readPages } from "../../log/reading.ts";
import { generationsOf } from "../../topics/generations.ts";
import { SERVING_KEY, servingGeneration } from "../../topics/serving.ts";
import { DERIVED, generationTopics, prefixOf, rememberedTopic, type Topics } from "../../topics/topics.ts";

/** Records dropped at a time. */
const BATCH = 1000;

/** Waits between two portions. */
export type Rest = () => Promise<void>;

/**
 * Drops the records of a generation; its topics stay, empty.
 *
 * @param topics those of the first generation
 * @param now wall clock, milliseconds since the epoch
 * @param rest called after each portion, so that others can use the log
 * @returns how many offsets were dropped
 * @throws RangeError when that generation serves, or there is no such generation
 * @throws LogError `closed` when a broker that lags behind answers; it can be called again
 */
export async function dropGeneration(
  log: Log,
  topics: Topics,
  number: number,
  now: number,
  rest: Rest = () => delay(0),
): Promise<number> {
  if (number === await servingGeneration(log, topics)) {
    throw new RangeError(`Cannot drop generation ${number}: it serves`);
  }
  const own = generationTopics(topics, number);
  const existing = await log.topics(prefixOf(topics));
  if (!existing.has(own.state) && !(await generationsOf(log, topics)).has(number)) {
    throw new RangeError(`Cannot drop generation ${number}: there is none of that number`);
  }
  let dropped = 0;
  for (const [name, { partitions, cleanup }] of existing) {
    if (!isDerived(name, own)) continue;
    for (let partition = 0; partition < partitions; partition++) {
      const { start, end } = await log.bounds(name, partition);
      if (cleanup === "delete") {
        for (let next = start; next < end;) {
          next = Math.min(next + BATCH, end);
          await log.trim(name, partition, next);
          await rest();
        }
      } else await emptyOut(log, name, partition, { end, time: now, rest });
      dropped += end - start;
    }
  }
  const { generations: topic } = topics;
  await log.append([{ topic, partition: 0, key: String(number), value: null, time: now }]);
  await log.scrub?.();
  return dropped;
}

/**
 * Drops the kept generations once another one has served for a while.
 *
 * @param topics those of the first generation
 * @param keepMs how long, milliseconds
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
  // A generation noted after the switch is being built.
  const notedAt = new Map<number, number>();
  for await (const { key, time } of readAll(log, topics.generations, 0)) notedAt.set(Number(key), time);
  const kept = [...(await generationsOf(log, topics)).keys()].filter((number) =>
    number !== serving && (notedAt.get(number) ?? 0) <= switched.time
  );
  for (const number of kept) await dropGeneration(log, topics, number, now);
  return kept;
}

/** Whether a topic belongs to a generation: derived, or with the versions of a variant's model. */
function isDerived(name: string, own: Topics): boolean {
  if (name === rememberedTopic(own) || DERIVED.some((derived) => own[derived] === name)) return true;
  const model = name.startsWith(`${own.parameters}.`) ? name.slice(own.parameters.length + 1) : "";
  return model !== "" && !/^g\d+/.test(model);
}

/**
 * Makes a compacted partition forget every key up to an offset; where single records can be erased, tombstones are
 * erased, too.
 */
async function emptyOut(
  log: Log,
  topic: string,
  partition: number,
  { end, time, rest }: { readonly end: number; readonly time: number; readonly rest: Rest },
): Promise<void> {
  for await (const page of readPages(log, topic, partition, { from: 0, to: end, maxRecords: BATCH })) {
    const records = page.records.filter(({ offset }) => offset < end);
    if (canErase(log)) await log.erase(topic, partition, records.map(({ offset }) => offset));
    else await log.append(tombstones(records, time));
    await rest();
  }
}

function tombstones(records: readonly LogRecord[], time: number): readonly NewRecord[] {
  const [first] = records;
  if (first === undefined) return [];
  const { topic, partition } = first;
  const keys = new Set(records.flatMap(({ key }) => key ?? []));
  return [...keys].map((key) => ({ topic, partition, key, value: null, time }));
}
