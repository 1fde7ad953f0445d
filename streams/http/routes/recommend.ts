/**
 * Recommend and rank: the request is an event on the log, and the answer is the recommendation that its task commits.
 * A request may ask for pages, and for an answer within a time budget.
 */

import { checkEventFields } from "../../../src/events/check.ts";
import type { RequestEvent } from "../../../src/events/event.ts";
import type { Recommendation } from "../../../src/events/recommendation.ts";
import { shown } from "../../../src/events/rejected.ts";
import { MAX_EXCLUDED } from "../../../src/events/limits.ts";
import { within } from "../deadline.ts";
import type { ApiContext } from "../context.ts";
import { rejectAhead } from "../intake.ts";
import { type BodyObject, checkFields, readObject } from "../object_body.ts";
import { nextCursor, type Paged, readCursor } from "../contract/page_cursor.ts";
import { Problem } from "../contract/problem.ts";
import { RANK_REQUEST, RECOMMEND_REQUEST, RECOMMENDATION } from "../contract/record_schemas.ts";
import type { Call, Endpoint } from "../endpoint.ts";

const DEFAULT_COUNT = 10;
const MAX_BUDGET_MS = 60_000;

const decoder = new TextDecoder();
const encoder = new TextEncoder();

type Kind = "recommend" | "rank";

const SCHEMAS = { recommend: RECOMMEND_REQUEST, rank: RANK_REQUEST };

export function recommendEndpoints(context: ApiContext): readonly Endpoint[] {
  const endpoint = (kind: Kind) => ({
    method: "POST",
    path: `/v1/${kind}`,
    id: kind,
    scope: "recommend",
    body: { kinds: ["json"], schema: SCHEMAS[kind] },
    answers: { 200: { description: "The answer", schema: RECOMMENDATION } },
    problems: ["unavailable", "answer-timeout"],
    handle: (call: Call) => recommend(context, call, kind),
  } as const);
  return [
    {
      ...endpoint("recommend"),
      summary: "Recommends items to a user",
      description:
        "The request is an event on the log; the answer is the recommendation that its task commits.",
    },
    { ...endpoint("rank"), summary: "Ranks given items for a user" },
  ];
}

/** The request in a body. */
interface ListCall {
  readonly event: RequestEvent;
  /** How long the client wants to wait; `null`: as long as the settings say. */
  readonly budgetMs: number | null;
  readonly pages: Pages | null;
}

/** The earlier pages of a client that asks for pages. */
interface Pages {
  /** The fields that are the same for each page. */
  readonly same: Paged;
  /** Items on earlier pages. */
  readonly had: readonly string[];
}

/** Answers a request. */
export async function recommend(
  context: ApiContext,
  { request, caller }: Pick<Call, "request" | "caller">,
  kind: Kind,
): Promise<Response> {
  const body = await readObject(context, { request, caller });
  checkFields(body, SCHEMAS[kind]);
  const now = context.now();
  const call = callOf(body, kind, now);
  const fault = faultOfFilter(context, call.event);
  if (fault !== null) throw refusedBy("unknown-value", fault);
  const begun = context.clock();
  const answer = await answerOf(context, { ...call, caller }, now);
  context.metrics.answered(context.clock() - begun);
  const { event: { count }, pages } = call;
  const text = pages === null ? answer : paged(answer, count, pages);
  return new Response(text, { headers: { "content-type": "application/json" } });
}

/** The committed answer, or one without a model when the time budget has run out. */
async function answerOf(
  context: ApiContext,
  { event, budgetMs, caller }: ListCall & Pick<Call, "caller">,
  now: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const committed = context.recommender.ask(event, now, caller);
  if (budgetMs === null) return await committed;
  try {
    return await within(committed, budgetMs, () => new Late());
  } catch (error) {
    if (!(error instanceof Late)) throw error;
    return encoder.encode(JSON.stringify(await context.withoutModel(event)));
  }
}

/** Why the conditions of the filter are invalid; `null` = they are valid. */
function faultOfFilter({ faultOfConditions }: ApiContext, { filter }: RequestEvent): string | null {
  const { where = [] } = filter ?? {};
  return where.length === 0 ? null : faultOfConditions?.(where) ?? null;
}

function refusedBy(code: string, reason: string): Problem {
  return new Problem("refused", reason, { more: { errors: [{ index: 0, code, reason }] } });
}

/** The time budget has run out. */
class Late extends Error {}

/** Adds the cursor of the next page, or `null` at the end. */
function paged(answer: Uint8Array, count: number, { same, had }: Pages): Uint8Array<ArrayBuffer> {
  const recommendation: Recommendation = JSON.parse(decoder.decode(answer));
  const { items } = recommendation;
  const next = items.length < count ? null : nextCursor([...had, ...items.map(({ item }) => item)], same);
  return encoder.encode(JSON.stringify({ ...recommendation, next }));
}

/** @throws Problem `bad-parameter` or `refused` */
function callOf({ cursor, budgetMs, ...body }: BodyObject, kind: Kind, now: number): ListCall {
  const event = requestOf(body, kind, now);
  const had = cursor === undefined ? null : readCursor(cursor, body);
  return {
    event: had === null ? event : excluding(event, had),
    budgetMs: budgetIn(budgetMs),
    pages: had === null ? null : { same: body, had },
  };
}

/** @throws Problem `refused` */
function requestOf(body: BodyObject, kind: Kind, now: number): RequestEvent {
  const { candidates, type = "request" } = body;
  if (kind === "rank" && candidates === undefined) {
    throw refusedBy("missing-field", "Cannot rank nothing: candidates are missing");
  }
  if (type !== "request") {
    throw refusedBy("unknown-value", `type must be "request": current value is ${shown(type)}`);
  }
  const count = kind === "rank" && Array.isArray(candidates) ? candidates.length : DEFAULT_COUNT;
  const event = { request: crypto.randomUUID(), time: now, count, ...body, type: "request" };
  const checked = checkEventFields(event);
  if (!checked.ok) throw refusedBy(checked.code, checked.reason);
  // A task skips an event whose id it has seen, so a repeated request would get no answer: make it a new event.
  const { id: _id, ...own } = checked.event as RequestEvent;
  const ahead = rejectAhead(own.time, now);
  if (ahead !== null) throw refusedBy(ahead.code, ahead.reason);
  return own;
}

/** A request that also excludes the items of earlier pages. @throws Problem `refused` when they are too many */
function excluding(event: RequestEvent, had: readonly string[]): RequestEvent {
  const exclude = [...event.exclude ?? [], ...had];
  if (exclude.length > MAX_EXCLUDED) {
    throw refusedBy(
      "too-many-items",
      `exclude has more than ${MAX_EXCLUDED} items, including those of earlier pages`,
    );
  }
  return had.length === 0 ? event : { ...event, exclude };
}

function budgetIn(budgetMs: unknown): number | null {
  if (budgetMs === undefined) return null;
  if (typeof budgetMs === "number" && budgetMs > 0 && budgetMs <= MAX_BUDGET_MS) return budgetMs;
  throw new Problem("bad-parameter", `budgetMs must be above 0, at most ${MAX_BUDGET_MS}`);
}
