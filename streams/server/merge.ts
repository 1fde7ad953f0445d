/**
 * What an anonymous session did becomes a user's, as at a login.
 *
 * @module
 */

import { setTimeout as delay } from "node:timers/promises";
import { checkEventFields } from "../../src/events/check.ts";
import type { MergeEvent } from "../../src/events/event.ts";
import { parseJson } from "../../src/events/json.ts";
import { partitionOf } from "../log/partitioner.ts";
import type { Task } from "../task.ts";
import { bodyKind, readBody } from "./body.ts";
import type { Call } from "./endpoint.ts";
import { type ApiContext, append } from "./endpoints.ts";
import { taskOf } from "./explain.ts";
import { MAX_AHEAD_MS, toRecord } from "./intake.ts";
import { Problem } from "./problem.ts";

/** How long a read waits for the task to have taken what was answered before. */
const CATCH_UP_MS = 2000;
const POLL_MS = 2;

/** Reads the session's behaviours from its state, and appends them as an event of the user. */
export async function mergeUser(context: ApiContext, { request, parameters }: Call): Promise<Response> {
  const user = parameters["user"] ?? "";
  bodyKind(request.headers, ["json"]);
  const parsed = parseJson(await readBody(request, context.maxBodyBytes), "body");
  if (!parsed.ok) throw new Problem("bad-body", parsed.reason, { more: { reasonCode: parsed.code } });
  const { from } = (parsed.value ?? {}) as { readonly from?: unknown };
  if (typeof from !== "string" || from === "" || from === user) {
    throw new Problem("bad-parameter", "from must be the id of the session, and not the user's");
  }
  const task = await freshTask(context, from);
  const seen = await task.peek(from, ({ row, profile }) => {
    const { sequences, catalogue } = task.state;
    return {
      attributes: profile,
      behaviours: Array.from({ length: sequences.length(row) }, (_, i) => ({
        item: catalogue.at(sequences.item(row, i)).id,
        action: sequences.action(row, i),
        time: sequences.time(row, i),
        strength: sequences.strength(row, i),
      })),
    };
  });
  if (seen === undefined) throw new Problem("not-found", "Nothing is known of the session");
  const now = context.now();
  const time = Math.min(now + MAX_AHEAD_MS, Math.max(now, ...seen.behaviours.map(({ time }) => time)));
  const event: MergeEvent = { type: "merge", user, from, time, ...seen };
  const checked = checkEventFields(event);
  if (!checked.ok) throw new Problem("bad-parameter", checked.reason);
  const record = toRecord(context.topics.events, user, event, now);
  if ("ok" in record) throw new Problem("too-large", record.reason);
  await append(context, [record]);
  return Response.json({ accepted: 1, behaviours: seen.behaviours.length });
}

/** The task of a user, once it has taken all that is on the log now. @throws Problem `answer-timeout` and others */
export async function freshTask(context: ApiContext, user: string): Promise<Task> {
  const task = await taskOf(context, user);
  await catchUp(context, task, partitionOf(user, context.partitions));
  return task;
}

/** Waits until a task has taken all that is on its partition now. @throws Problem `answer-timeout` */
export async function catchUp(
  { log, topics, clock }: ApiContext,
  task: Task,
  partition: number,
): Promise<void> {
  const { end } = await log.bounds(topics.events, partition);
  const deadline = clock() + CATCH_UP_MS;
  while (task.next < end) {
    if (clock() > deadline) {
      throw new Problem("answer-timeout", `Events before it wait for more than ${CATCH_UP_MS} ms`);
    }
    await delay(POLL_MS);
  }
}
