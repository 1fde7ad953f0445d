/**
 * What the doors share: other systems' HTTP calls, answered by a deployment of ours.
 *
 * @module
 */

import type { Mapped } from "../../src/adapters/mapped.ts";
import { checkEventFields } from "../../src/events/check.ts";
import type { RequestEvent } from "../../src/events/event.ts";
import { parseJson } from "../../src/events/json.ts";
import type { Recommendation } from "../../src/events/recommendation.ts";
import { MAX_ITEMS, MIN_TIME_MS } from "../../src/events/limits.ts";
import type { Preview } from "../../src/engine/lists.ts";
import type { UserState } from "../../src/users/user_state.ts";
import type { NewRecord } from "../log/log.ts";
import { type ApiContext, append } from "../http/context.ts";
import { arrivedRecord, MAX_AHEAD_MS, type RejectedEntry } from "../http/intake.ts";
import { freshTask } from "../http/routes/fresh_task.ts";
import { checkList } from "../http/json_list.ts";
import { Problem } from "../http/contract/problem.ts";
import { adapt } from "../sources/adapters.ts";
import type { Task } from "../task/task.ts";
import type { OwnRecord } from "../topics/own_records.ts";

/** Whose name a request bears that is nobody's; it is on no log. */
const NOBODY = "anonymous";
/** Refused entries that a problem lists. */
const MAX_LISTED = 100;

/** A request but for what every request has. */
export type Asked = Omit<RequestEvent, "type" | "request" | "user" | "time" | "id">;

/** Reads a body as JSON: the values of a list, or the one value. @throws Problem */
export async function readValues(context: ApiContext, request: Request): Promise<readonly unknown[]> {
  const bytes = await context.bodies.read(request);
  checkList(bytes, context.maxEntries);
  const parsed = parseJson(bytes, "body", { maxBytes: bytes.length });
  if (!parsed.ok) throw new Problem("bad-body", parsed.reason, { more: { reasonCode: parsed.code } });
  const values = Array.isArray(parsed.value) ? parsed.value : [parsed.value];
  checkEntries(context, values.length);
  return values;
}

/** @throws Problem `too-large` or `bad-body` */
export function checkEntries({ maxEntries }: ApiContext, entries: number): void {
  if (entries === 0) throw new Problem("bad-body", "The body is empty: it has no entries");
  if (entries > maxEntries) {
    throw new Problem("too-large", `A body has at most ${maxEntries} entries, this one has ${entries}`);
  }
}

/** Maps all values to events and items, or none. @throws Problem `refused`, naming every value that cannot be taken */
export function mapAll<Value>(
  context: ApiContext,
  values: readonly Value[],
  map: (value: Value) => Mapped,
): readonly OwnRecord[] {
  const now = context.now();
  const own: OwnRecord[] = [];
  const errors: RejectedEntry[] = [];
  for (const [index, value] of values.entries()) {
    const adapted = adapt(() => map(value));
    if (!adapted.ok) {
      errors.push({ index, code: adapted.code, reason: adapted.reason });
      continue;
    }
    for (const record of adapted.records) {
      const ahead = record.kind === "event" ? record.event.time - now : 0;
      if (ahead <= MAX_AHEAD_MS) own.push(record);
      else {
        const reason = `event time is ${ahead} ms ahead, allowed are ${MAX_AHEAD_MS} ms`;
        errors.push({ index, code: "in-the-future", reason });
      }
    }
  }
  const [first] = errors;
  if (first === undefined) return own;
  const detail = `Nothing was taken, since entry ${first.index} cannot be: ${first.reason}`;
  throw new Problem("refused", detail, { more: { errors: errors.slice(0, MAX_LISTED) } });
}

/** Records for the log. @throws Problem `refused` when one is too large for it */
export function recordsOf({ topics, now }: ApiContext, own: readonly OwnRecord[]): readonly NewRecord[] {
  const time = now();
  return own.map((one, index) => {
    const record = arrivedRecord(topics, one, time);
    if (!("ok" in record)) return record;
    const { code, reason } = record;
    throw new Problem("refused", reason, { more: { errors: [{ index, code, reason }] } });
  });
}

/** Makes records durable, and counts them. */
export async function take(context: ApiContext, records: readonly NewRecord[]): Promise<void> {
  const items = records.filter(({ topic }) => topic === context.topics.items).length;
  if (records.length > items) await context.backlog?.room();
  context.metrics.taken("item", items, []);
  context.metrics.taken("event", records.length - items, []);
  if (records.length > 0) await append(context, records);
}

/** Asks for a user through the log, like `/v1/recommend`: the answer is on it, and counts as shown. */
export async function ask(
  context: ApiContext,
  user: string,
  asked: Asked,
  id?: string,
): Promise<Recommendation> {
  const now = context.now();
  const event = requestOf(user, asked, now, id);
  const begun = context.clock();
  const answer = await context.recommender.ask(event, now);
  context.metrics.answered(context.clock() - begun);
  return JSON.parse(new TextDecoder().decode(answer));
}

/** What nobody in particular would be answered: read from the state, on no log, and nobody was shown it. */
export function askForNobody(context: ApiContext, asked: Asked): Preview {
  const [task] = context.service?.tasks.values() ?? [];
  if (task === undefined) {
    throw new Problem("unavailable", "No partition is in this process, or all are being restored");
  }
  return task.state.previewNobody(requestOf(NOBODY, asked, timeOf(task)));
}

/** What a user would be answered, or nobody when nothing is known of them; see {@linkcode askForNobody}. */
export async function askSilently(context: ApiContext, user: string, asked: Asked): Promise<Preview> {
  const task = await freshTask(context, user);
  const event = requestOf(user, asked, timeOf(task));
  return await task.users.peek(user, (known) => task.state.preview(known, event)) ??
    task.state.previewNobody(event);
}

/** Looks at a user as of all events that were answered before; `undefined` when nothing is known of them. */
export async function lookAt<View>(
  context: ApiContext,
  user: string,
  view: (user: UserState, task: Task) => View,
): Promise<View | undefined> {
  const task = await freshTask(context, user);
  return await task.users.peek(user, (known) => view(known, task));
}

/** As of the newest event: what expires or decays does so by the time of events. */
function timeOf({ state }: Task): number {
  return Math.max(0, state.maxTime);
}

/** @throws Problem `bad-parameter` when it is no request */
function requestOf(user: string, asked: Asked, time: number, id: string = crypto.randomUUID()): RequestEvent {
  const event: RequestEvent = { type: "request", user, request: id, time, ...asked };
  // Where nothing has happened yet, the newest event has no time: that is no fault of the caller.
  const checked = checkEventFields(time < MIN_TIME_MS ? { ...event, time: MIN_TIME_MS } : event);
  if (!checked.ok) throw new Problem("bad-parameter", checked.reason);
  return event;
}

/** A whole number of the query, 0 to the longest list there is. @throws Problem `bad-parameter` */
export function numberIn(query: URLSearchParams, name: string, fallback: number): number {
  const text = query.get(name) ?? "";
  if (text === "") return fallback;
  const value = Number(text);
  if (/^\d{1,7}$/.test(text) && value <= MAX_ITEMS) return value;
  throw new Problem("bad-parameter", `${name} must be from 0 to ${MAX_ITEMS}`);
}
