/** Functions that the doors share. */

import type { Mapped } from "../../src/adapters/mapped.ts";
import { checkEventFields } from "../../src/events/check.ts";
import type { RequestEvent } from "../../src/events/event.ts";
import type { Recommendation } from "../../src/events/recommendation.ts";
import { MAX_ITEMS, MIN_TIME_MS } from "../../src/events/limits.ts";
import type { Preview } from "../../src/engine/lists.ts";
import type { UserState } from "../../src/users/user_state.ts";
import type { Portions } from "../../src/values/portions.ts";
import { type ApiContext, append, inPortions } from "../http/context.ts";
import { arrivedRecords, rejectAhead, type RejectedEntry } from "../http/intake.ts";
import type { ArrivingRecord } from "../http/contract/arriving.ts";
import type { Call } from "../http/endpoint.ts";
import { freshTask } from "../http/routes/fresh_task.ts";
import { valuesIn } from "../http/json_list.ts";
import { Problem } from "../http/contract/problem.ts";
import { adapt } from "../mapping/adapt.ts";
import type { Task } from "../task/task.ts";
import type { OwnRecord } from "../../src/events/own_record.ts";

/** User of requests without a user; it is on no log. */
const NOBODY = "anonymous";
/** Most rejected entries that a problem lists. */
const MAX_LISTED = 100;

/** The optional fields of a request, and its count. */
export type Asked = Omit<RequestEvent, "type" | "request" | "user" | "time" | "id">;

/** Reads a body as JSON: the values of a list, or one value. @throws Problem `bad-body` or `too-large` */
export async function readValues(
  { bodies, work, maxEntries }: ApiContext,
  { request, caller }: Pick<Call, "request" | "caller">,
): Promise<readonly unknown[]> {
  return await work.run(caller, entriesOf(await bodies.read(request), maxEntries));
}

/** The values of a list, or one value. @throws Problem */
export function* entriesOf(bytes: Uint8Array, maxEntries: number): Portions<readonly unknown[]> {
  const values: unknown[] = [];
  for (const portion of valuesIn(bytes, maxEntries)) {
    for (const { value } of portion) values.push(value);
    yield;
  }
  return values;
}

/** Maps all values to events and items, or none. @throws Problem `refused`, naming every rejected value */
export function* mapAll<Value>(
  context: Pick<ApiContext, "now" | "see">,
  values: readonly Value[],
  map: (value: Value) => Mapped,
): Portions<readonly OwnRecord[]> {
  const now = context.now();
  const own: OwnRecord[] = [];
  const errors: RejectedEntry[] = [];
  for (const [index, value] of values.entries()) {
    if (index > 0) yield; // each may be long
    const adapted = adapt(() => map(value));
    if (!adapted.ok) {
      errors.push({ index, code: adapted.code, reason: adapted.reason });
      continue;
    }
    for (const record of adapted.records) {
      const ahead = record.kind === "event" ? rejectAhead(record.event.time, now) : null;
      if (ahead === null) {
        own.push(record);
        context.see?.(record);
      } else errors.push({ index, code: ahead.code, reason: ahead.reason });
    }
  }
  const [first] = errors;
  if (first === undefined) return own;
  const detail = `No entry was accepted, because entry ${first.index} is rejected: ${first.reason}`;
  throw new Problem("refused", detail, { more: { errors: errors.slice(0, MAX_LISTED) } });
}

/** Appends events and items as {@linkcode take} does. @throws Problem `refused` when one is too large */
export async function takeOwn(
  context: ApiContext,
  own: readonly OwnRecord[],
  caller: string,
): Promise<void> {
  const records = await context.work.run(caller, arrivedRecords(context.topics, own, context.now()));
  await take(context, records, caller);
}

/** Appends records, in portions where they may have to wait, and counts them. */
export async function take(
  context: ApiContext,
  records: readonly ArrivingRecord[],
  caller: string,
): Promise<void> {
  await inPortions(context, { sent: records, loadOf: (record) => record, caller }, async (portion) => {
    await append(context, portion);
    const items = portion.filter(({ topic }) => topic === context.topics.items).length;
    context.metrics.taken("item", items, []);
    context.metrics.taken("event", portion.length - items, []);
  });
}

/** Requests a list through the log, like `/v1/recommend`: it counts as shown. */
export async function ask(
  context: ApiContext,
  { user, caller, id }: { readonly user: string; readonly caller: string; readonly id?: string | undefined },
  asked: Asked,
): Promise<Recommendation> {
  const now = context.now();
  const event = requestOf(user, asked, now, id);
  const begun = context.clock();
  const answer = await context.recommender.ask(event, now, caller);
  context.metrics.answered(context.clock() - begun);
  return JSON.parse(new TextDecoder().decode(answer));
}

/** The list for an unknown user: not logged, and not counted as shown. */
export function previewForNobody(context: ApiContext, asked: Asked): Preview {
  const [task] = context.service?.tasks.values() ?? [];
  if (task === undefined) {
    throw new Problem("unavailable", "No partition is in this process, or all are being restored");
  }
  return task.state.lists.preview(null, requestOf(NOBODY, asked, timeOf(task)));
}

/** The list for a user, known or not: not logged, and not counted as shown. */
export async function previewFor(context: ApiContext, user: string, asked: Asked): Promise<Preview> {
  const task = await freshTask(context, user);
  const event = requestOf(user, asked, timeOf(task));
  return await task.users.peek(user, (known) => task.state.lists.preview(known, event)) ??
    task.state.lists.preview(null, event);
}

/** Views a user, caught up with the log; `undefined` for an unknown one. */
export async function lookAt<View>(
  context: ApiContext,
  user: string,
  view: (user: UserState, task: Task) => View,
): Promise<View | undefined> {
  const task = await freshTask(context, user);
  return await task.users.peek(user, (known) => view(known, task));
}

/** Time of the newest event: items expire and counts decay by event time. */
function timeOf({ state }: Task): number {
  return Math.max(0, state.maxTime);
}

/** Makes a request. @throws Problem `bad-parameter` when it is invalid */
function requestOf(user: string, asked: Asked, time: number, id: string = crypto.randomUUID()): RequestEvent {
  const event: RequestEvent = { type: "request", user, request: id, time, ...asked };
  // Before the first event the time is 0, which is not the client's fault.
  const checked = checkEventFields(time < MIN_TIME_MS ? { ...event, time: MIN_TIME_MS } : event);
  if (!checked.ok) throw new Problem("bad-parameter", checked.reason);
  return event;
}

/** An integer of the query, 0 to the longest list. @throws Problem `bad-parameter` */
export function numberIn(query: URLSearchParams, name: string, fallback: number): number {
  const text = query.get(name) ?? "";
  if (text === "") return fallback;
  const value = Number(text);
  if (/^\d{1,7}$/.test(text) && value <= MAX_ITEMS) return value;
  throw new Problem("bad-parameter", `${name} must be from 0 to ${MAX_ITEMS}`);
}
