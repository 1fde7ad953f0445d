/**
 * How the changelogs of a task are read, and what is said of records that cannot be read.
 *
 * @module
 */

import { MAX_ID_BYTES } from "../../../src/events/limits.ts";
import { shown } from "../../../src/events/rejected.ts";
import { TASK_KEY } from "../../../src/engine/task_codec.ts";
import type { TaskState } from "../../../src/engine/task_state.ts";
import { reasonOf } from "../../../src/values/reason.ts";
import type { Log, LogRecord, ReadResult } from "../../log/log.ts";
import { endsEarly, readAll } from "../../log/reading.ts";
import { corruptRecord, remedyByCopy, remedyByTombstone } from "../../log/unreadable.ts";
import type { Topics } from "../../topics/topics.ts";
import type { StateStoreOptions } from "../store/store_options.ts";
import type { RestoreMeter } from "./restore_meter.ts";

/**
 * Header of a user's record for whom something waits: the event time from which on the user must be in memory; "1" in
 * records of older releases.
 */
export const PENDING = "pending";

/** Header of the task's record: the mark of the log that it is on, from the task's first commit on. */
export const LINEAGE = "lineage";

/** Records to gather before applying them, so that only the newest of each key is applied. */
export const GATHERED = 20_000;

export interface RestoreOptions {
  readonly log: Log;
  readonly topics: Topics;
  readonly partition: number;
  /** Number of partitions of the events. */
  readonly partitions: number;
  /** Makes an empty state, which is filled. */
  readonly makeState: () => TaskState;
  /** Where the local snapshot is; not used on logs that have an index of their own. */
  readonly snapshot?: StateStoreOptions | undefined;
  readonly meter: RestoreMeter;
  /** Yields the thread now and then. @default {it does not} */
  readonly giveWay?: (() => Promise<unknown>) | undefined;
  /** Ends it. */
  readonly signal?: AbortSignal | undefined;
}

/** Whether a key can be an id. */
export function isId(key: string): boolean {
  return key !== "" && key.length <= MAX_ID_BYTES;
}

/** @throws LogError `corrupt` when a record of the log cannot be read, SyntaxError when one of the snapshot cannot */
export function decoding<T>(
  { partition }: Pick<RestoreOptions, "partition">,
  record: LogRecord | undefined,
  decode: () => T,
): T {
  try {
    return decode();
  } catch (cause) {
    if (record === undefined) throw new SyntaxError(reasonOf(cause), { cause });
    const remedy = record.key === TASK_KEY
      ? remedyByCopy(record)
      : remedyByTombstone(record, "its content starts from scratch");
    throw corruptRecord(`restore task ${partition}`, record, cause, remedy);
  }
}

/**
 * Restores a user from a record.
 *
 * @throws LogError `corrupt` when it cannot be read; its place is looked up only then
 */
export async function restoring(
  { log, topics, partition }: Pick<RestoreOptions, "log" | "topics" | "partition">,
  id: string,
  restore: () => void,
): Promise<void> {
  try {
    restore();
  } catch (cause) {
    let newest: LogRecord = {
      topic: topics.state,
      partition,
      offset: NaN,
      key: id,
      value: null,
      time: 0,
      headers: {},
    };
    for await (const record of readAll(log, topics.state, partition)) if (record.key === id) newest = record;
    const remedy = remedyByTombstone(newest, "the user starts from scratch");
    throw corruptRecord(`restore user ${shown(id)}`, newest, cause, remedy);
  }
}

/** The records of a changelog from an offset to its present end, which is the end of a commit. */
export async function* readBehind(
  { log, partition, meter, signal }: RestoreOptions,
  topic: string,
  from: number,
): AsyncGenerator<ReadResult> {
  const { start, end } = await log.bounds(topic, partition);
  const begin = Math.max(start, from);
  for (let next = begin; next < end;) {
    signal?.throwIfAborted();
    const result = await log.read(topic, partition, next);
    if (result.next === next) throw endsEarly(topic, partition, next, end);
    const records = result.records.filter(({ offset }) => offset < end);
    next = Math.min(result.next, end);
    let bytes = 0;
    for (const { value } of records) bytes += value?.length ?? 0;
    meter.advance(records.length, bytes, (next - begin) / (end - begin));
    yield { ...result, records, next };
  }
}
