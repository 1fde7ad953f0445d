/**
 * Takes over the behaviours of an anonymous session, as at a login.
 *
 * @module
 */

import { z } from "zod";
import { checkEventFields } from "../../../src/events/check.ts";
import type { MergeEvent } from "../../../src/events/event.ts";
import type { Call, Endpoint } from "../endpoint.ts";
import { type ApiContext, append } from "../context.ts";
import { freshTask } from "./fresh_task.ts";
import { behavioursOf } from "./users.ts";
import { arrivedRecord, MAX_AHEAD_MS } from "../intake.ts";
import { notKnown } from "../contract/not_known.ts";
import { checkFields, readObject } from "../object_body.ts";
import { named } from "../contract/named_schema.ts";
import { Problem } from "../contract/problem.ts";

const { Merge, Merged } = named({
  Merge: z.object({ from: z.string().min(1).max(256).describe("Id of the session.") }),
  Merged: z.object({
    accepted: z.literal(1),
    behaviours: z.int().min(0).describe("Those that the session has."),
  }),
});

/** Makes the endpoint. */
export function mergeEndpoint(context: ApiContext): Endpoint {
  return {
    method: "POST",
    path: "/v1/users/:user/merge",
    id: "mergeUser",
    summary: "Takes over what an anonymous session did, as at a login",
    description: "Appends an event `merge`. Again, it takes over what is new. The session itself stays.",
    scope: "events",
    parameters: { user: "Id of the user" },
    body: { kinds: ["json"], schema: Merge },
    answers: { 200: { description: "The event is durable", schema: Merged } },
    problems: ["not-found", "elsewhere", "unavailable", "answer-timeout"],
    handle: (call) => mergeUser(context, call),
  };
}

/** Appends the session's behaviours as an event of the user. */
async function mergeUser(context: ApiContext, { request, parameters }: Call): Promise<Response> {
  const { user = "" } = parameters;
  const body = await readObject(request, context.bodies);
  checkFields(body, Merge);
  const { from } = body;
  if (typeof from !== "string" || from === "" || from === user) {
    throw new Problem("bad-parameter", "from must be the id of the session, and not the user's");
  }
  const task = await freshTask(context, from);
  const seen = await task.users.peek(from, ({ row, profile }) => ({
    attributes: profile,
    behaviours: behavioursOf(task.state, row).map(({ categories: _, ...behaviour }) => behaviour),
  }));
  if (seen === undefined) throw notKnown({ session: from });
  const now = context.now();
  const time = Math.min(now + MAX_AHEAD_MS, Math.max(now, ...seen.behaviours.map(({ time }) => time)));
  const event: MergeEvent = { type: "merge", user, from, time, ...seen };
  const checked = checkEventFields(event);
  if (!checked.ok) throw new Problem("bad-parameter", checked.reason);
  const record = arrivedRecord(context.topics, { kind: "event", event }, now);
  if ("ok" in record) throw new Problem("too-large", record.reason);
  await append(context, [record]);
  return Response.json({ accepted: 1, behaviours: seen.behaviours.length });
}
