/** Erases a user, and reports the progress. */

import { z } from "zod";
import { checkEventFields } from "../../../src/events/check.ts";
import { partitionOf } from "../../log/partitioner.ts";
import { erasureOf } from "../../service/erasure/erased_records.ts";
import { type ErasurePlace, viewErasure } from "../../service/erasure/erasure_view.ts";
import { type ApiContext, append } from "../context.ts";
import { named } from "../contract/named_schema.ts";
import { Problem } from "../contract/problem.ts";
import type { Call, Endpoint, Parameter } from "../endpoint.ts";
import { arrivedRecord } from "../intake.ts";
import { takenSchema } from "./events.ts";

const count = z.int().min(0);
const time = count.describe("Milliseconds since the epoch.");

const { Forgotten, Erasure } = named({
  Forgotten: takenSchema.extend({
    erasure: z.object({ partition: count, offset: count }).describe("The address of its progress."),
  }),
  Erasure: z.object({
    state: z.enum(["under way", "fragments", "done", "kept"]).describe(
      "`done`: nothing remains but what `topics` lists. `fragments`: no record remains, but fragments in pages of a large " +
        "SQLite file do. `kept`: everything that meander can rewrite is rewritten; the log drops records only by its own retention.",
    ),
    topics: z.array(z.object({
      topic: z.string(),
      remains: z.string().nullable().describe("What remains; null = nothing."),
      until: time.nullable().describe("Until when, at the latest; null = nothing remains, or no end is set."),
    })),
  }),
});

const PLACE_PART: Parameter = {
  about: "As in the answer to the erasure",
  schema: { type: "integer", minimum: 0, maximum: Number.MAX_SAFE_INTEGER },
};
/** A number in it. */
const DIGITS = /^(0|[1-9]\d{0,15})$/;

export function erasureEndpoints(context: ApiContext): readonly Endpoint[] {
  return [
    {
      method: "DELETE",
      path: "/v1/users/:user",
      id: "forgetUser",
      summary: "Erases what is known about a user",
      description:
        "Appends a `forget` event: task and learner erase states and embeddings when they read it, the log erases records later.",
      scope: "admin",
      parameters: { user: "Id of the user" },
      answers: { 200: { description: "The event is durable", schema: Forgotten } },
      problems: ["unavailable"],
      handle: (call) => forgetUser(context, call),
    },
    {
      method: "GET",
      path: "/v1/erasures/:partition/:offset",
      id: "getErasure",
      summary: "Progress of an erasure: what remains of the user on which topic, and until when",
      scope: "admin",
      parameters: { partition: PLACE_PART, offset: PLACE_PART },
      answers: { 200: { description: "What remains", schema: Erasure } },
      problems: ["not-found", "unavailable"],
      handle: (call) => getErasure(context, call),
    },
  ];
}

/** Appends the event, and answers with its place. */
async function forgetUser(context: ApiContext, { parameters }: Call): Promise<Response> {
  const { user = "" } = parameters;
  const time = context.now();
  const checked = checkEventFields({ type: "forget", user, time });
  if (!checked.ok) throw new Problem("bad-parameter", checked.reason);
  const record = arrivedRecord(context.topics, { kind: "event", event: checked.event }, time);
  if ("ok" in record) throw new Problem("bad-parameter", record.reason);
  const partition = partitionOf(user, context.partitions);
  const [offset = 0] = await append(context, [{ ...record, partition }]);
  return Response.json({ accepted: 1, refused: [], erasure: { partition, offset } });
}

/** Reports what an erasure has left on which topic, by the place of its event, so that no URL contains the id. */
async function getErasure(context: ApiContext, { parameters }: Call): Promise<Response> {
  const parts = [parameters["partition"] ?? "", parameters["offset"] ?? ""];
  const [partition = 0, offset = 0] = parts.map(Number);
  if (!parts.every((part) => DIGITS.test(part) && Number.isSafeInteger(Number(part)))) {
    throw new Problem(
      "bad-parameter",
      "Cannot find the erasure: give the partition and offset that DELETE returned",
    );
  }
  if (partition >= context.partitions) {
    const there = `current value is ${partition}, and there are ${context.partitions} partitions`;
    throw new Problem("not-found", `Cannot find the erasure by its partition: ${there}`);
  }
  await refuseOtherEvent(context, { partition, offset });
  const progress = await context.service?.erasure(partition, offset) ?? null;
  return Response.json(await viewErasure(context, { partition, offset }, progress, context.now()));
}

/** Refuses an event that erases nobody. The event of an erasure may be gone already. */
async function refuseOtherEvent(
  { log, topics }: ApiContext,
  { partition, offset }: ErasurePlace,
): Promise<void> {
  const { records: [record] } = await log.read(topics.events, partition, offset, { maxRecords: 1 });
  if (record?.offset !== offset || erasureOf(record) !== null) return;
  throw new Problem(
    "not-found",
    `Cannot find the erasure: the event at ${partition}/${offset} is not a \`forget\``,
  );
}
