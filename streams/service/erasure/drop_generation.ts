/**
 * Drops what was derived for a generation that does not serve.
 *
 * @module
 */

import { setTimeout as delay } from "node:timers/promises";
import { canErase } from "../../log/capabilities.ts";
import type { Log, LogRecord, NewRecord } from "../../log/log.ts";
import { servingGeneration } from "../../topics/serving.ts";
import { DERIVED, generationTopics, rememberedTopic, type Topics } from "../../topics/topics.ts";

/** Records that are dropped at once. */
const BATCH = 1000;

/**
 * Drops the records of a generation; its topics stay, empty.
 *
 * @param topics those of the first generation
 * @param now wall clock, milliseconds since the epoch
 * @returns how many offsets it were
 * @throws RangeError when it is the generation that serves
 */
export async function dropGeneration(log: Log, topics: Topics, number: number, now: number): Promise<number> {
  if (number === await servingGeneration(log, topics)) {
    throw new RangeError(`Cannot drop generation ${number}: it serves`);
  }
  const own = generationTopics(topics, number);
  let dropped = 0;
  for (const [name, { partitions, cleanup }] of await log.topics()) {
    if (!isDerived(name, own)) continue;
    for (let partition = 0; partition < partitions; partition++) {
      const { start, end } = await log.bounds(name, partition);
      if (cleanup === "delete") await log.trim(name, partition, end);
      else await emptyOut(log, name, partition, end, now);
      dropped += end - start;
    }
  }
  const { generations: topic } = topics;
  await log.append([{ topic, partition: 0, key: String(number), value: null, time: now }]);
  await log.scrub?.();
  return dropped;
}

/** Whether a topic is one of a generation's: derived, or that of the versions of a variant's model. */
function isDerived(name: string, own: Topics): boolean {
  if (name === rememberedTopic(own) || DERIVED.some((derived) => own[derived] === name)) return true;
  const model = name.startsWith(`${own.parameters}.`) ? name.slice(own.parameters.length + 1) : "";
  return model !== "" && !/^g\d+/.test(model);
}

/** Has a compacted partition forget every key up to an offset; where single records can be erased, no key stays either. */
async function emptyOut(
  log: Log,
  topic: string,
  partition: number,
  end: number,
  time: number,
): Promise<void> {
  for (let next = 0; next < end;) {
    const read = await log.read(topic, partition, next, { maxRecords: BATCH });
    const records = read.records.filter(({ offset }) => offset < end);
    if (canErase(log)) await log.erase(topic, partition, records.map(({ offset }) => offset));
    else await log.append(tombstones(records, time));
    if (read.next === next) return;
    next = read.next;
    await delay(0); // yields
  }
}

function tombstones(records: readonly LogRecord[], time: number): readonly NewRecord[] {
  const [first] = records;
  if (first === undefined) return [];
  const { topic, partition } = first;
  const keys = new Set(records.flatMap(({ key }) => key ?? []));
  return [...keys].map((key) => ({ topic, partition, key, value: null, time }));
}
