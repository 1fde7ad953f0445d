/**
 * Which generation of a deployment serves: a record on the topic of generations, so that all processes switch in one
 * commit.
 */

import type { Log, NewRecord } from "../log/log.ts";
import { newestOf } from "../log/reading.ts";
import { corruptRecord, remedyByCopy } from "../log/unreadable.ts";
import { generationTopics, topicNames, type Topics } from "./topics.ts";

export const SERVING_KEY = "serving";
/** Key of the record of a switch that is under way. */
const CLOSING_KEY = "closing";

/** Number of the generation that serves as long as there is no record. */
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

/** A switch that is under way: the serving generation reads no more events. */
export interface Closing {
  /** Number of the generation that is to serve next. */
  readonly to: number;
  /** Offsets of events at which the tasks of the serving generation stop, by task; 0 = where they are. */
  readonly ends: readonly number[];
}

/** Which generation serves, according to the topic of generations. */
export interface SwitchState {
  /** Number of the generation that serves. */
  readonly serving: number;
  /** The switch that is under way; `null` = none. */
  readonly closing: Closing | null;
}

/** Which generation serves, and whether another is taking over. @throws LogError `corrupt` when a record cannot be read */
export async function switchState(
  log: Pick<Log, "identify" | "latest" | "read" | "bounds">,
  topics: Pick<Topics, "generations">,
): Promise<SwitchState> {
  const { generations } = topics;
  // In this order, so that a switch that completes in between shows as the new generation.
  const record = await log.identify(generations) === null
    ? null
    : await newestOf(log, generations, 0, CLOSING_KEY);
  const serving = await servingGeneration(log, topics);
  if (record === null || record.value === null) return { serving, closing: null };
  try {
    const closing: Closing = JSON.parse(new TextDecoder().decode(record.value));
    return { serving, closing };
  } catch (cause) {
    throw corruptRecord("find which generation takes over", record, cause, remedyByCopy(record));
  }
}

/** Transactional id for building and switching: a later builder fences an earlier one. */
export function switchWriterId({ generations }: Pick<Topics, "generations">): string {
  return `${generations}-switch`;
}

/** The record of a switch that is under way. @param closing `null` = it is over @param time milliseconds since the epoch */
export function closingRecord(
  { generations }: Pick<Topics, "generations">,
  closing: Closing | null,
  time: number,
): NewRecord {
  const value = closing && new TextEncoder().encode(JSON.stringify(closing));
  return { topic: generations, partition: 0, key: CLOSING_KEY, value, time };
}

/** The topics of the generation that serves. @param prefix of topic names */
export async function servingTopics(
  log: Pick<Log, "identify" | "latest" | "read" | "bounds">,
  prefix?: string,
): Promise<Topics> {
  const topics = topicNames(prefix);
  return generationTopics(topics, await servingGeneration(log, topics));
}

/** The record that makes a generation serve. @param time wall clock, milliseconds since the epoch */
export function servingRecord(
  { generations }: Pick<Topics, "generations">,
  generation: number,
  time: number,
): NewRecord {
  const value = new TextEncoder().encode(String(generation));
  return { topic: generations, partition: 0, key: SERVING_KEY, value, time };
}
