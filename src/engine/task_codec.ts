/** The task's own binary record on the `statistics` topic (key `task`). */

import { ByteReader } from "../codec/byte_reader.ts";
import { ByteWriter } from "../codec/byte_writer.ts";
import type { Formats } from "../codec/formats.ts";
import type { ExperimentRecord } from "../assignment/experiment.ts";
import { ValueScale } from "../features/value_scale.ts";
import type { Calibrations } from "../scorer/score_kind.ts";
import { isOneOf } from "../values/one_of.ts";
import { createTaskCounters, TASK_COUNTERS, type TaskCounters } from "./task_counters.ts";
import type { TaskState } from "./task_state.ts";
import { judgeCatalogue } from "./unknown_items.ts";
import { times } from "../values/times.ts";

/** Formats before this one were never deployed. */
const OLDEST = 4;
/** Since this format, a record holds the room for unlisted items. */
const ROOM_SINCE = 5;
const FORMAT = ROOM_SINCE;
/** Formats of the task's own record that this code reads and writes. */
export const TASK_FORMATS: Formats = { oldest: OLDEST, newest: FORMAT };

export const TASK_KEY = "task";

/** Encodes the task's own numbers: clock, overall statistics, counters, and the position in the catalogue topic. */
export function encodeTask(task: TaskState, itemsNext: number): Uint8Array {
  const { overall } = task.statistics;
  const to = new ByteWriter()
    .u8(FORMAT).uint(task.join.nextSequence).uint(itemsNext)
    .uint(overall.outcomes).uint(overall.positives);
  overall.values.encode(to);
  const counters = [...Object.entries(task.counters), ...task.models.calibrations.counters()];
  to.uint(counters.length);
  for (const [name, value] of counters) to.string(name).uint(value);
  task.clock.encode(to);
  to.uint(task.experiments.size);
  for (const record of task.experiments.values()) to.string(JSON.stringify(record));
  task.catalogue.room.encode(to);
  return to.toBytes();
}

/**
 * Reads only the counters in a record of {@linkcode encodeTask}. Counters of later releases are left out; missing ones
 * are 0.
 *
 * @throws SyntaxError when the bytes are not such a record
 */
export function decodeTaskCounters(bytes: Uint8Array): TaskCounters {
  const counters = createTaskCounters();
  const from = new ByteReader(bytes);
  checkedFormat(from.u8());
  for (let passed = 0; passed < 4; passed++) from.uint();
  new ValueScale().decode(from);
  readCounters(from, counters);
  return counters;
}

function checkedFormat(format: number): number {
  if (format >= OLDEST && format <= FORMAT) return format;
  throw new SyntaxError(
    `Cannot decode the state of the task: format is ${format}, this release reads ${OLDEST} to ${FORMAT}`,
  );
}

function readCounters(from: ByteReader, counters: TaskCounters, calibrations?: Calibrations): void {
  for (let n = from.count(); n > 0; n--) {
    const name = from.string();
    const value = from.uint();
    if (isOneOf(TASK_COUNTERS, name)) counters[name] = value;
    else calibrations?.restore(name, value);
  }
}

/**
 * Reads a record of {@linkcode encodeTask} into a fresh task.
 *
 * @returns The position in the catalogue topic.
 * @throws SyntaxError when the bytes are not such a record.
 */
export function decodeTask(bytes: Uint8Array, task: TaskState): number {
  const from = new ByteReader(bytes);
  const format = checkedFormat(from.u8());
  task.join.nextSequence = from.uint();
  const itemsNext = from.uint();
  const { overall } = task.statistics;
  overall.outcomes = from.uint();
  overall.positives = from.uint();
  overall.values.decode(from);
  readCounters(from, task.counters, task.models.calibrations);
  judgeCatalogue(task);
  task.clock.decode(from);
  task.applyExperiments(
    times(from.count(), () => from.json<ExperimentRecord>()),
  );
  if (format >= ROOM_SINCE) task.catalogue.room.decode(from);
  return itemsNext;
}
