/** Reads the changelogs of a task, and explains records that cannot be read. */

import { MAX_ID_BYTES } from "../../../src/events/limits.ts";
import { shown } from "../../../src/events/rejected.ts";
import { TASK_KEY } from "../../../src/engine/task_codec.ts";
import type { TaskState } from "../../../src/engine/task_state.ts";
import { inPortions, withPauses } from "../../../src/values/portions.ts";
import { reasonOf } from "../../../src/values/reason.ts";
import type { Log, LogRecord, ReadResult } from "../../log/log.ts";
import { endsEarly, readAll } from "../../log/reading.ts";
import { corruptRecord, remedyByCopy, remedyByTombstone } from "../../log/unreadable.ts";
import type { Topics } from "../../topics/topics.ts";
import type { StateStoreOptions } from "../store/store_options.ts";
import type { RestoreMeter } from "./restore_meter.ts";

/**
 * Header of the record of a user with a pending deadline: the event time from which the user must be in memory; "1" in
 * records of older releases.
 */
export const PENDING = "pending";

/** Header of the task's record: a mark that distinguishes its log from others, made at the task's first commit. */
export const LINEAGE = "lineage";

/** Number of records to gather before applying them, so that only the newest of each key is applied. */
export const GATHERED = 20_000;

export interface RestoreOptions {
  readonly log: Log;
  readonly topics: Topics;
  readonly partition: number;
  /** Makes an empty state to restore into. */
  readonly makeState: () => TaskState;
  /** Where the local snapshot is; not used on logs with an index of keys. */
  readonly snapshot?: StateStoreOptions | undefined;
  readonly meter: RestoreMeter;
  /** Called between portions of work: yields the thread if that is due. @default {the thread is not yielded} */
  readonly giveWay?: (() => Promise<unknown>) | undefined;
  /** Ends the restore. */
  readonly signal?: AbortSignal | undefined;
}

/** Yields the thread between two portions of a restore, if that is due. @throws the signal's reason */
export async function rest({ giveWay, signal }: Pick<RestoreOptions, "giveWay" | "signal">): Promise<void> {
  await giveWay?.();
  signal?.throwIfAborted();
}

/** Applies entries in portions, with a {@linkcode rest} after each. */
export async function withRests<Entry>(
  entries: Iterable<Entry>,
  options: Pick<RestoreOptions, "giveWay" | "signal">,
  apply: (entry: Entry) => void,
): Promise<void> {
  await withPauses(inPortions(entries, apply), () => rest(options));
}

/** Whether a key can be an id. */
export function isId(key: string): boolean {
  return key !== "" && key.length <= MAX_ID_BYTES;
}

/** Runs a decoder. @throws LogError `corrupt` for an invalid record of the log, SyntaxError for one of the snapshot */
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
 * @throws LogError `corrupt` when it cannot be read; only then is its place looked up
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

/** Yields the records of a changelog from an offset to its present end, which is the end of a commit. */
export async function* readBehind(
  options: RestoreOptions,
  topic: string,
  from: number,
): AsyncGenerator<ReadResult> {
  const { log, partition, meter } = options;
  const { start, end } = await log.bounds(topic, partition);
  const begin = Math.max(start, from);
  for (let next = begin; next < end;) {
    await rest(options); // a log in this process responds without a turn of the event loop
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
