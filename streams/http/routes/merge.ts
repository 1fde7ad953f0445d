/** Gives a user the history of an anonymous session, as at a login. */

import { z } from "zod";
import type { AliasEvent } from "../../../src/events/event.ts";
import { checkEventFields } from "../../../src/events/check.ts";
import type { Call, Endpoint } from "../endpoint.ts";
import { type ApiContext, append } from "../context.ts";
import { committed } from "./fresh_task.ts";
import { arrivedRecord } from "../intake.ts";
import { checkFields, readObject } from "../object_body.ts";
import { named } from "../contract/named_schema.ts";
import { Problem } from "../contract/problem.ts";

const { Merge, Merged } = named({
  Merge: z.object({ from: z.string().min(1).max(256).describe("Id of the session.") }),
  Merged: z.object({ accepted: z.literal(1) }),
});

export function mergeEndpoint(context: ApiContext): Endpoint {
  return {
    method: "POST",
    path: "/v1/users/:user/merge",
    id: "mergeUser",
    summary: "Takes over the history of an anonymous session, as at a login",
    description: "Appends an `alias` event for the session. Later behaviours of the session stay with it.",
    scope: "merge",
    parameters: { user: "Id of the user" },
    body: { kinds: ["json"], schema: Merge },
    answers: { 200: { description: "The event is durable", schema: Merged } },
    problems: ["unavailable", "answer-timeout"],
    handle: (call) => mergeUser(context, call),
  };
}

/** Appends the alias. If this process has the session's task, the user's next request sees the merge. */
async function mergeUser(context: ApiContext, call: Call): Promise<Response> {
  const { user = "" } = call.parameters;
  const body = await readObject(context, call);
  checkFields(body, Merge);
  const { from } = body;
  if (typeof from !== "string" || from === "" || from === user) {
    throw new Problem("bad-parameter", "from must be the id of the session, and not the user's");
  }
  const now = context.now();
  const event: AliasEvent = { type: "alias", user: from, of: user, time: now };
  const checked = checkEventFields(event);
  if (!checked.ok) throw new Problem("bad-parameter", checked.reason);
  const record = arrivedRecord(context.topics, { kind: "event", event }, now);
  if ("ok" in record) throw new Problem("too-large", record.reason);
  const [offset = 0] = await append(context, [record]);
  await committed(context, from, offset);
  return Response.json({ accepted: 1 });
}
