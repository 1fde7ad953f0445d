/**
 * The task's own binary record on the `statistics` topic (key `task`).
 *
 * @module
 */

import { ByteReader } from "../codec/byte_reader.ts";
import { ByteWriter } from "../codec/byte_writer.ts";
import type { ExperimentRecord } from "../assignment/experiment.ts";
import { ValueScale } from "../features/value_scale.ts";
import { createTaskCounters, type TaskCounter, type TaskCounters } from "./task_counters.ts";
import type { TaskState } from "./task_state.ts";

/** Format 1 knows no experiments; 1 and 2 have another clock, 1 to 3 of all values their count and sum. */
const FORMAT = 4;

/** Key of the task's own record. */
export const TASK_KEY = "task";

/** Encodes the task's own numbers: clock, overall statistics, counters, and the position in the catalogue topic. */
export function encodeTask(task: TaskState, itemsNext: number): Uint8Array {
  const { overall } = task.statistics;
  const to = new ByteWriter()
    .u8(FORMAT).uint(task.join.nextSequence).uint(itemsNext)
    .uint(overall.outcomes).uint(overall.positives);
  overall.values.encode(to);
  const counters = Object.entries(task.counters);
  to.uint(counters.length);
  for (const [name, value] of counters) to.string(name).uint(value);
  task.clock.encode(to);
  to.uint(task.experiments.size);
  for (const record of task.experiments.values()) to.string(JSON.stringify(record));
  return to.toBytes();
}

/**
 * Reads the counters in a record of {@linkcode encodeTask}, and nothing else. Those of later versions are left out, those
 * that it has not are 0.
 *
 * @throws SyntaxError when the bytes are not such a record
 */
export function decodeTaskCounters(bytes: Uint8Array): TaskCounters {
  const counters = createTaskCounters();
  const from = new ByteReader(bytes);
  const format = from.u8();
  checkFormat(format);
  for (let passed = 0; passed < 4; passed++) from.uint();
  readValues(from, format, new ValueScale());
  readCounters(from, counters);
  return counters;
}

function checkFormat(format: number): void {
  if (format >= 1 && format <= FORMAT) return;
  throw new SyntaxError(
    `Cannot decode the state of the task: format is ${format}, this reads 1 to ${FORMAT}`,
  );
}

function readValues(from: ByteReader, format: number, into: ValueScale): void {
  if (format > 3) into.decode(from);
  else decodeMean(from, into);
}

function readCounters(from: ByteReader, counters: TaskCounters): void {
  for (let n = from.count(); n > 0; n--) {
    const name = from.string();
    const value = from.uint();
    if (Object.hasOwn(counters, name)) counters[name as TaskCounter] = value;
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
  const format = from.u8();
  checkFormat(format);
  task.join.nextSequence = from.uint();
  const itemsNext = from.uint();
  const { overall } = task.statistics;
  overall.outcomes = from.uint();
  overall.positives = from.uint();
  readValues(from, format, overall.values);
  readCounters(from, task.counters);
  if (format > 2) task.clock.decode(from);
  else task.clock.decodeFormat2(from);
  const experiments: ExperimentRecord[] = [];
  for (let n = format > 1 ? from.count() : 0; n > 0; n--) {
    experiments.push(JSON.parse(from.string()) as ExperimentRecord);
  }
  task.applyExperiments(experiments);
  return itemsNext;
}

function decodeMean(from: ByteReader, into: ValueScale): void {
  const [count, sum] = [from.uint(), from.f64()];
  into.seed(count, sum / count);
}
