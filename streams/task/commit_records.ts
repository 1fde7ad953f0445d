/** The records of a commit: outputs and changed states. */

import { encodeItem, itemKey } from "../../src/items/item_codec.ts";
import { encodeTask, TASK_KEY } from "../../src/engine/task_codec.ts";
import type { TaskState } from "../../src/engine/task_state.ts";
import { dueTime } from "../../src/users/user_memory.ts";
import type { UserState } from "../../src/users/user_state.ts";
import { inPortions, type Portions } from "../../src/values/portions.ts";
import type { NewRecord } from "../log/log.ts";
import type { Topics } from "../topics/topics.ts";
import { BEFORE_EVENT } from "./catalogue_reader.ts";
import { CLEARED, encodeNote, NOTHING_SHARED, OTHERS, type OthersNote } from "./others.ts";
import type { Outbox } from "./outbox.ts";
import type { TaskInputs } from "./inputs/inputs.ts";
import { INPUTS, NAMED_FROM, PARTITIONS } from "./inputs/position.ts";
import { LINEAGE, PENDING } from "./restoring/changelog_reader.ts";
import { ROUND } from "../topics/delivery.ts";

const NO_HEADERS = {};
const NO_SIGNALS = new Uint8Array(0);

/** A task, with what it has done since its last commit. */
export interface Uncommitted {
  readonly topics: Topics;
  readonly partition: number;
  /** Number of partitions of the events. */
  readonly partitions: number;
  readonly state: TaskState;
  readonly outbox: Outbox;
  /** Position in the catalogue topic. */
  readonly itemsApplied: number;
  /** What was learnt from other tasks since the last commit, before any event. */
  readonly others: OthersNote;
  /** Offset of the next event as of the last commit. */
  readonly committed: number;
  /** Offset of the next event. */
  readonly next: number;
  /** The topics that the task reads. */
  readonly inputs: Pick<TaskInputs, "header">;
  /** See {@linkcode LINEAGE}. */
  readonly lineage: string;
  /** How many pieces of a snapshot of retrieval the commit may write. */
  readonly pieces: number;
  /** See {@linkcode ROUND}; `undefined` = the task is not part of a build. */
  readonly round: number | undefined;
}

export interface CommitRecords {
  /** Records of the outbox, then the one of the topic `signals`, if any. */
  readonly outputs: readonly NewRecord[];
  /** Records of the topic `state`. */
  readonly users: readonly NewRecord[];
  /** Records of the topic `statistics`; the task's own is the last. */
  readonly statistics: readonly NewRecord[];
  /** Whether these records replace all that may name users whom other tasks have erased. */
  readonly dropsNames: boolean;
}

/** The records of a commit, in portions; no event may be applied before the last one. */
export function* commitRecords(of: Uncommitted): Portions<CommitRecords> {
  const { topics, partition, state, outbox } = of;
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
  const round = of.round === undefined ? NO_HEADERS : { [ROUND]: `${of.round}` };
  const outputs = outbox.records(time, round);
  const users = Array.from(outbox.erased, (user) => record(topics.state, user, null));
  const statistics: NewRecord[] = [];
  yield* inPortions(state.dirtyUsers, (user) => users.push(userRecord(of, user)));
  yield* inPortions(state.dirtyItems, (item) => {
    statistics.push(record(topics.statistics, itemKey(item.id), encodeItem(item)));
  });
  const { records, signals, dropsNames } = yield* state.retrieval.state.changing(of.pieces);
  for (const { key, value } of [...state.numbers.changes(), ...records, ...state.erased.changes()]) {
    statistics.push(record(topics.statistics, key, value));
  }
  if (signals !== null || of.others.length > 0) outputs.push(signalsRecord(of, signals));
  const own = encodeTask(state, of.itemsApplied);
  const { cleared, namedFrom } = state.retrieval.state;
  statistics.push(record(topics.statistics, TASK_KEY, own, {
    ...(of.partitions > 1 && { [CLEARED]: cleared === null ? NOTHING_SHARED : encodeNote([...cleared]) }),
    ...(namedFrom < Infinity && { [NAMED_FROM]: `${namedFrom}` }),
    ...round,
    [LINEAGE]: of.lineage,
    [PARTITIONS]: `${of.partitions}`,
    [INPUTS]: of.inputs.header(of.next),
  }));
  return { outputs, users, statistics, dropsNames };
}

/** The record of a user's state. */
export function userRecord(
  { topics, partition, state }: Pick<Uncommitted, "topics" | "partition" | "state">,
  user: UserState,
): NewRecord {
  const due = dueTime(user);
  return {
    topic: topics.state,
    partition,
    key: user.id,
    value: state.memory.record(user),
    time: recordTime(state),
    headers: due === Infinity ? NO_HEADERS : { [PENDING]: `${due}` },
  };
}

/** The record from which other tasks learn, with a note of what this task has learnt from them. */
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

/** The time of a task's records: its clock, which a single event with a wrong time does not move. */
export function recordTime({ maxTime }: TaskState): number {
  return maxTime === -Infinity ? 0 : maxTime;
}
