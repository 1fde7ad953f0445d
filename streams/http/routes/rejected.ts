/** Rejected records, and the reasons. */

import { z } from "zod";
import { lookAtRejected, type RejectedLook } from "../../feeders/newest_rejected.ts";
import type { RejectedFilter, RejectedRecord } from "../../feeders/rejected_records.ts";
import type { ApiContext } from "../context.ts";
import { named } from "../contract/named_schema.ts";
import { type Call, type Endpoint, queryOf } from "../endpoint.ts";

/** Bounds the cost of a look, however large the topic is. */
const LIMITS = { records: 4000, bytes: 8 << 20 };
/** Number of newest records that are returned. */
const GIVEN = 50;
/** Base64 characters of a record that are returned: its first KiB. */
const MOST_BYTES = 1368;
/** How long the result of a look is reused for the same filter, milliseconds. */
const BELIEVED_MS = 1000;

const count = z.int().min(0);
const { Rejected } = named({
  Rejected: z.object({
    isAll: z.boolean().describe("Whether the look covered the whole topic."),
    offsets: count.describe("Offsets of the whole topic, including records that were replayed."),
    reasons: z.array(z.object({
      source: z.string().nullable().describe("Format or source; null = a topic of the deployment."),
      from: z.string().describe("Topic or file."),
      code: z.string(),
      rule: z.string().nullable().describe("Rule of the source that rejected it."),
      count,
      again: count.describe("How many of them were replayed, and rejected again."),
      newest: rejected(),
    })),
    records: z.array(rejected()).max(GIVEN).describe("The newest of all, newest first."),
  }),
});

function rejected() {
  return z.looseObject({
    partition: count.describe("Of the topic of rejected records."),
    offset: count,
    time: z.number(),
    key: z.string().nullable(),
    rejection: z.looseObject({
      code: z.string(),
      reason: z.string(),
      bytes: z.string().describe("Base64, the first KiB."),
    }),
  });
}

export function rejectedEndpoint({ log, topics, clock }: ApiContext): Endpoint {
  let last: { readonly key: string; readonly at: number; readonly look: Promise<RejectedLook> } | undefined;
  /** One look at a time; the same filter within a second gets the same answer. */
  const lookFor = async (key: string, filter: RejectedFilter): Promise<RejectedLook> => {
    for (;;) {
      const before = last;
      if (before?.key === key && clock() - before.at < BELIEVED_MS) return await before.look;
      await before?.look.catch(() => {}); // its caller gets the error
      if (last === before) break;
    }
    const look = lookAtRejected(log, topics, filter, LIMITS);
    last = { key, at: clock(), look };
    return await look;
  };
  return {
    method: "GET",
    path: "/v1/rejected",
    id: "getRejected",
    summary: "Rejected records, by reason",
    description:
      `The newest ${LIMITS.records} records, at most ${LIMITS.bytes >> 20} MiB, an equal share per ` +
      "partition, without those that were replayed.",
    scope: "read",
    query: {
      code: { about: "Only this code", schema: { type: "string" } },
      source: { about: "Only this source or format", schema: { type: "string" } },
      from: { about: "Only this topic or file", schema: { type: "string" } },
    },
    answers: {
      200: { description: "Reasons, most frequent first, and the newest records", schema: Rejected },
    },
    problems: ["unavailable"],
    handle: async (call: Call) => {
      const query = queryOf(call);
      const filter = {
        code: query.get("code") ?? undefined,
        source: query.get("source") ?? undefined,
        from: query.get("from") ?? undefined,
      };
      const { isAll, offsets, reasons, records } = await lookFor(JSON.stringify(filter), filter);
      return Response.json({
        isAll,
        offsets,
        reasons: reasons.map((reason) => ({ ...reason, newest: shortened(reason.newest) })),
        records: records.slice(0, GIVEN).map(shortened),
      });
    },
  };
}

function shortened(record: RejectedRecord): RejectedRecord {
  const { rejection } = record;
  const bytes = rejection.bytes.slice(0, MOST_BYTES);
  const isCut = rejection.cut || bytes.length < rejection.bytes.length;
  return { ...record, rejection: { ...rejection, bytes, ...(isCut ? { cut: true as const } : {}) } };
}
