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
 *
 * @module
 */

import { TaskState } from "../../src/engine/task_state.ts";
import type { TaskOptions } from "../../src/engine/task_options.ts";
import { decodeEvent, encodeEvent } from "../../src/events/codec.ts";
import type { Event } from "../../src/events/event.ts";
import { MAX_ATTRIBUTES } from "../../src/events/limits.ts";
import { type Alias, aliasAfter, aliasAt } from "../../src/users/states/aliases.ts";
import { WITH_ALIASES } from "../../src/users/user_codec.ts";
import type { UserState } from "../../src/users/user_state.ts";
import { PRIOR } from "../../src/serving/prior_serving.ts";
import type { Log, LogRecord, NewRecord, ReadOptions, ReadResult } from "../log/log.ts";
import { layered } from "../log/metered_log.ts";
import { partitionOf } from "../log/partitioner.ts";
import { readAll } from "../log/reading.ts";
import { unreadable } from "../log/unreadable.ts";
import { EXPERIMENT } from "../experiments/record.ts";
import { ownPosition } from "../task/inputs/inputs.ts";
import { rememberedTopic, type Topics } from "../topics/topics.ts";

/** Behaviours sorted at a time; more only if a single hour has more. */
const SLICE = 500_000;
/** First events of the log that are compared with the states: as many as may be out of order. */
const BORDER_EVENTS = 4096;
const HOUR_MS = 3_600_000;
/** Records that are written in one append. */
const PORTION = 1000;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** What became of events that the log has dropped. */
export interface Carried {
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

/**
 * The log with remembered events in place of dropped ones, for tasks that have not passed them yet; for a task that
 * has not started, they are written first.
 *
 * @param log as the tasks have it
 */
export async function rememberingLog(
  log: Log,
  options: RememberingOptions,
): Promise<{ readonly log: Log; readonly carried: readonly Carried[] }> {
  const { topics, tasks } = options;
  const topic = rememberedTopic(topics);
  const found = new Map<number, Carried & { readonly end: number }>();
  for (let task = 0; task < tasks; task++) {
    const { start } = await log.bounds(topics.events, task);
    if (start === 0) continue;
    const own = await ownPosition(log, topics, task);
    if (own === null) await log.createTopics([{ name: topic, partitions: tasks, cleanup: "delete" }]);
    else if (await log.identify(topic) === null) continue;
    const carried = await completeIn(log, topic, task) ??
      (own === null ? await remember(log, options, task, start) : null);
    if (carried === null || (own?.next ?? 0) >= carried.start) continue;
    found.set(task, { ...carried, end: (await lastOf(log, topic, task))!.offset });
  }
  if (found.size === 0) return { log, carried: [] };
  const read = async (
    name: string,
    task: number,
    from: number,
    limits: ReadOptions = {},
  ): Promise<ReadResult> => {
    const carried = name === topics.events ? found.get(task) : undefined;
    if (carried === undefined || from >= carried.start) return await log.read(name, task, from, limits);
    const shift = carried.start - carried.end;
    const result = await log.read(topic, task, Math.max(0, from - shift), { ...limits, waitMs: 0 });
    const records = result.records.filter(({ key }) => key !== null);
    return {
      records: records.map((record) => ({ ...record, topic: name, offset: record.offset + shift })),
      next: Math.min(carried.start, result.next + shift),
    };
  };
  const bounds = async (name: string, task: number) => {
    const known = await log.bounds(name, task);
    const carried = name === topics.events ? found.get(task) : undefined;
    if (carried === undefined) return known;
    const first = (await log.bounds(topic, task)).start;
    return { ...known, start: carried.start - carried.end + first };
  };
  return {
    log: layered(log, { read, bounds }),
    carried: [...found.values()].map(({ end: _, ...carried }) => carried),
  };
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
async function completeIn(log: Log, topic: string, task: number): Promise<Carried | null> {
  const last = await lastOf(log, topic, task);
  return last?.value == null || last.key !== null ? null : JSON.parse(decoder.decode(last.value));
}

/** A behaviour that is remembered. */
interface Remembered {
  readonly user: string;
  readonly item: string;
  readonly action: string;
  readonly time: number;
}

/** The session that handed a behaviour over, if the log still has its event. */
interface Handed {
  /** Id of the session. */
  readonly from: string;
  /** Event time of the alias. */
  readonly until: number;
}

/** Where the events on the log begin, in time. */
interface Border {
  /** Behaviours of this time and later are events of the log. */
  readonly time: number;
  /** Earlier behaviours that are events of the log, too, by {@linkcode keyOf}. */
  readonly known: ReadonlySet<string>;
  /** Behaviours that are events of sessions in other partitions: counted there, and not here. */
  readonly handed: ReadonlyMap<string, Handed>;
  /** The time of the log's first record. */
  readonly since: number;
}

/** Writes what is remembered of the users of a task. */
async function remember(
  log: Log,
  options: RememberingOptions,
  task: number,
  start: number,
): Promise<Carried> {
  const { from, topics, tasks } = options;
  const topic = rememberedTopic(topics);
  await log.trim(topic, task, (await log.bounds(topic, task)).end); // of a run that was killed
  const state = new TaskState(options.task, PRIOR);
  const isOwn = (id: string) => partitionOf(id, tasks) === task;
  const users = () => usersOf(log, from.state, state, isOwn);
  const border = await borderFor(log, options, task, { start, state, isOwn });
  const experiments = await experimentsBefore(log, topics, border.since);
  const hours = new Map<number, number>();
  let [all, gone] = [experiments.length, 0];
  for await (const view of users()) {
    view((user) => {
      gone += state.sequences.total(user.row) - state.sequences.length(user.row);
      all += profilesOf(user, 0).length;
      for (const { at } of rememberedOf(state, user, border)) {
        const hour = Math.floor(at / HOUR_MS);
        hours.set(hour, (hours.get(hour) ?? 0) + 1);
        all++;
      }
    });
  }
  // There are only that many free offsets: the newest events are kept.
  const events = new EventWriter(log, topic, task, Math.max(0, all - start));
  const slices = slicesOf(hours);
  const first = slices[0]?.from ?? Math.min(border.time, Date.UTC(2099, 0, 1));
  for await (const view of users()) {
    for (const event of view((user) => profilesOf(user, first)) ?? []) await events.put(event);
  }
  for (const { from: begin, to } of slices) {
    const slice: Due[] = [];
    for await (const view of users()) {
      view((user) => {
        for (const due of rememberedOf(state, user, border)) {
          if (due.at >= begin && due.at < to) slice.push(due);
        }
      });
    }
    slice.sort((a, b) => a.at - b.at);
    for (const { event } of slice) await events.put(event);
  }
  await events.end(experiments);
  const carried = { start, behaviours: events.behaviours, profiles: events.profiles, gone };
  const value = encoder.encode(JSON.stringify(carried));
  await log.append([{ topic, partition: task, key: null, value, time: 0 }]);
  return carried;
}

/** Looks at a user, who is not valid afterwards; `undefined` when the record cannot be read. */
type UserView = <Seen>(see: (user: UserState) => Seen) => Seen | undefined;

/** The users of a generation whose newest records are wanted. */
async function* usersOf(
  log: Log,
  topic: string,
  state: TaskState,
  isWanted: (id: string, value: Uint8Array) => boolean,
): AsyncGenerator<UserView> {
  for await (const { key, value, record } of newestUsers(log, topic)) {
    if (!isWanted(key, value)) continue;
    yield (see) => {
      try {
        return state.viewRecord(key, value, see);
      } catch (cause) {
        unreadable.leaveOut(record, cause, "nothing of the user is carried over");
        return undefined;
      }
    };
  }
}

/** Writes remembered events, a portion at a time. */
class EventWriter {
  behaviours = 0;
  profiles = 0;
  readonly #log: Log;
  readonly #topic: string;
  readonly #task: number;
  /** Events, the oldest, for which there is no room. */
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

  /** Writes the rest, and changes of experiments behind it. */
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

/** Where the events on the log begin, and what sessions of other partitions have handed over before. */
async function borderFor(
  log: Log,
  { from, topics, tasks }: RememberingOptions,
  task: number,
  { start, state, isOwn }: {
    readonly start: number;
    readonly state: TaskState;
    readonly isOwn: (id: string) => boolean;
  },
): Promise<Border> {
  const sessions = new Map<string, readonly Alias[]>();
  for await (const view of usersOf(log, from.state, state, (_, [format]) => format === WITH_ALIASES)) {
    view(({ id, aliases }) => sessions.set(id, aliases));
  }
  const untils = [...sessions.values()].flat().flatMap(({ of, until }) => isOwn(of) ? until : []);
  const handedUntil = untils.reduce((newest, until) => Math.max(newest, until), -Infinity);
  const own = await borderOf(log, topics.events, task, { start, sessions });
  const before = Math.min(own.time, handedUntil + 1);
  const handed = new Map<string, Handed>();
  for (let other = 0; other < tasks && before > -Infinity; other++) {
    if (other === task) continue;
    for (const [key, by] of await handedIn(log, topics.events, other, { before, sessions, isOwn })) {
      handed.set(key, by);
    }
  }
  return { ...own, handed };
}

/** Finds where the events of the log begin. @param sessions who was somebody else for a while */
async function borderOf(
  log: Log,
  topic: string,
  task: number,
  { start, sessions }: { readonly start: number; readonly sessions: ReadonlyMap<string, readonly Alias[]> },
): Promise<Omit<Border, "handed">> {
  const known = new Set<string>();
  const times: number[] = [];
  let since = Infinity;
  for await (const { value, time } of readAll(log, topic, task, start)) {
    if (since === Infinity) since = time;
    const decoded = decodeEvent(value ?? new Uint8Array(0));
    if (!decoded.ok) continue;
    const { event } = decoded;
    times.push(event.time);
    if (event.type === "interaction") {
      known.add(keyOf(event));
      // What was handed over is in a `merge` behind it.
      for (const { of } of ownersOf(event, sessions)) known.add(keyOf({ ...event, user: of }));
    }
    if (event.type === "merge") {
      for (const one of event.behaviours) known.add(keyOf({ user: event.user, ...one }));
    }
    if (times.length === BORDER_EVENTS) break;
  }
  times.sort((a, b) => a - b);
  const time = times.length < BORDER_EVENTS ? (times.at(-1) ?? Infinity) + 1 : times[BORDER_EVENTS / 2]!;
  return { time, known, since };
}

/** The users that a session's behaviour was handed over to, one after the other. */
function* ownersOf(
  { user, time }: Pick<Remembered, "user" | "time">,
  sessions: ReadonlyMap<string, readonly Alias[]>,
): Generator<Alias> {
  let alias = aliasAt(sessions.get(user) ?? [], time);
  while (alias !== undefined) {
    yield alias;
    alias = aliasAfter(sessions.get(alias.of) ?? [], alias.until);
  }
}

/** What sessions of another partition have handed over to users of this one, and did before a time. */
async function handedIn(
  log: Log,
  topic: string,
  other: number,
  { before, sessions, isOwn }: {
    readonly before: number;
    readonly sessions: ReadonlyMap<string, readonly Alias[]>;
    readonly isOwn: (id: string) => boolean;
  },
): Promise<ReadonlyMap<string, Handed>> {
  const handed = new Map<string, Handed>();
  let later = 0;
  for await (const { value } of readAll(log, topic, other)) {
    const decoded = decodeEvent(value ?? new Uint8Array(0));
    if (!decoded.ok) continue;
    const { event } = decoded;
    if (event.time >= before && ++later === BORDER_EVENTS) break;
    if (event.type !== "interaction") continue;
    for (const { of, until } of ownersOf(event, sessions)) {
      if (isOwn(of)) handed.set(keyOf({ ...event, user: of }), { from: event.user, until });
    }
  }
  return handed;
}

/** Experiments whose newest change the log has dropped. */
async function experimentsBefore(log: Log, { experiments }: Topics, since: number): Promise<LogRecord[]> {
  if (await log.identify(experiments) === null) return [];
  const newest = new Map<string, LogRecord>();
  for await (const record of readAll(log, experiments, 0)) newest.set(record.key ?? "", record);
  return [...newest.values()].filter(({ time, value }) => time < since && value !== null);
}

function keyOf({ user, item, action, time }: Remembered): string {
  return `${user}\0${item}\0${action}\0${time}`;
}

/** An event, and the time at which it is to come. */
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

/** Each user's newest record, once, while others may write more. */
async function* newestUsers(
  log: Log,
  topic: string,
): AsyncGenerator<{ readonly key: string; readonly value: Uint8Array; readonly record: LogRecord }> {
  const partitions = (await log.identify(topic))?.partitions ?? 0;
  for (let partition = 0; partition < partitions; partition++) {
    const newest = new Map<string, number>();
    for await (const { key, offset } of readAll(log, topic, partition)) {
      if (key !== null) newest.set(key, offset);
    }
    for (let next = 0;;) {
      const result = await log.read(topic, partition, next);
      for (const record of result.records) {
        const { key, value, offset } = record;
        // A later record has replaced it.
        if (key === null || offset < (newest.get(key) ?? 0)) continue;
        newest.set(key, Infinity);
        if (value !== null) yield { key, value, record };
      }
      if (result.next === next) break;
      next = result.next;
    }
  }
}
