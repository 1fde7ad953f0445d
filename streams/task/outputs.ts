/**
 * The records of a commit: what was given out, and what changed.
 *
 * @module
 */

import { encodeSample } from "../../src/learner/sample_codec.ts";
import { encodeItemState, encodeTask, itemKey, TASK_KEY } from "../../src/state/task_codec.ts";
import { isWaiting, type TaskOutputs, type TaskState } from "../../src/state/task_state.ts";
import type { NewRecord } from "../log/log.ts";
import type { Topics } from "../topics.ts";
import { LINEAGE, PENDING } from "./restore.ts";

const encoder = new TextEncoder();
const WAITING = { [PENDING]: "1" };
const NO_HEADERS = {};

/** What a task has done since its last commit. */
export interface Uncommitted {
  readonly topics: Topics;
  readonly partition: number;
  readonly state: TaskState;
  /** Given out. */
  readonly out: TaskOutputs;
  /** Records of what was refused. */
  readonly rejected: readonly NewRecord[];
  /** Position in the catalogue topic. */
  readonly itemsApplied: number;
  /** See {@linkcode LINEAGE}. */
  readonly lineage: string;
}

/** The records of a commit by kind. */
export interface CommitRecords {
  /** Recommendations, samples, rejections. */
  readonly outputs: readonly NewRecord[];
  /** Of the `state` topic. */
  readonly users: readonly NewRecord[];
  /** Of the `statistics` topic; the task's own is the last. */
  readonly statistics: readonly NewRecord[];
}

/** Encodes a commit. */
export function commitRecords(of: Uncommitted): CommitRecords {
  const { topics, partition, state, out, rejected } = of;
  const time = state.maxTime === -Infinity ? 0 : state.maxTime;
  const record = (topic: string, key: string, value: Uint8Array | null, headers = NO_HEADERS): NewRecord => ({
    topic,
    partition,
    key,
    value,
    time,
    headers,
  });
  const outputs: NewRecord[] = [];
  const users: NewRecord[] = [];
  const statistics: NewRecord[] = [];
  for (const recommendation of out.recommendations) {
    const value = encoder.encode(JSON.stringify(recommendation));
    outputs.push(record(topics.recommendations, recommendation.user, value));
  }
  let told = 0;
  const tellUpTo = (count: number) => {
    for (const sample of out.samples.slice(told, count)) {
      outputs.push(record(topics.samples, sample.user, encodeSample(sample)));
    }
    told = count;
  };
  for (const { user, afterSamples } of out.forgotten) {
    tellUpTo(afterSamples);
    outputs.push(record(topics.samples, user, null));
    users.push(record(topics.state, user, null));
  }
  tellUpTo(out.samples.length);
  for (const one of rejected) outputs.push(one);
  for (const user of state.dirtyUsers) {
    users.push(record(topics.state, user.id, state.record(user), isWaiting(user) ? WAITING : NO_HEADERS));
  }
  for (const item of state.dirtyItems) {
    statistics.push(record(topics.statistics, itemKey(item.id), encodeItemState(item)));
  }
  const own = encodeTask(state, of.itemsApplied);
  statistics.push(record(topics.statistics, TASK_KEY, own, { [LINEAGE]: of.lineage }));
  return { outputs, users, statistics };
}
