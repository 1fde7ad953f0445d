/**
 * Recommend and rank: the request is an event on the log, and the answer is what its task commits. A request may ask
 * for pages, and for an answer within a time budget.
 *
 * @module
 */

import { checkEventFields } from "../../../src/events/check.ts";
import type { RequestEvent } from "../../../src/events/event.ts";
import type { Recommendation } from "../../../src/events/recommendation.ts";
import { shown } from "../../../src/events/rejected.ts";
import { MAX_EXCLUDED } from "../../../src/events/limits.ts";
import { within } from "../deadline.ts";
import type { ApiContext } from "../context.ts";
import { MAX_AHEAD_MS } from "../intake.ts";
import { type BodyObject, checkFields, readObject } from "../object_body.ts";
import { nextCursor, type Paged, readCursor } from "../contract/page_cursor.ts";
import { Problem } from "../contract/problem.ts";
import { RANK_REQUEST, RECOMMEND_REQUEST, RECOMMENDATION } from "../contract/record_schemas.ts";
import type { Endpoint } from "../endpoint.ts";

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
    handle: ({ request }: { readonly request: Request }) => recommend(context, request, kind),
  } as const);
  return [
    {
      ...endpoint("recommend"),
      summary: "Recommends items to a user",
      description: "The request is an event on the log, and the answer is what its task committed.",
    },
    { ...endpoint("rank"), summary: "Ranks given items for a user" },
  ];
}

/** What a body asks for. */
interface Asked {
  readonly event: RequestEvent;
  /** How long the client wants to wait; `null`: as long as the settings say. */
  readonly budgetMs: number | null;
  /** The earlier pages; `null`: the client does not ask for pages. */
  readonly pages: { readonly asked: Paged; readonly had: readonly string[] } | null;
}

/** Answers a request. */
export async function recommend(context: ApiContext, request: Request, kind: Kind): Promise<Response> {
  const asked = await readObject(request, context.bodies);
  checkFields(asked, SCHEMAS[kind]);
  const now = context.now();
  const { event, budgetMs, pages } = eventOf(asked, kind, now);
  const unknown = unknownAttributeOf(context, event);
  if (unknown !== null) throw refusedBy("unknown-value", unknown);
  const begun = context.clock();
  const asking = context.recommender.ask(event, now);
  const answer = budgetMs === null
    ? await asking
    : await within(asking, budgetMs, () => new Late()).catch(async (error) => {
      if (error instanceof Late) return encoder.encode(JSON.stringify(await context.withoutModel(event)));
      throw error;
    });
  context.metrics.answered(context.clock() - begun);
  const body = pages === null ? answer : paged(answer, event.count, pages);
  return new Response(body, { headers: { "content-type": "application/json" } });
}

/** What is wrong with the attributes of the filter; `null` = nothing. */
function unknownAttributeOf({ unknownAttribute }: ApiContext, { filter }: RequestEvent): string | null {
  const names = filter?.where?.map(({ attribute }) => attribute) ?? [];
  return names.length === 0 ? null : unknownAttribute?.(names) ?? null;
}

function refusedBy(code: string, reason: string): Problem {
  return new Problem("refused", reason, { more: { errors: [{ index: 0, code, reason }] } });
}

/** The time budget has run out. */
class Late extends Error {}

/** Adds the cursor of the next page, or `null` at the end. */
function paged(
  answer: Uint8Array,
  count: number,
  { asked, had }: NonNullable<Asked["pages"]>,
): Uint8Array<ArrayBuffer> {
  const recommendation: Recommendation = JSON.parse(decoder.decode(answer));
  const { items } = recommendation;
  const next = items.length < count ? null : nextCursor([...had, ...items.map(({ item }) => item)], asked);
  return encoder.encode(JSON.stringify({ ...recommendation, next }));
}

/** @throws Problem `bad-parameter` or `refused` */
function eventOf(asked: BodyObject, kind: Kind, now: number): Asked {
  const { cursor, budgetMs, ...body } = asked;
  const { candidates } = body;
  if (kind === "rank" && candidates === undefined) {
    throw refusedBy("missing-field", "Cannot rank nothing: candidates are missing");
  }
  const { type = "request" } = body;
  if (type !== "request") {
    throw refusedBy("unknown-value", `type must be "request": current value is ${shown(type)}`);
  }
  const had = cursor === undefined ? null : readCursor(cursor, body);
  const count = kind === "rank" && Array.isArray(candidates) ? candidates.length : DEFAULT_COUNT;
  const event = { request: crypto.randomUUID(), time: now, count, ...body, type: "request" };
  const checked = checkEventFields(event);
  if (!checked.ok) throw refusedBy(checked.code, checked.reason);
  // A task skips an event whose id it has seen, so a repeated request would get no answer: make it a new event.
  const { id: _id, ...own } = checked.event as RequestEvent;
  if (own.time > now + MAX_AHEAD_MS) {
    throw refusedBy("in-the-future", `time is ${own.time - now} ms ahead, allowed: ${MAX_AHEAD_MS} ms`);
  }
  const exclude = [...own.exclude ?? [], ...had ?? []];
  if (exclude.length > MAX_EXCLUDED) {
    throw refusedBy(
      "too-many-items",
      `exclude has more than ${MAX_EXCLUDED} items, including those of earlier pages`,
    );
  }
  return {
    event: had === null || had.length === 0 ? own : { ...own, exclude },
    budgetMs: budgetIn(budgetMs),
    pages: had === null ? null : { asked: body, had },
  };
}

function budgetIn(budgetMs: unknown): number | null {
  if (budgetMs === undefined) return null;
  if (typeof budgetMs === "number" && budgetMs > 0 && budgetMs <= MAX_BUDGET_MS) return budgetMs;
  throw new Problem("bad-parameter", `budgetMs must be above 0, at most ${MAX_BUDGET_MS}`);
}
