/**
 * Where the events on a log begin, once it has dropped the older ones: which behaviours of a user state are still
 * events, in the user's own partition or in that of a session that handed them over.
 */

import type { TaskState } from "../../../src/engine/task_state.ts";
import { decodeEvent } from "../../../src/events/codec.ts";
import { type Alias, aliasAfter, aliasAt } from "../../../src/users/states/aliases.ts";
import { WITH_ALIASES } from "../../../src/users/user_codec.ts";
import type { Log } from "../../log/log.ts";
import { readAll } from "../../log/reading.ts";
import type { Topics } from "../../topics/topics.ts";
import { usersOf } from "./newest_users.ts";

/** First events of the log to compare with the states: as many as may be out of order. */
const BORDER_EVENTS = 4096;

/** What identifies a behaviour. */
interface Behaviour {
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
export interface Border {
  /** Behaviours of this time and later are events of the log. */
  readonly time: number;
  /** Earlier behaviours that are events of the log, too, by {@linkcode keyOf}. */
  readonly known: ReadonlySet<string>;
  /** Behaviours that are events of sessions in other partitions: counted there, and not here. */
  readonly handed: ReadonlyMap<string, Handed>;
  /** The time of the log's first record. */
  readonly since: number;
}

/**
 * Finds where the events of a partition begin, and what sessions of other partitions have handed over before.
 *
 * @param options the generation that remembers, the one that is built, and its number of partitions
 */
export async function borderFor(
  log: Log,
  { from, topics, tasks }: { readonly from: Topics; readonly topics: Topics; readonly tasks: number },
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

/** Finds where the events of the log begin. @param sessions aliases by session */
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
      // A `merge` after it has what was handed over.
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
  { user, time }: Pick<Behaviour, "user" | "time">,
  sessions: ReadonlyMap<string, readonly Alias[]>,
): Generator<Alias> {
  let alias = aliasAt(sessions.get(user) ?? [], time);
  while (alias !== undefined) {
    yield alias;
    alias = aliasAfter(sessions.get(alias.of) ?? [], alias.until);
  }
}

/** Behaviours from before a time that sessions of another partition have handed over to users of this one. */
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

/** Equal for a behaviour and its event. */
export function keyOf({ user, item, action, time }: Behaviour): string {
  return `${user}\0${item}\0${action}\0${time}`;
}
