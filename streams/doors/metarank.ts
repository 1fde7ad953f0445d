/**
 * Metarank's API: events in, rankings and recommendations out. Differences:
 * docs/how-to/migrate-from-gorse-or-metarank.md.
 *
 * Source: `api/routes` and `doc/api.md` of Metarank 0.7.11.
 */

import { setImmediate as turn } from "node:timers/promises";
import { type JsonObject, numberIn, stringIn } from "../../src/adapters/mapped.ts";
import { parseMetarank } from "../../src/adapters/metarank.ts";
import { parseJson } from "../../src/events/json.ts";
import type { RecommendedItem } from "../../src/events/recommendation.ts";
import { explain } from "../../src/scorer/explanation.ts";
import { atOnce, type Portions } from "../../src/values/portions.ts";
import { isRecord } from "../../src/values/record.ts";
import { type Call, type Endpoint, queryOf } from "../http/endpoint.ts";
import type { ApiContext } from "../http/context.ts";
import { beginsList, checkEntries, checkSequence, portionsOf } from "../http/json_list.ts";
import { Problem } from "../http/contract/problem.ts";
import { JsonSplitter } from "../sources/json_values.ts";
import { ask, type Asked, entriesOf, mapAll, previewFor, previewForNobody, takeOwn } from "./door.ts";
import { SCHEMAS } from "./schemas.ts";

const DEFAULT_COUNT = 10;
export function metarankEndpoints(context: ApiContext): readonly Endpoint[] {
  const asking = {
    method: "POST",
    scope: "recommend",
    parameters: { model: "Any name: a process has one model" },
    answers: { 200: { description: "Items, best first", schema: SCHEMAS.MetarankItems } },
    problems: ["elsewhere", "unavailable", "answer-timeout"],
  } as const;
  return [
    {
      method: "POST",
      path: "/feedback",
      id: "metarankFeedback",
      scope: "events",
      summary: "Metarank: takes events: one, a list, or one per line; all of them or none",
      description: "Events of items need the scope `items`, too.",
      body: { kinds: ["json", "lines"], schema: SCHEMAS.MetarankEvent, many: true, untyped: true },
      answers: { 200: { description: "All of them are durable", schema: SCHEMAS.MetarankStatus } },
      problems: ["unavailable"],
      handle: (call) => feedback(context, call),
    },
    {
      ...asking,
      path: "/rank/:model",
      id: "metarankRank",
      summary: "Metarank: ranks given items",
      body: { kinds: ["json"], schema: SCHEMAS.MetarankRanking, untyped: true },
      query: { explain: { about: "Also explain the scores", schema: { type: "boolean" } } },
      handle: (call) => rank(context, call),
    },
    {
      ...asking,
      path: "/recommend/:model",
      id: "metarankRecommend",
      summary: "Metarank: recommends items to a user, or items related to others",
      body: { kinds: ["json"], schema: SCHEMAS.MetarankRecommend, untyped: true },
      handle: (call) => recommend(context, call),
    },
  ];
}

async function feedback(context: ApiContext, { request, demand, caller }: Call): Promise<Response> {
  const begun = context.clock();
  const bytes = await context.bodies.read(request);
  const events = await context.work.run(caller, valuesOf(bytes, context.maxEntries));
  checkEntries(events.length, context.maxEntries);
  const own = await context.work.run(caller, mapAll(context, events, parseMetarank));
  if (own.some(({ kind }) => kind === "item")) demand("items");
  await takeOwn(context, own, caller);
  const tookMillis = Math.round(context.clock() - begun);
  return Response.json({ status: "ok", accepted: events.length, updated: 0, tookMillis });
}

async function rank(context: ApiContext, call: Call): Promise<Response> {
  const begun = context.clock();
  const text = queryOf(call).get("explain") ?? "false";
  if (text !== "true" && text !== "false") {
    throw new Problem("bad-parameter", "explain must be true or false");
  }
  const body = await readOne(context, call);
  const isNobodys = !hasId(body["user"]) && !hasId(body["session"]);
  const defaults = { timestamp: context.now(), id: crypto.randomUUID() };
  const fixed = isNobodys ? { event: "ranking", user: "anonymous" } : { event: "ranking" };
  const [own] = atOnce(mapAll(context, [body], () => parseMetarank({ ...defaults, ...body, ...fixed })));
  if (own?.kind !== "event" || own.event.type !== "impression") {
    throw new Error("Cannot rank: the body is not a ranking");
  }
  const { user, request: id, items, context: known } = own.event;
  const given = { count: items.length, candidates: items };
  const asked: Asked = known === undefined ? given : { ...given, context: known };
  const ranked = isNobodys
    ? previewForNobody(context, asked).recommendation.items
    : (await ask(context, { user, caller: call.caller, id }, asked)).items;
  const why = text === "true" ? await features(context, isNobodys ? null : user, asked) : null;
  return Response.json({
    items: ranked.map((item) =>
      why === null ? scored(item) : { ...scored(item), features: why.get(item.item) ?? [] }
    ),
    took: Math.round(context.clock() - begun),
  });
}

async function recommend(context: ApiContext, call: Call): Promise<Response> {
  const begun = context.clock();
  const body = await readOne(context, call);
  const asked = rejecting((): Asked => {
    const items = body["items"] ?? [];
    if (!Array.isArray(items)) throw new SyntaxError("Cannot read field items: it is not a list");
    const count = numberIn(body, "count") ?? DEFAULT_COUNT;
    return items.length === 0 ? { count } : { count, like: items };
  });
  const user = rejecting(() => stringIn(body, "user"));
  const { items } = user !== undefined
    ? await ask(context, { user, caller: call.caller }, asked)
    : previewForNobody(context, "like" in asked ? asked : { ...asked, list: "popular" }).recommendation;
  return Response.json({ items: items.map(scored), took: Math.round(context.clock() - begun) });
}

function scored({ item, score }: RecommendedItem): { readonly item: string; readonly score: number } {
  return { item, score };
}

/** How the model scores each item, by id. Scores the list once per behaviour of the user. */
async function features(
  context: ApiContext,
  user: string | null,
  asked: Asked,
): Promise<ReadonlyMap<string, readonly JsonObject[]>> {
  const { serving, list } = user === null
    ? previewForNobody(context, asked)
    : await previewFor(context, user, asked);
  const steps = explain(serving, list);
  let step = steps.next();
  for (; !step.done; step = steps.next()) await turn(); // lets other requests in
  return new Map(step.value.map(({ item, logit, prior, effects }) => [item, [
    { name: "logit", value: logit },
    { name: "prior", value: prior },
    { name: "behaviours", value: effects.map((effect) => effect ?? 0) },
  ]]));
}

/** The values of a body: one, which may span lines, a list, or one per line. @throws Problem */
function* valuesOf(bytes: Uint8Array, maxEntries: number): Portions<readonly unknown[]> {
  if (beginsList(bytes)) return yield* entriesOf(bytes, maxEntries);
  checkSequence(bytes, maxEntries);
  const whole = parseJson(bytes, "body");
  if (whole.ok) return [whole.value];
  const splitter = new JsonSplitter();
  const lines = [...splitter.push(bytes), ...splitter.end()];
  const values: unknown[] = [];
  for (const portion of portionsOf(lines)) {
    for (const line of portion) {
      const parsed = line.rejected ?? parseJson(line.bytes, "line");
      // For a body of a single line, the error of the whole body is more precise.
      if (!parsed.ok) {
        throw new Problem("bad-body", lines.length === 1 ? whole.reason : parsed.reason, {
          more: { reasonCode: parsed.code },
        });
      }
      values.push(parsed.value);
    }
    yield;
  }
  return values;
}

async function readOne(context: ApiContext, { request, caller }: Call): Promise<JsonObject> {
  const [value, ...more] = await context.work.run(caller, valuesOf(await context.bodies.read(request), 1));
  if (isRecord(value) && more.length === 0) return value;
  throw new Problem("bad-body", "The body is not an object");
}

function hasId(value: unknown): boolean {
  return value !== undefined && value !== null;
}

/** Turns a `SyntaxError` of an adapter into a problem. */
function rejecting<T>(take: () => T): T {
  try {
    return take();
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    const errors = [{ index: 0, code: "malformed-row", reason: error.message }];
    throw new Problem("refused", error.message, { more: { errors } });
  }
}
