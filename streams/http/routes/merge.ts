/**
 * What an anonymous session did becomes a user's, as at a login.
 *
 * @module
 */

import { checkEventFields } from "../../../src/events/check.ts";
import type { MergeEvent } from "../../../src/events/event.ts";
import type { Call } from "../endpoint.ts";
import { type ApiContext, append } from "../context.ts";
import { freshTask } from "./fresh_task.ts";
import { eventRecord, MAX_AHEAD_MS } from "../intake.ts";
import { notKnown } from "../contract/not_known.ts";
import { readObject } from "../object_body.ts";
import { Problem } from "../contract/problem.ts";

/** Reads the session's behaviours from its state, and appends them as an event of the user. */
export async function mergeUser(context: ApiContext, { request, parameters }: Call): Promise<Response> {
  const user = parameters["user"] ?? "";
  const { from } = await readObject(request, context.bodies, "Merge");
  if (typeof from !== "string" || from === "" || from === user) {
    throw new Problem("bad-parameter", "from must be the id of the session, and not the user's");
  }
  const task = await freshTask(context, from);
  const seen = await task.users.peek(from, ({ row, profile }) => {
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
  if (seen === undefined) throw notKnown({ session: from });
  const now = context.now();
  const time = Math.min(now + MAX_AHEAD_MS, Math.max(now, ...seen.behaviours.map(({ time }) => time)));
  const event: MergeEvent = { type: "merge", user, from, time, ...seen };
  const checked = checkEventFields(event);
  if (!checked.ok) throw new Problem("bad-parameter", checked.reason);
  const record = eventRecord(context.topics.events, event, now);
  if ("ok" in record) throw new Problem("too-large", record.reason);
  await append(context, [record]);
  return Response.json({ accepted: 1, behaviours: seen.behaviours.length });
}
