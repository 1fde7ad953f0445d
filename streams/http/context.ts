/** The deployment behind the endpoints. */

import type { Condition, RequestEvent } from "../../src/events/event.ts";
import type { OwnRecord } from "../../src/events/own_record.ts";
import type { Recommendation } from "../../src/events/recommendation.ts";
import type { EntryCheck } from "../../src/mapping/entry_check.ts";
import type { InTurn } from "../log/in_turn.ts";
import { type Log, LogError, type NewRecord } from "../log/log.ts";
import type { RecordSource } from "../mapping/record_source.ts";
import type { Service } from "../service/service.ts";
import type { Topics } from "../topics/topics.ts";
import type { Recommender } from "./recommender.ts";
import type { Backlog, Entering } from "./backlog.ts";
import type { ArrivingRecord } from "./contract/arriving.ts";
import type { Bodies } from "./bodies.ts";
import type { FairWork } from "./contract/fair_work.ts";
import { within } from "./deadline.ts";
import type { Intake, RejectedEntry } from "./intake.ts";
import type { Metrics } from "./metrics.ts";
import { Problem } from "./contract/problem.ts";
import type { UnlistedItems } from "./contract/unlisted_items.ts";

/** What it takes to append for callers. */
type Sending = Pick<ApiContext, "log" | "topics" | "itemWrites" | "backlogs" | "service">;

/** The topic that something sent is for, and its work. */
type Load = Pick<ArrivingRecord, "topic" | "work">;

/** Longest wait for an append. */
const APPEND_TIMEOUT_MS = 15_000;

/** The deployment behind the endpoints. */
export interface ApiContext {
  readonly log: Log;
  readonly topics: Topics;
  /** Orders writes to `items`: appends run side by side, a read-modify-write runs alone. */
  readonly itemWrites: InTurn;
  /** Partitions of `events`. */
  readonly partitions: number;
  /** The service in this process, if there is one. */
  readonly service: Service | undefined;
  /** Requests recommendations through the log. */
  readonly recommender: Pick<Recommender, "ask" | "failures">;
  /** Answers a request whose time budget has run out. May throw a `Problem`. */
  readonly withoutModel: (event: RequestEvent) => Promise<Recommendation>;
  /** Bound how far tasks fall behind, by topic; none if this process cannot measure that. */
  readonly backlogs: ReadonlyMap<string, Pick<Backlog, "enter" | "portion">>;
  readonly metrics: Metrics;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Monotonic clock, milliseconds. */
  readonly clock: () => number;
  /** Longest wait for a recommendation, or for a task to catch up; milliseconds. */
  readonly answerTimeoutMs: number;
  readonly bodies: Bodies;
  /** Does what takes long with a body. */
  readonly work: Pick<FairWork, "run">;
  /** Most entries in a body. */
  readonly maxEntries: number;
  /** Whether the server is stopping. */
  readonly isStopping: () => boolean;
  /** Sources of the configuration, by name. @default {none} */
  readonly sources?: ReadonlyMap<string, RecordSource> | undefined;
  /** Notified of each event and item that callers send. @default {nothing} */
  readonly see?: ((record: OwnRecord) => void) | undefined;
  /** Finds what senders of events and items are warned of. @default {nothing} */
  readonly check?: Pick<EntryCheck, "find"> | undefined;
  /** Finds items that the catalogue lacks. @default {it lacks none} */
  readonly unlisted?: Pick<UnlistedItems, "isDue" | "mayLack" | "among"> | undefined;
  /** Why the conditions of a filter are invalid; `null` = nothing. @default {nothing} */
  readonly faultOfConditions?: ((conditions: readonly Condition[]) => string | null) | undefined;
  /** Further reasons why the process is not ready. @default {none} */
  readonly checks?: (() => Promise<readonly string[]>) | undefined;
}

/** Appends records. @throws as {@linkcode appended} */
export async function append(
  { log, topics, itemWrites }: Pick<ApiContext, "log" | "topics" | "itemWrites">,
  records: readonly NewRecord[],
): Promise<readonly number[]> {
  const write = () => log.append(records);
  return await appended(
    records.some(({ topic }) => topic === topics.items) ? itemWrites.beside(write) : write(),
  );
}

/** Waits for an append. @throws Problem `unavailable` when the log is slow; the records may still be appended later */
export async function appended<Result>(appending: Promise<Result>): Promise<Result> {
  return await within(appending, APPEND_TIMEOUT_MS, () => {
    const detail = `The log has not answered for ${APPEND_TIMEOUT_MS} ms; the records may still be appended`;
    return new Problem("unavailable", detail, { headers: { "retry-after": "5" } });
  });
}

/**
 * Does work once there is room for the events and items that it appends.
 *
 * @throws Problem `unavailable` when there is none in time, or when tasks here are halted, as events would silently
 * not be applied
 */
async function admit(
  { backlogs, topics, service }: Sending,
  sent: readonly Load[],
  { caller, isBegun }: Omit<Entering, "events" | "work">,
  work: () => Promise<unknown>,
): Promise<void> {
  const [fault] = service?.faults ?? [];
  const byTopic = Map.groupBy(sent, ({ topic }) => topic);
  if (fault !== undefined && byTopic.has(topics.events)) {
    throw new Problem("unavailable", `Events are not applied until the log is repaired: ${fault}`);
  }
  for (const [topic, own] of byTopic) {
    const backlog = backlogs.get(topic), inner = work;
    const load = { events: own.length, work: own.reduce((sum, { work }) => sum + work, 0) };
    if (backlog !== undefined) work = () => backlog.enter({ caller, ...load, isBegun }, inner);
  }
  await work();
}

/** Processes a caller's entries, in portions where it may have to wait. @throws as {@linkcode admit} and the work do */
export async function inPortions<Sent>(
  context: Sending,
  { sent, loadOf, caller }: {
    readonly sent: readonly Sent[];
    readonly loadOf: (one: Sent) => Load;
    readonly caller: string;
  },
  work: (portion: readonly Sent[]) => Promise<unknown>,
): Promise<void> {
  const loads = sent.map(loadOf);
  const endOf = portionsOf(context, loads);
  for (let at = 0; at < sent.length;) {
    const end = endOf(at);
    const portion = sent.slice(at, end);
    await admit(context, loads.slice(at, end), { caller, isBegun: at > 0 }, () => work(portion));
    at = end;
  }
}

/** Gives the end of the portion that begins with an entry, as of now; a portion has at least one entry. */
function portionsOf({ backlogs }: Sending, sent: readonly Load[]): (at: number) => number {
  if (sent.length <= 1) return () => sent.length;
  const topics = new Set(sent.map(({ topic }) => topic));
  const own = [...backlogs].filter(([topic]) => topics.has(topic));
  return (at) => {
    const most = Math.min(Infinity, ...own.map(([, { portion }]) => portion));
    let end = at + 1;
    for (let work = sent[at]!.work; end < sent.length; end++) {
      work += sent[end]!.work;
      if (work > most) break;
    }
    return end;
  };
}

/**
 * Appends the records of a body, in portions where they may have to wait; rejects each entry with a record that is
 * too large for the log.
 *
 * @returns the appended and rejected entries
 */
export async function appendTaken(context: Sending, taken: Intake, caller: string): Promise<Intake> {
  const { records, entries } = taken;
  const endOf = portionsOf(context, records);
  if (endOf(0) === records.length) {
    return await appendPortion(context, taken, { caller });
  }
  const appended: ArrivingRecord[] = [], of: number[] = [];
  const rejected = [...taken.rejected];
  for (let at = 0; at < records.length;) {
    let end = endOf(at);
    while (end < records.length && entries[end] === entries[end - 1]) end++;
    const portion = { records: records.slice(at, end), entries: entries.slice(at, end), rejected: [] };
    const taken = await appendPortion(context, portion, { caller, isBegun: at > 0 });
    for (const record of taken.records) appended.push(record);
    for (const entry of taken.entries) of.push(entry);
    for (const one of taken.rejected) rejected.push(one);
    at = end;
  }
  return { records: appended, entries: of, rejected: rejected.toSorted((a, b) => a.index - b.index) };
}

async function appendPortion(
  context: Sending,
  taken: Intake,
  sender: Omit<Entering, "events" | "work">,
): Promise<Intake> {
  const { records, entries, rejected } = taken;
  if (records.length === 0) return taken;
  try {
    await admit(context, records, sender, () => append(context, records));
    return taken;
  } catch (error) {
    if (!(error instanceof LogError) || error.records.length === 0) throw error;
    const { message: reason } = error;
    const large = new Set(error.records.map((at) => entries[at] ?? -1));
    const others = <T>(of: readonly T[]) => of.filter((_, at) => !large.has(entries[at] ?? -1));
    const refused = Array.from(large, (index): RejectedEntry => ({ index, code: "too-large", reason }));
    return await appendPortion(context, {
      records: others(records),
      entries: others(entries),
      rejected: [...rejected, ...refused].toSorted((a, b) => a.index - b.index),
    }, sender);
  }
}

/** Does work that takes precedence over the tasks' steps. */
export async function inForeground<Result>(
  service: Pick<Service, "thread"> | undefined,
  work: () => Promise<Result>,
): Promise<Result> {
  const underWay = service?.thread.enter();
  try {
    return await work();
  } finally {
    underWay?.[Symbol.dispose](); // `using` takes half a microsecond longer
  }
}
