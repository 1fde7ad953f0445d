/**
 * What a generation's states remember of events that the log has dropped: behaviours and profiles. They are written as
 * events again, so that the next generation starts with them.
 *
 * ```text
 *   events      ×××××××××××××××××××│■■■■■■■■■■■■■■■■■■■     × dropped   ■ there
 *   state       what users did before, as far as sequences go, and what their profiles are
 *   remembered          ▪▪▪▪▪▪▪▪▪▪▪│                        one event each, by time, in the last of the dropped offsets
 * ```
 *
 * Behaviours and profiles that are still events on the log are left out. Everything derived from behaviours
 * (sequences, pairs, popularity) is computed as configured now; everything that never entered a sequence is lost:
 * lists and their outcomes, values, and behaviours that sequences have dropped. Takes memory for {@linkcode SLICE}
 * behaviours, one id per user, the aliases of all sessions, and what they handed over.
 */

import { TaskState } from "../../../src/engine/task_state.ts";
import type { TaskOptions } from "../../../src/engine/task_options.ts";
import { encodeEvent } from "../../../src/events/codec.ts";
import type { Event } from "../../../src/events/event.ts";
import { MAX_ATTRIBUTES } from "../../../src/events/limits.ts";
import type { UserState } from "../../../src/users/user_state.ts";
import { PRIOR } from "../../../src/serving/prior_serving.ts";
import type { Log, LogRecord, NewRecord, ReadOptions, ReadResult } from "../../log/log.ts";
import { layered } from "../../log/metered_log.ts";
import { partitionOf } from "../../log/partitioner.ts";
import { readAll } from "../../log/reading.ts";
import { EXPERIMENT } from "../../experiments/record.ts";
import { ownPosition } from "../../task/inputs/inputs.ts";
import { rememberedTopic, type Topics } from "../../topics/topics.ts";
import { type Border, borderFor, keyOf } from "./border.ts";
import { usersOf, type UserView } from "./newest_users.ts";

/** Behaviours sorted at a time; more only if a single hour has more. */
const SLICE = 500_000;
const HOUR_MS = 3_600_000;
/** Records that are written in one append. */
const PORTION = 1000;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** The outcome for events that the log has dropped. */
export interface Remembered {
  /** Offset of the first event that the log had. */
  readonly start: number;
  /** Behaviours that became events again. */
  readonly behaviours: number;
  /** Profiles that became events again. */
  readonly profiles: number;
  /** Behaviours that are lost, as sequences have dropped them. */
  readonly gone: number;
}

/** Which generation remembers, and for which one. */
export interface RememberingOptions {
  /** Topics of the generation that remembers. */
  readonly from: Topics;
  /** Topics of the generation that is built. */
  readonly topics: Topics;
  readonly task: TaskOptions;
  readonly tasks: number;
}

/** What a task carries over, and the offset after its remembered events. */
type Placed = Remembered & { readonly end: number };

/**
 * The log with remembered events in place of dropped ones, for tasks that have not passed them yet; for a task that
 * has not started, they are written first.
 *
 * @param log as the tasks see it
 */
export async function rememberingLog(
  log: Log,
  options: RememberingOptions,
): Promise<{ readonly log: Log; readonly remembered: readonly Remembered[] }> {
  const found = await carriedOver(log, options);
  if (found.size === 0) return { log, remembered: [] };
  return {
    log: inPlace(log, options.topics, found),
    remembered: [...found.values()].map(({ end: _, ...remembered }) => remembered),
  };
}

/** What is remembered for tasks that have not passed it yet, by task. */
async function carriedOver(log: Log, options: RememberingOptions): Promise<ReadonlyMap<number, Placed>> {
  const { topics, tasks } = options;
  const topic = rememberedTopic(topics);
  const found = new Map<number, Placed>();
  for (let task = 0; task < tasks; task++) {
    const { start } = await log.bounds(topics.events, task);
    const own = await ownPosition(log, topics, task);
    if (own === null && start > 0) {
      await log.createTopics([{ name: topic, partitions: tasks, cleanup: "delete" }]);
    } else if (await log.identify(topic) === null) continue;
    const complete = await completeIn(log, topic, task);
    // Backups named since, or retention, have moved the start.
    const isOutdated = own === null && complete?.start !== start;
    const remembered = isOutdated ? await remember(log, options, task, start) : complete;
    if (remembered === null || (own?.next ?? 0) >= remembered.start) continue;
    found.set(task, { ...remembered, end: (await lastOf(log, topic, task))!.offset });
  }
  return found;
}

/** The log with remembered events at the last of the dropped offsets. */
function inPlace(log: Log, topics: Topics, found: ReadonlyMap<number, Placed>): Log {
  const topic = rememberedTopic(topics);
  const rememberedIn = (name: string, task: number) => name === topics.events ? found.get(task) : undefined;
  const read = async (
    name: string,
    task: number,
    from: number,
    limits: ReadOptions = {},
  ): Promise<ReadResult> => {
    const remembered = rememberedIn(name, task);
    if (remembered === undefined || from >= remembered.start) return await log.read(name, task, from, limits);
    const shift = remembered.start - remembered.end;
    const result = await log.read(topic, task, Math.max(0, from - shift), { ...limits, waitMs: 0 });
    const records = result.records.filter(({ key }) => key !== null);
    return {
      records: records.map((record) => ({ ...record, topic: name, offset: record.offset + shift })),
      next: Math.min(remembered.start, result.next + shift),
    };
  };
  const bounds = async (name: string, task: number) => {
    const known = await log.bounds(name, task);
    const remembered = rememberedIn(name, task);
    if (remembered === undefined) return known;
    const first = (await log.bounds(topic, task)).start;
    return { ...known, start: remembered.start - remembered.end + first };
  };
  return layered(log, { read, bounds });
}

/** Drops remembered events, once all tasks have read them. */
export async function forgetRemembered(log: Log, topics: Topics): Promise<void> {
  const topic = rememberedTopic(topics);
  const partitions = (await log.identify(topic))?.partitions ?? 0;
  for (let task = 0; task < partitions; task++) {
    await log.trim(topic, task, (await log.bounds(topic, task)).end);
  }
}

/** The last record of a partition; `null` = it has none. */
async function lastOf(log: Log, topic: string, partition: number) {
  const { start, end } = await log.bounds(topic, partition);
  let last = null;
  for await (const record of readAll(log, topic, partition, Math.max(start, end - 8))) last = record;
  return last;
}

/** The result of an earlier, complete write; `null` = there is none. */
async function completeIn(log: Log, topic: string, task: number): Promise<Remembered | null> {
  const last = await lastOf(log, topic, task);
  return last?.value == null || last.key !== null ? null : JSON.parse(decoder.decode(last.value));
}

/** Writes what is remembered of the users of a task. */
async function remember(
  log: Log,
  options: RememberingOptions,
  task: number,
  start: number,
): Promise<Remembered> {
  const { from, topics, tasks } = options;
  const topic = rememberedTopic(topics);
  await log.trim(topic, task, (await log.bounds(topic, task)).end); // of a run that was killed
  const state = new TaskState(options.task, PRIOR);
  const isOwn = (id: string) => partitionOf(id, tasks) === task;
  const users = () => usersOf(log, from.state, state, isOwn);
  const border = await borderFor(log, options, task, { start, state, isOwn });
  const experiments = await experimentsBefore(log, topics, border.since);
  const { hours, count, gone } = await survey(users(), state, border);
  // Only that many offsets are free: the newest events are kept.
  const events = new EventWriter(log, topic, task, Math.max(0, count + experiments.length - start));
  const slices = slicesOf(hours);
  const first = slices[0]?.from ?? Math.min(border.time, Date.UTC(2099, 0, 1));
  for await (const view of users()) {
    for (const event of view((user) => profilesOf(user, first)) ?? []) await events.put(event);
  }
  for (const { from: begin, to } of slices) {
    const slice = await dueIn(users(), (user) => rememberedOf(state, user, border), begin, to);
    for (const { event } of slice) await events.put(event);
  }
  await events.end(experiments);
  const remembered = { start, behaviours: events.behaviours, profiles: events.profiles, gone };
  const value = encoder.encode(JSON.stringify(remembered));
  await log.append([{ topic, partition: task, key: null, value, time: 0 }]);
  return remembered;
}

/** What is due in [from, to), in order. */
async function dueIn(
  users: AsyncIterable<UserView>,
  rememberedOf: (user: UserState) => Iterable<Due>,
  from: number,
  to: number,
): Promise<readonly Due[]> {
  const due: Due[] = [];
  for await (const view of users) {
    view((user) => {
      for (const one of rememberedOf(user)) if (one.at >= from && one.at < to) due.push(one);
    });
  }
  return due.sort((a, b) => a.at - b.at);
}

/** Counts remembered events, also by hour of a behaviour, and the behaviours that sequences have dropped. */
async function survey(
  users: AsyncIterable<UserView>,
  state: TaskState,
  border: Border,
): Promise<{ readonly hours: ReadonlyMap<number, number>; readonly count: number; readonly gone: number }> {
  const hours = new Map<number, number>();
  let [count, gone] = [0, 0];
  for await (const view of users) {
    view((user) => {
      gone += state.sequences.total(user.row) - state.sequences.length(user.row);
      count += profilesOf(user, 0).length;
      for (const { at } of rememberedOf(state, user, border)) {
        const hour = Math.floor(at / HOUR_MS);
        hours.set(hour, (hours.get(hour) ?? 0) + 1);
        count++;
      }
    });
  }
  return { hours, count, gone };
}

/** Writes remembered events, a portion at a time. */
class EventWriter {
  behaviours = 0;
  profiles = 0;
  readonly #log: Log;
  readonly #topic: string;
  readonly #task: number;
  /** The oldest events, for which there is no room. */
  #surplus: number;
  #waiting: NewRecord[] = [];

  constructor(log: Log, topic: string, task: number, surplus: number) {
    this.#log = log;
    this.#topic = topic;
    this.#task = task;
    this.#surplus = surplus;
  }

  async put(event: Event): Promise<void> {
    if (this.#surplus-- > 0) return;
    this[event.type === "profile" ? "profiles" : "behaviours"]++;
    const [topic, partition] = [this.#topic, this.#task];
    this.#waiting.push({ topic, partition, key: event.user, value: encodeEvent(event), time: event.time });
    if (this.#waiting.length >= PORTION) await this.#write();
  }

  /** Writes the rest, and changes of experiments after it. */
  async end(experiments: readonly LogRecord[]): Promise<void> {
    const [topic, partition] = [this.#topic, this.#task];
    for (const { key, value, time } of experiments) {
      this.#waiting.push({ topic, partition, key, value, time, headers: { [EXPERIMENT]: key ?? "" } });
    }
    while (this.#waiting.length > 0) await this.#write();
  }

  async #write(): Promise<void> {
    await this.#log.append(this.#waiting.splice(0, PORTION));
  }
}

/** Experiments whose newest change the log has dropped. */
async function experimentsBefore(log: Log, { experiments }: Topics, since: number): Promise<LogRecord[]> {
  if (await log.identify(experiments) === null) return [];
  const newest = new Map<string, LogRecord>();
  for await (const record of readAll(log, experiments, 0)) newest.set(record.key ?? "", record);
  return [...newest.values()].filter(({ time, value }) => time < since && value !== null);
}

/** An event, and the time at which it is due. */
interface Due {
  readonly at: number;
  readonly event: Event;
}

/** The behaviours of a user for which the log has no event, as events. */
function* rememberedOf(
  state: TaskState,
  { id: user, row }: UserState,
  { time: border, known, handed }: Border,
): Generator<Due> {
  const { sequences, catalogue } = state;
  for (const { item: index, action, time, strength } of sequences.behaviours(row)) {
    if (time >= border) return;
    const item = catalogue.at(index).id;
    const key = keyOf({ user, item, action, time });
    if (known.has(key)) continue;
    const by = handed.get(key);
    if (by === undefined) yield { at: time, event: { type: "interaction", user, item, action, time } };
    else if (by.until < border) { // a later `merge` is on the log
      const behaviours = [{ item, action, time, strength }];
      yield { at: by.until, event: { type: "merge", user, from: by.from, time: by.until, behaviours } };
    }
  }
}

/** The events that make up a user's profile. */
function profilesOf({ id: user, profile }: UserState, time: number): Event[] {
  const attributes = Object.entries(profile);
  return Array.from({ length: Math.ceil(attributes.length / MAX_ATTRIBUTES) }, (_, part) => ({
    type: "profile",
    user,
    time,
    attributes: Object.fromEntries(attributes.slice(part * MAX_ATTRIBUTES, (part + 1) * MAX_ATTRIBUTES)),
  }));
}

/** Spans of time, in order, each with as many behaviours as are sorted at once. */
function slicesOf(hours: ReadonlyMap<number, number>): { readonly from: number; readonly to: number }[] {
  const slices: { from: number; to: number }[] = [];
  let size = Infinity;
  for (const [hour, count] of [...hours].sort(([a], [b]) => a - b)) {
    const last = slices.at(-1);
    const to = (hour + 1) * HOUR_MS;
    if (last === undefined || size + count > SLICE) {
      slices.push({ from: hour * HOUR_MS, to });
      size = count;
    } else {
      last.to = to;
      size += count;
    }
  }
  return slices;
}
