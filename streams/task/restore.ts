/**
 * Restores a task's state from its local snapshot, if there is a valid one, and the changelogs after it.
 *
 * ```text
 *   statistics  ░░░░░░░░░░░░░░ snapshot ░░░░░░░░░░│▓▓ tail ▓▓│   items, and the task's own numbers: all in memory
 *   state       ░░░░░░░░░░░░░░ snapshot ░░░░░░░░░░│▓▓ tail ▓▓│   users: in memory only those for whom something waits
 * ```
 *
 * Takes constant memory besides what it restores. The caller has fenced the partition, so neither changelog grows
 * meanwhile.
 *
 * @module
 */

import { MAX_ID_BYTES } from "../../src/events/limits.ts";
import { shown } from "../../src/events/rejected.ts";
import { DamagedChange, RETRIEVAL_KEY } from "../../src/retrieval/signals/changelog.ts";
import { decodeItem, itemKey, itemOfKey } from "../../src/items/item_codec.ts";
import { NUMBERS_KEY } from "../../src/engine/item_numbers.ts";
import { decodeTask, TASK_KEY } from "../../src/engine/task_codec.ts";
import type { TaskState } from "../../src/engine/task_state.ts";
import { isErasedKey } from "../../src/users/erased_users.ts";
import { reasonOf } from "../../src/values/reason.ts";
import { indexesKeys } from "../log/capabilities.ts";
import { type Log, LogError, type LogRecord, type ReadResult } from "../log/log.ts";
import { endsEarly, readAll } from "../log/reading.ts";
import { corruptRecord, remedyByCopy, remedyByTombstone, unreadable } from "../log/unreadable.ts";
import type { Topics } from "../topics/topics.ts";
import { changeOf, PARTITIONS } from "./inputs/position.ts";
import type { RestoreMeter } from "./restore_meter.ts";
import { StateStore } from "./store/state_store.ts";
import type { StateStoreOptions } from "./store/store_options.ts";
import { LogUsers, PackedUsers, type UserIndex } from "./store/users.ts";

/** Header of a user's record that has open impressions: such a user must be in memory. */
export const PENDING = "pending";

/** Header of the task's record: the mark of the log that it is on, from the task's first commit on. */
export const LINEAGE = "lineage";

/** Records to gather before applying them, so that only the newest of each key is applied. */
const GATHERED = 20_000;

export interface RestoreOptions {
  readonly log: Log;
  readonly topics: Topics;
  readonly partition: number;
  /** Number of partitions of the events. */
  readonly partitions: number;
  /** An empty state, which is filled. */
  readonly state: TaskState;
  /** Where the local snapshot is; not used on logs that have an index of their own. */
  readonly snapshot?: StateStoreOptions | undefined;
  readonly meter: RestoreMeter;
  /** Ends it. */
  readonly signal?: AbortSignal | undefined;
}

/** What a task needs besides its state. */
export interface Restored {
  /** Where its users are. */
  readonly users: UserIndex;
  /** The local snapshot, if there is one. */
  readonly store: StateStore | null;
  /** Position in the catalogue topic. */
  readonly itemsApplied: number;
  /** See {@linkcode LINEAGE}; `null` on a log without a commit. */
  readonly lineage: string | null;
}

/**
 * Restores a task.
 *
 * @throws LogError `corrupt` when a record on the log cannot be read
 * @throws LogError `topic-mismatch` when the log had another number of partitions: users would be elsewhere
 */
export async function restore(options: RestoreOptions): Promise<Restored> {
  const { log, topics, partition, snapshot } = options;
  const store = snapshot === undefined || indexesKeys(log) ? null : await openSnapshot(snapshot, options);
  // The position changes during the restore: its first value tells whether a snapshot was read.
  const isRead = store !== null && store.position !== null;
  const users = store ??
    (indexesKeys(log) ? new LogUsers(log.latest.bind(log), topics.state, partition) : new PackedUsers());
  try {
    const { itemsApplied, ...statistics } = await restoreStatistics(options, store);
    await restoreUsers(options, users, store, { ...statistics, isRead });
    return { users, store, itemsApplied, lineage: statistics.lineage };
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) {
      await store?.close();
      throw cause;
    }
    if (isRead) {
      // It may be of another release; the log is authoritative.
      await store.setAside(cause.message);
      throw new LogError("closed", `Cannot restore task ${partition} from its snapshot: ${cause.message}`, {
        cause,
      });
    }
    await store?.close();
    throw new LogError("corrupt", `Cannot restore task ${partition}: ${cause.message}`, { cause });
  }
}

/** The snapshot of this log: one of another is set aside. */
async function openSnapshot(
  snapshot: StateStoreOptions,
  options: RestoreOptions,
): Promise<StateStore | null> {
  const open = () => {
    let before = 0;
    return StateStore.open(snapshot, (bytes, of) => {
      options.meter.advance(0, bytes - before, bytes / of);
      before = bytes;
    });
  };
  const store = await open();
  if (store === null) return null;
  try {
    const misfit = await misfitOf(store, options);
    if (misfit === null) return store;
    await store.setAside(misfit);
  } catch (error) {
    await store.close();
    throw error;
  }
  return await open();
}

/** Why a snapshot is not of this log; `null` when it is, or is empty. */
async function misfitOf(store: StateStore, options: RestoreOptions): Promise<string | null> {
  const { log, topics, partition } = options;
  const { position } = store;
  if (position === null) return store.size > 0 ? "it has no position" : null;
  if (store.isTooOld) return "it is so old that the log may no longer know who was erased since";
  const ends = await Promise.all(
    [topics.state, topics.statistics].map((topic) => log.bounds(topic, partition)),
  );
  if (position.state > (ends[0]?.end ?? 0) || position.task >= (ends[1]?.end ?? 0)) {
    return "the log ends before it";
  }
  for await (const { records } of readBehind(options, topics.statistics, position.task)) {
    const own = records.find(({ key }) => key === TASK_KEY);
    if (own === undefined) continue;
    return own.headers[LINEAGE] === position.lineage ? null : "it is of another log";
  }
  return "the log has no record of the task behind it";
}

/** Restores the items and the task's own numbers. */
async function restoreStatistics(
  options: RestoreOptions,
  store: StateStore | null,
): Promise<{ readonly itemsApplied: number; readonly lineage: string | null; readonly task: number }> {
  const restored = new RestoredStatistics(options);
  for (const [key, value] of store?.statistics() ?? []) restored.take(key, { value });
  options.meter.begin("statistics");
  let { lineage = null, task = 0 } = store?.position ?? {};
  const gathered = new Map<string, StatisticsRecord>();
  const takeAll = () => {
    for (const [key, one] of gathered) if (restored.tryTake(key, one)) store?.putStatistic(key, one.value);
    gathered.clear();
  };
  for await (const { records } of readBehind(options, options.topics.statistics, task)) {
    for (const record of records) {
      const { key, value, headers, offset } = record;
      if (key === null) continue;
      if (value === null) {
        gathered.delete(key);
        restored.remove(key);
        continue;
      }
      gathered.set(key, { value, record });
      if (key !== TASK_KEY) continue;
      checkPartitions(headers[PARTITIONS], options);
      lineage = headers[LINEAGE] ?? lineage;
      task = offset;
    }
    if (gathered.size >= GATHERED) takeAll();
  }
  takeAll();
  return { itemsApplied: restored.end(), lineage, task };
}

/** Takes records of `statistics` into the state; those of the task and of retrieval only at the end, as one. */
class RestoredStatistics {
  readonly #options: RestoreOptions;
  #own: StatisticsRecord | null = null;
  readonly #retrieval = new Map<string, StatisticsRecord>();
  /** By key. A later record may replace one that cannot be read. */
  readonly #damaged = new Map<string, LogError>();

  constructor(options: RestoreOptions) {
    this.#options = options;
  }

  /** @throws LogError `corrupt` when a record of the log cannot be read, SyntaxError when one of the snapshot cannot */
  take(key: string, { value, record }: StatisticsRecord): void {
    const { state: { catalogue, erased, numbers } } = this.#options;
    const decode = (into: () => void) => decoding(this.#options, record, into);
    const item = itemOfKey(key);
    if (key === TASK_KEY) this.#own = { value: value.slice(), record };
    else if (isErasedKey(key)) decode(() => erased.restore(key, value));
    else if (key.startsWith(RETRIEVAL_KEY)) this.#retrieval.set(key, { value: value.slice(), record });
    else if (key.startsWith(NUMBERS_KEY)) decode(() => numbers.take(key, value));
    else if (key === itemKey(item) && isId(item)) decode(() => decodeItem(item, value, catalogue));
    else if (record !== undefined) unreadable.leaveOut(record, `its key is ${shown(key)}`, "no task has it");
  }

  /** Takes the newest record of a key so far. @returns whether it can be read; if not, {@linkcode end} throws */
  tryTake(key: string, one: StatisticsRecord): boolean {
    this.#damaged.delete(key);
    try {
      this.take(key, one);
      return true;
    } catch (error) {
      if (!(error instanceof LogError)) throw error;
      this.#damaged.set(key, error);
      return false;
    }
  }

  /** Takes a tombstone. */
  remove(key: string): void {
    this.#damaged.delete(key);
    this.#retrieval.delete(key);
    if (key === TASK_KEY) this.#own = null;
  }

  /** @returns the position in the catalogue topic @throws as {@linkcode take} */
  end(): number {
    for (const error of this.#damaged.values()) throw error;
    const { catalogue, numbers, retrieval } = this.#options.state;
    numbers.taken();
    for (const item of catalogue.items()) retrieval.lists.add(item);
    try {
      retrieval.state.restore(new Map([...this.#retrieval].map(([key, { value }]) => [key, value])));
    } catch (cause) {
      const record = cause instanceof DamagedChange ? this.#retrieval.get(cause.key)?.record : undefined;
      decoding(this.#options, record, () => {
        throw cause;
      });
    }
    const own = this.#own;
    return own === null
      ? 0
      : decoding(this.#options, own.record, () => decodeTask(own.value, this.#options.state));
  }
}

/** Whether a key can be an id. */
function isId(key: string): boolean {
  return key !== "" && key.length <= MAX_ID_BYTES;
}

/** A record of the task's own numbers. */
interface StatisticsRecord {
  readonly value: Uint8Array;
  /** The log record; none when it comes from the local snapshot. */
  readonly record?: LogRecord | undefined;
}

/** @throws LogError `corrupt` when a record of the log cannot be read, SyntaxError when one of the snapshot cannot */
function decoding<T>({ partition }: RestoreOptions, record: LogRecord | undefined, decode: () => T): T {
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

function checkPartitions(
  before: string | undefined,
  { topics, partitions }: RestoreOptions,
): void {
  if (before === undefined) return;
  const id = null; // compared before
  const change = changeOf(topics.events, { id, partitions: Number(before) }, { id, partitions });
  if (change !== null) throw change;
}

/** Restores users' records, and loads users with pending impressions. */
async function restoreUsers(
  options: RestoreOptions,
  users: UserIndex,
  store: StateStore | null,
  statistics: { readonly lineage: string | null; readonly task: number; readonly isRead: boolean },
): Promise<void> {
  const { state, topics, meter } = options;
  meter.begin("state");
  const waiting = new Set(store?.waitingIds());
  const gathered = new Map<string, LogRecord>();
  const { lineage, task, isRead } = statistics;
  const takeAll = async (next: number) => {
    for (const [id, { value, headers }] of gathered) {
      waiting.delete(id);
      if (value === null) users.delete(id);
      else {
        const waits = headers[PENDING] !== undefined;
        users.put(id, value, waits);
        if (waits) waiting.add(id);
      }
    }
    gathered.clear();
    if (store === null || lineage === null) return;
    store.setPosition({ state: next, task, lineage });
    store.maintain();
    await store.room();
  };
  let end = store?.position?.state ?? 0;
  for await (const { records, next } of readBehind(options, topics.state, end)) {
    for (const record of records) {
      if (record.key === null) continue;
      if (!isId(record.key)) {
        unreadable.leaveOut(record, `its key is ${shown(record.key)}`, "no user has it");
        continue;
      }
      gathered.delete(record.key); // in the order of the newest records, as when the log is compacted
      gathered.set(record.key, record);
    }
    end = next;
    if (gathered.size >= GATHERED) await takeAll(end);
  }
  await takeAll(end);
  for (const id of waiting) {
    const found = users.get(id);
    const record = found instanceof Promise ? await found : found;
    if (record === null) continue;
    const restoreUser = () => state.restoreUser(id, record);
    // The snapshot may be to blame.
    if (isRead) decoding(options, undefined, restoreUser);
    else await restoring(options, id, restoreUser);
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

/** The records of a changelog from an offset to its present end. */
async function* readBehind(
  { log, partition, meter, signal }: RestoreOptions,
  topic: string,
  from: number,
): AsyncGenerator<ReadResult> {
  const { start, end } = await log.bounds(topic, partition);
  const begin = Math.max(start, from);
  for (let next = begin; next < end;) {
    signal?.throwIfAborted();
    const result = await log.read(topic, partition, next);
    let bytes = 0;
    for (const { value } of result.records) bytes += value?.length ?? 0;
    meter.advance(result.records.length, bytes, (result.next - begin) / (end - begin));
    yield result;
    if (result.next === next) throw endsEarly(topic, partition, next, end);
    next = result.next;
  }
}
