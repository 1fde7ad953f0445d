/**
 * The records of a commit: what was given out, and what changed.
 *
 * @module
 */

import { encodeSample, forgetSampleWords } from "../../src/learner/sample_codec.ts";
import { encodeItemState, encodeTask, itemKey, TASK_KEY } from "../../src/state/task_codec.ts";
import type { TaskState } from "../../src/state/task_state.ts";
import type { TaskOutputs } from "../../src/state/task_outputs.ts";
import { isWaiting } from "../../src/state/user_memory.ts";
import type { NewRecord } from "../log/log.ts";
import type { Topics } from "../topics.ts";
import { BEFORE_EVENT } from "./catalogue_reader.ts";
import { answerRecords, INPUT, type OutputNumbers } from "./delivery.ts";
import { encodeNote, OTHERS, type OthersNote } from "./others.ts";
import { LINEAGE, PARTITIONS, PENDING } from "./restore.ts";

const WAITING = { [PENDING]: "1" };
const NO_HEADERS = {};
const NO_SIGNALS = new Uint8Array(0);

/** What a task has done since its last commit. */
export interface Uncommitted {
  readonly topics: Topics;
  readonly partition: number;
  /** Number of partitions of the events. */
  readonly partitions: number;
  readonly state: TaskState;
  /** Given out. */
  readonly out: TaskOutputs;
  /** Numbers of what was given out. */
  readonly numbers: OutputNumbers;
  /** Answers that were sent already. */
  readonly sent: number;
  /** Records of what was refused. */
  readonly rejected: readonly NewRecord[];
  /** Position in the catalogue topic. */
  readonly itemsApplied: number;
  /** What was learnt from others since the last commit, before any event. */
  readonly others: OthersNote;
  /** Offset of the next event at the last commit. */
  readonly committed: number;
  /** See {@linkcode LINEAGE}. */
  readonly lineage: string;
}

/** The records of a commit by kind. */
export interface CommitRecords {
  /** Recommendations, samples, rejections, and what was learnt. */
  readonly outputs: readonly NewRecord[];
  /** Where each sample is among the outputs. */
  readonly samplePlaces: readonly number[];
  /** Of the `state` topic. */
  readonly users: readonly NewRecord[];
  /** Of the `statistics` topic; the task's own is the last. */
  readonly statistics: readonly NewRecord[];
}

/** Encodes a commit. */
export function commitRecords(of: Uncommitted): CommitRecords {
  const { topics, partition, state, out, rejected, numbers } = of;
  const time = recordTime(state);
  const record = (
    topic: string,
    key: string,
    value: Uint8Array | null,
    headers: NewRecord["headers"] = NO_HEADERS,
  ): NewRecord => ({
    topic,
    partition,
    key,
    value,
    time,
    headers,
  });
  const numbered = (number: string | undefined) => ({ [INPUT]: number ?? "" });
  const outputs = answerRecords(topics.recommendations, out, { numbers, partition, time, from: of.sent });
  const users: NewRecord[] = [];
  const statistics: NewRecord[] = [];
  const samplePlaces: number[] = [];
  let told = 0;
  const tellUpTo = (count: number) => {
    for (const sample of out.samples.slice(told, count)) {
      const headers = numbered(numbers.samples[told++]);
      samplePlaces.push(outputs.length);
      outputs.push(record(topics.samples, sample.user, encodeSample(sample), headers));
    }
  };
  for (const [n, { user, afterSamples }] of out.forgotten.entries()) {
    tellUpTo(afterSamples);
    outputs.push(record(topics.samples, user, null, numbered(numbers.forgotten[n])));
    users.push(record(topics.state, user, null));
  }
  tellUpTo(out.samples.length);
  if (out.forgotten.length > 0) forgetSampleWords();
  for (const one of rejected) outputs.push(one);
  for (const user of state.dirtyUsers) {
    users.push(record(topics.state, user.id, state.record(user), isWaiting(user) ? WAITING : NO_HEADERS));
  }
  for (const item of state.dirtyItems) {
    statistics.push(record(topics.statistics, itemKey(item.id), encodeItemState(item)));
  }
  const { records, signals } = state.retrieval.state.changes();
  for (const { key, value } of records) statistics.push(record(topics.statistics, key, value));
  if (signals !== null || of.others.length > 0) outputs.push(signalsRecord(of, signals));
  const own = encodeTask(state, of.itemsApplied);
  statistics.push(record(topics.statistics, TASK_KEY, own, {
    [LINEAGE]: of.lineage,
    [PARTITIONS]: `${of.partitions}`,
  }));
  return { outputs, samplePlaces, users, statistics };
}

/** What the other tasks are to learn, with what this one has learnt of them. */
function signalsRecord(
  { topics, partition, state, others, committed }: Uncommitted,
  signals: Uint8Array | null,
): NewRecord {
  return {
    topic: topics.signals,
    partition,
    key: null,
    value: signals ?? NO_SIGNALS,
    time: recordTime(state),
    headers: others.length === 0
      ? NO_HEADERS
      : { [OTHERS]: encodeNote(others), [BEFORE_EVENT]: `${committed}` },
  };
}

/** The time of a task's records: its clock, which one wrong event does not move. */
export function recordTime({ maxTime }: TaskState): number {
  return maxTime === -Infinity ? 0 : maxTime;
}
