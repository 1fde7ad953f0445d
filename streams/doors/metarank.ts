/**
 * Metarank's API: events in, rankings and recommendations out. docs/how-to/migrate-from-gorse-or-metarank.md says what differs.
 *
 * Read in Metarank 0.7.11 (`api/routes`, `doc/api.md`).
 *
 * @module
 */

import { setImmediate as turn } from "node:timers/promises";
import { type JsonObject, numberIn, objectOf, stringIn } from "../../src/adapters/mapped.ts";
import { parseMetarank } from "../../src/adapters/metarank.ts";
import type { ImpressionEvent } from "../../src/events/event.ts";
import { parseJson } from "../../src/events/json.ts";
import type { RecommendedItem } from "../../src/events/recommendation.ts";
import { explain } from "../../src/scorer/explanation.ts";
import type { Call, Endpoint } from "../http/endpoint.ts";
import type { ApiContext } from "../http/context.ts";
import { beginsList, checkList, checkSequence } from "../http/json_list.ts";
import { Problem } from "../http/contract/problem.ts";
import { JsonSplitter } from "../sources/json_values.ts";
import { ask, type Asked, askForNobody, askSilently, checkEntries, mapAll, recordsOf, take } from "./door.ts";
import { SCHEMAS } from "./schemas.ts";

const DEFAULT_COUNT = 10;
const MODEL = { model: "Any name: a process has one model" };
const PROBLEMS = ["elsewhere", "unavailable", "answer-timeout"] as const;

/** The endpoints of the door. */
export function metarankEndpoints(context: ApiContext): readonly Endpoint[] {
  const found = { 200: { description: "Items, best first", schema: SCHEMAS.MetarankItems } } as const;
  const asking = {
    method: "POST",
    scope: "recommend",
    parameters: MODEL,
    answers: found,
    problems: PROBLEMS,
  } as const;
  return [
    {
      ...{ method: "POST", path: "/feedback", id: "metarankFeedback", scope: "events" },
      summary: "Metarank: takes events: one, a list, or one a line; all of them or none",
      body: { kinds: ["json", "lines"], schema: SCHEMAS.MetarankEvent, many: true, untyped: true },
      answers: { 200: { description: "All of them are durable", schema: SCHEMAS.MetarankStatus } },
      problems: ["unavailable"],
      local: true,
      handle: ({ request }) => feedback(context, request),
    },
    {
      ...{ ...asking, path: "/rank/:model", id: "metarankRank", summary: "Metarank: ranks given items" },
      body: { kinds: ["json"], schema: SCHEMAS.MetarankRanking, untyped: true },
      query: { explain: { about: "Also say why", schema: { type: "boolean" } } },
      handle: (call) => rank(context, call),
    },
    {
      ...{ ...asking, path: "/recommend/:model", id: "metarankRecommend" },
      summary: "Metarank: recommends to a user, or what goes with items",
      body: { kinds: ["json"], schema: SCHEMAS.MetarankRecommend, untyped: true },
      handle: (call) => recommend(context, call),
    },
  ];
}

async function feedback(context: ApiContext, request: Request): Promise<Response> {
  const begun = context.clock();
  const bytes = await context.bodies.read(request);
  const events = valuesOf(bytes, context.maxEntries);
  checkEntries(context, events.length);
  const records = recordsOf(context, mapAll(context, events, parseMetarank));
  await take(context, records);
  return Response.json({
    ...{ status: "ok", accepted: events.length, updated: 0 },
    tookMillis: Math.round(context.clock() - begun),
  });
}

async function rank(context: ApiContext, { request }: Call): Promise<Response> {
  const begun = context.clock();
  const text = new URL(request.url).searchParams.get("explain") ?? "false";
  if (text !== "true" && text !== "false") {
    throw new Problem("bad-parameter", "explain must be true or false");
  }
  const body = objectIn(await context.bodies.read(request));
  const isNobodys = !hasId(body["user"]) && !hasId(body["session"]);
  const [own] = mapAll(
    context,
    [body],
    (value) =>
      parseMetarank({
        ...{ timestamp: context.now(), id: crypto.randomUUID() },
        ...objectOf(value, "the ranking"),
        event: "ranking",
        ...(isNobodys ? { user: "anonymous" } : {}),
      }),
  );
  if (own?.kind !== "event") throw new Error("Cannot rank: the body is no ranking");
  const { user, request: id, items, context: known } = own.event as ImpressionEvent;
  const asked = {
    count: items.length,
    candidates: items,
    ...(known === undefined ? {} : { context: known }),
  };
  const ranked = isNobodys
    ? askForNobody(context, asked).recommendation.items
    : (await ask(context, user, asked, id)).items;
  const why = text === "true" ? await features(context, isNobodys ? null : user, asked) : null;
  return Response.json({
    items: ranked.map((item) => ({
      ...scored(item),
      ...(why === null ? {} : { features: why.get(item.item) ?? [] }),
    })),
    took: Math.round(context.clock() - begun),
  });
}

async function recommend(context: ApiContext, { request }: Call): Promise<Response> {
  const begun = context.clock();
  const body = objectIn(await context.bodies.read(request));
  const asked = rejecting((): Asked => {
    const items = body["items"] ?? [];
    if (!Array.isArray(items)) throw new SyntaxError("Cannot take field items as a list: it is none");
    const like = items.length === 0 ? {} : { like: items as readonly string[] };
    return { count: numberIn(body, "count") ?? DEFAULT_COUNT, ...like };
  });
  const user = rejecting(() => stringIn(body, "user"));
  const { items } = user !== undefined
    ? await ask(context, user, asked)
    : askForNobody(context, "like" in asked ? asked : { ...asked, list: "popular" }).recommendation;
  return Response.json({ items: items.map(scored), took: Math.round(context.clock() - begun) });
}

function scored({ item, score }: RecommendedItem): { readonly item: string; readonly score: number } {
  return { item, score };
}

/** What the model makes of each item, by name. Costs a score of the list for each behaviour of the user. */
async function features(
  context: ApiContext,
  user: string | null,
  asked: Asked,
): Promise<ReadonlyMap<string, readonly JsonObject[]>> {
  const { serving, instance } = user === null
    ? askForNobody(context, asked)
    : await askSilently(context, user, asked);
  const steps = explain(serving, instance);
  let step = steps.next();
  for (; !step.done; step = steps.next()) await turn(); // others get their turn
  return new Map(step.value.map(({ item, logit, prior, effects }) => [item, [
    { name: "logit", value: logit },
    { name: "prior", value: prior },
    { name: "behaviours", value: effects.map((effect) => effect ?? 0) },
  ]]));
}

/** One JSON value, which may have line breaks within; a list; or one value a line. @throws Problem */
function valuesOf(bytes: Uint8Array, maxEntries: number): readonly unknown[] {
  if (beginsList(bytes)) checkList(bytes, maxEntries);
  else checkSequence(bytes, maxEntries);
  const whole = parseJson(bytes, "body", { maxBytes: bytes.length });
  if (whole.ok) return Array.isArray(whole.value) ? whole.value : [whole.value];
  const splitter = new JsonSplitter();
  const lines = [...splitter.push(bytes), ...splitter.end()];
  return lines.map((line) => {
    const parsed = line.rejected ?? parseJson(line.bytes, "line");
    if (parsed.ok) return parsed.value;
    // What is wrong with the whole, when it is not even lines.
    throw new Problem("bad-body", lines.length === 1 ? whole.reason : parsed.reason, {
      more: { reasonCode: parsed.code },
    });
  });
}

function objectIn(bytes: Uint8Array): JsonObject {
  const [value, ...more] = valuesOf(bytes, 1);
  if (typeof value === "object" && value !== null && more.length === 0) return value as JsonObject;
  throw new Problem("bad-body", "The body is no object");
}

function hasId(value: unknown): boolean {
  return value !== undefined && value !== null;
}

/** What a `SyntaxError` of an adapter says, as a problem. */
function rejecting<T>(take: () => T): T {
  try {
    return take();
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    const errors = [{ index: 0, code: "malformed-row", reason: error.message }];
    throw new Problem("refused", error.message, { more: { errors } });
  }
}
