/**
 * What was not taken, and why.
 *
 * @module
 */

import { z } from "zod";
import { countRejected, readRejected, type RejectedCount } from "../../feeders/rejected_records.ts";
import type { ApiContext } from "../context.ts";
import { named } from "../contract/named_schema.ts";
import { type Call, type Endpoint, queryOf } from "../endpoint.ts";

/** Newest records of each partition that are looked at. */
const NEWEST = 1000;
/** Characters of the Base64 of a record that are given: its first KiB. */
const MOST_BYTES = 1368;

const count = z.int().min(0);
const { Rejected } = named({
  Rejected: z.object({
    reasons: z.array(z.object({
      source: z.string().nullable().describe("Format or source; null = a topic of the deployment."),
      from: z.string().describe("Topic or file."),
      code: z.string(),
      rule: z.string().nullable().describe("Rule of the source that could not take it."),
      count,
      newest: z.looseObject({
        partition: count.describe("Of the topic of rejected records."),
        offset: count,
        time: z.number(),
        rejection: z.looseObject({
          reason: z.string(),
          bytes: z.string().describe("Base64, the first KiB."),
        }),
      }),
    })),
  }),
});

/** Makes the endpoint. */
export function rejectedEndpoint({ log, topics }: ApiContext): Endpoint {
  return {
    method: "GET",
    path: "/v1/rejected",
    id: "getRejected",
    summary: "What was not taken, by reason",
    description: `Of the newest ${NEWEST} records of each partition, without those that were replayed.`,
    scope: "read",
    query: {
      code: { about: "Only this code", schema: { type: "string" } },
      source: { about: "Only this source or format", schema: { type: "string" } },
      from: { about: "Only this topic or file", schema: { type: "string" } },
    },
    answers: { 200: { description: "Reasons, most frequent first", schema: Rejected } },
    problems: ["unavailable"],
    handle: async (call: Call) => {
      const query = queryOf(call);
      const filter = {
        code: query.get("code") ?? undefined,
        source: query.get("source") ?? undefined,
        from: query.get("from") ?? undefined,
      };
      const reasons = await countRejected(readRejected(log, topics, filter, NEWEST));
      return Response.json({ reasons: reasons.map(shortened) });
    },
  };
}

function shortened(reason: RejectedCount): RejectedCount {
  const { newest } = reason;
  const bytes = newest.rejection.bytes.slice(0, MOST_BYTES);
  return { ...reason, newest: { ...newest, rejection: { ...newest.rejection, bytes } } };
}
