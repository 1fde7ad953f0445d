/** The endpoints that take events and items. */

import { z } from "zod";
import { checkItem } from "../../../src/events/check.ts";
import { REJECTION_CODES, shown } from "../../../src/events/rejected.ts";
import { WARNING_CODES } from "../../../src/mapping/entry_check.ts";
import { bodyKind } from "../body.ts";
import { type ApiContext, appendTaken, inForeground } from "../context.ts";
import { named, type NamedSchema } from "../contract/named_schema.ts";
import { Problem } from "../contract/problem.ts";
import { tryWithin } from "../deadline.ts";
import { EVENT, ITEM } from "../contract/record_schemas.ts";
import type { Call, Endpoint } from "../endpoint.ts";
import {
  type CheckedIntake,
  MAX_WARNINGS,
  noneTaken,
  type RejectedEntry,
  takeEvents,
  takeItems,
  type WarnedEntry,
} from "../intake.ts";

/** Longest wait for what is only a warning. */
const LOOK_MS = 500;
/** Kinds of bodies with many entries. */
const MANY = ["json", "lines"] as const;

export const rejectedSchema = z.object({
  index: z.int().min(0).describe("Place in the list, or among the lines that are not blank; 0 is the first."),
  code: z.enum(REJECTION_CODES),
  reason: z.string(),
  entries: z.array(z.string()).optional().describe(
    "Refused parts of a record of a source, such as `lines[3]`: the rest of it is durable.",
  ),
});

/** The outcome of the entries in a body. */
export const takenSchema = z.object({
  accepted: z.int().min(0).describe("Entries that are durable now."),
  refused: z.array(rejectedSchema).describe("Entries that are not, and why."),
});

const warningSchema = z.object({
  index: rejectedSchema.shape.index,
  code: z.enum(WARNING_CODES),
  warning: z.string(),
});

const { Taken, Checked } = named({
  Taken: takenSchema,
  Checked: takenSchema.extend({
    warnings: z.array(warningSchema).min(1).max(MAX_WARNINGS).optional().describe(
      "The first accepted entries that do not do what they were meant to; absent if there are none.",
    ),
  }),
});

export function eventEndpoints(context: ApiContext): readonly Endpoint[] {
  const post = (kind: "event" | "item", schema: NamedSchema) => ({
    method: "POST",
    scope: `${kind}s`,
    body: { kinds: MANY, schema, many: true },
    answers: { 200: { description: "Accepted and refused entries", schema: Checked } },
    problems: ["unavailable"],
    handle: (call: Call) => intake(context, call, kind),
  } as const);
  return [
    {
      ...post("event", EVENT),
      path: "/v1/events",
      id: "postEvents",
      summary: "Appends events",
      description:
        "One event, a list, or one per line. 200: all that are not listed as refused are durable. " +
        "A `forget` event needs the scope `admin`, too, an `alias` or `merge` needs `merge`.",
    },
    {
      ...post("item", ITEM),
      path: "/v1/items",
      id: "postItems",
      summary: "Adds items to the catalogue, or replaces them",
    },
    {
      method: "DELETE",
      path: "/v1/items/:item",
      id: "deleteItem",
      summary: "Removes an item from the catalogue",
      scope: "items",
      parameters: { item: "Id of the item" },
      answers: { 200: { description: "It will no longer be recommended", schema: Taken } },
      problems: ["unavailable"],
      handle: (call) => removeItem(context, call),
    },
  ];
}

async function intake(
  context: ApiContext,
  { request, demand, may, caller }: Call,
  kind: "event" | "item",
): Promise<Response> {
  const { topics, bodies, maxEntries, service, see, check, unlisted } = context;
  const bodyIs = bodyKind(request.headers, MANY);
  const take = kind === "event" ? takeEvents : takeItems;
  const bytes = await inForeground(service, () => bodies.read(request));
  // A key on a web page must not find out which items are not yet released.
  const mayLack = kind === "event" && may("read") && unlisted?.isDue()
    ? (item: string) => unlisted.mayLack(item)
    : undefined;
  const options = { topics, maxEntries, see, check, mayLack, demand, now: context.now() };
  const found = await context.work.run(caller, take(bytes, bodyIs, options));
  const { records, rejected } = await appendTaken(context, found, caller);
  context.metrics.taken(kind, records.length, rejected);
  if (records.length === 0) throw noneTaken(rejected);
  const warnings = await warningsIn(context, found, rejected);
  const taken = { accepted: records.length, refused: rejected };
  return Response.json(warnings.length === 0 ? taken : { ...taken, warnings });
}

/** The warnings about entries that were not rejected. */
async function warningsIn(
  { unlisted }: ApiContext,
  found: CheckedIntake,
  rejected: readonly RejectedEntry[],
): Promise<readonly WarnedEntry[]> {
  if (found.warnings.length === 0 && found.unlisted.length === 0) return [];
  const looking = unlisted?.among(found.unlisted) ?? Promise.resolve([]);
  const lacking = await tryWithin(looking, LOOK_MS, "what the catalogue lacks") ?? [];
  const warnings = [
    ...found.warnings,
    ...lacking.map(({ index, item }): WarnedEntry => {
      const warning = `item ${shown(item)} is not in the catalogue, so it has no categories or attributes`;
      return { index, code: "not-in-catalogue", warning };
    }),
  ];
  const refused = new Set(rejected.map(({ index }) => index));
  return warnings.filter(({ index }) => !refused.has(index)).sort((a, b) => a.index - b.index)
    .slice(0, MAX_WARNINGS);
}

async function removeItem(
  context: ApiContext,
  { parameters: { item = "" }, caller }: Call,
): Promise<Response> {
  const time = context.now();
  const checked = checkItem({ item, time });
  if (!checked.ok) throw new Problem("bad-parameter", checked.reason);
  const records = [{ topic: context.topics.items, key: item, value: null, time, work: 1 }];
  await appendTaken(context, { records, entries: [0], rejected: [] }, caller);
  return Response.json({ accepted: 1, refused: [] });
}
