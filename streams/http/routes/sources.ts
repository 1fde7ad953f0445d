/** The endpoint that takes records of another system, and maps them by a source of the configuration. */

import { z } from "zod";
import { parseJson } from "../../../src/events/json.ts";
import type { Rejected } from "../../../src/events/rejected.ts";
import { makeEach, type TakenRecords } from "../../../src/mapping/entries.ts";
import type { RecordMeta } from "../../../src/mapping/scope.ts";
import type { Portions } from "../../../src/values/portions.ts";
import type { RecordSource } from "../../mapping/record_source.ts";
import type { Topics } from "../../topics/topics.ts";
import { type BodyKind, bodyKind } from "../body.ts";
import { type ApiContext, appendTaken, inForeground } from "../context.ts";
import type { Demand } from "../contract/access.ts";
import type { ArrivingRecord } from "../contract/arriving.ts";
import { named } from "../contract/named_schema.ts";
import { Problem } from "../contract/problem.ts";
import type { Call, Endpoint } from "../endpoint.ts";
import {
  arrivedRecord,
  demandFor,
  type Intake,
  linesIn,
  noneTaken,
  rejectAhead,
  type RejectedEntry,
} from "../intake.ts";
import { type BodyEntry, valuesIn } from "../json_list.ts";
import { takenSchema } from "./events.ts";

const KINDS = ["json", "lines", "table"] as const;
/** Most bytes of the events and items made from a body: rules may make many from one record. */
const MAX_MADE_BYTES = 64 << 20;

const { SourceRecords, SourceTaken } = named({
  SourceRecords: z.looseObject({}).describe("A record in the format of the source."),
  SourceTaken: takenSchema,
});

export function sourceEndpoint(context: ApiContext): Endpoint {
  return {
    method: "POST",
    path: "/v1/sources/:source",
    id: "postSource",
    summary: "Takes in records of another system by the rules of the configuration",
    description:
      "One record, a list, or one per line. `accepted` counts the events and items made from them. " +
      "In a record with a list, each entry is accepted or refused by itself: `entries` names the refused ones. " +
      "A record that becomes a `forget` event needs the scope `admin`, too, an `alias` or `merge` needs `merge`, an item `items`.",
    scope: "events",
    parameters: { source: "Name of the source" },
    body: { kinds: KINDS, schema: SourceRecords, many: true },
    answers: { 200: { description: "Accepted and refused records", schema: SourceTaken } },
    problems: ["not-found", "unavailable"],
    handle: (call) => intake(context, call),
  };
}

async function intake(
  context: ApiContext,
  { request, demand, caller, parameters: { source: name = "" } }: Call,
): Promise<Response> {
  const source = context.sources?.get(name);
  if (source === undefined) {
    const names = [...context.sources?.keys() ?? []].join(", ") || "none";
    throw new Problem("not-found", `The configuration has no such source; it has: ${names}`);
  }
  const kind = bodyKind(request.headers, KINDS);
  const bytes = await inForeground(context.service, () => context.bodies.read(request));
  const taken = takeRecords(bytes, kind, source, {
    topics: context.topics,
    now: context.now(),
    headers: cloudEventHeaders(request.headers),
    maxEntries: context.maxEntries,
    see: context.see,
    demand,
  });
  const found = await context.work.run(caller, taken);
  const { records, rejected } = await appendTaken(context, found, caller);
  const items = records.filter(({ topic }) => topic === context.topics.items).length;
  context.metrics.taken("event", records.length - items, rejected);
  context.metrics.taken("item", items, []);
  const whole = rejected.filter(({ entries }) => entries === undefined);
  if (whole.length === found.count) throw noneTaken(whole);
  return Response.json({ accepted: records.length, refused: rejected });
}

/** Attributes of a CloudEvent in HTTP headers such as `ce-type`, named as in those of a Kafka record: `ce_type`. */
function cloudEventHeaders(headers: Headers): Readonly<Record<string, string>> {
  const own = [...headers].filter(([name]) => name.startsWith("ce-"));
  return Object.fromEntries(own.map(([name, value]) => [name.replace("-", "_"), value]));
}

export interface TakeOptions {
  /** The topics to append to. */
  readonly topics: Topics;
  /** Time of arrival, for records without a time; milliseconds since the epoch. */
  readonly now: number;
  /** Headers of the records. @default {none} */
  readonly headers?: RecordMeta["headers"];
  /** Most entries in a body. */
  readonly maxEntries: number;
  /** Notified of each event and item. @default {nothing} */
  readonly see?: ApiContext["see"];
  /** Checks a further scope of the sender. */
  readonly demand: Demand;
}

/**
 * Maps the entries of a body by a source.
 *
 * @throws Problem `bad-body` or `too-large` when it is wrong as a whole; `forbidden` without a scope of {@linkcode demandFor}
 */
function* takeRecords(
  bytes: Uint8Array,
  kind: BodyKind,
  source: RecordSource,
  { topics, now, headers, maxEntries, see, demand }: TakeOptions,
): Portions<Intake & { readonly count: number }> {
  const records: ArrivingRecord[] = [];
  const entries: number[] = [];
  const rejected: RejectedEntry[] = [];
  let madeBytes = 0, index = 0;
  const take = (entry: BodyEntry | Rejected) => {
    const taken = entry.ok ? source.map(entry.value, { time: now, headers }) : entry;
    const own = taken.ok ? recordsOf(taken, topics, now, (bytes) => madeBytes += bytes) : taken;
    for (const { code, reason, entries } of "ok" in own ? [own] : own.rejected) {
      rejected.push({ index, code, reason, ...(entries && { entries }) });
    }
    for (const record of "ok" in own ? [] : own.made) {
      records.push(record);
      entries.push(index);
    }
    for (const record of taken.ok ? taken.records : []) {
      demandFor(record, demand);
      see?.(record);
    }
    index++;
  };
  const read = (line: Uint8Array, text: string | undefined) =>
    source.format === "json" ? parseJson(line, "line", { text, keepsLongs: true }) : source.read(line);
  const portions = kind === "json"
    ? valuesIn(bytes, maxEntries, { keepsLongs: true })
    : linesIn(bytes, maxEntries, read);
  for (const portion of portions) {
    portion.forEach(take);
    yield;
  }
  return { records, entries, rejected, count: index };
}

function recordsOf(taken: TakenRecords, topics: Topics, now: number, count: (bytes: number) => number) {
  return makeEach(taken, (one) => {
    const ahead = one.kind === "event" ? rejectAhead(one.event.time, now) : null;
    if (ahead !== null) return ahead;
    const record = arrivedRecord(topics, one, now);
    if ("ok" in record) return record;
    if (count(record.value?.length ?? 0) > MAX_MADE_BYTES) {
      throw new Problem("too-large", `A body may yield at most ${MAX_MADE_BYTES} bytes of events and items`);
    }
    return record;
  });
}
