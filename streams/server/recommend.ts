/**
 * Recommend and rank: the request is an event on the log, and the answer is what its task committed; by pages, and
 * within a budget of time, if the request says so.
 *
 * @module
 */

import { getLogger } from "@logtape/logtape";
import { checkEventFields } from "../../src/events/check.ts";
import type { RequestEvent } from "../../src/events/event.ts";
import { parseJson } from "../../src/events/json.ts";
import type { Recommendation } from "../../src/events/recommendation.ts";
import { MAX_EXCLUDED } from "../../src/events/schema.ts";
import { partitionOf } from "../log/partitioner.ts";
import { bodyKind, readBody } from "./body.ts";
import { within } from "./deadline.ts";
import { type ApiContext, append } from "./endpoints.ts";
import { MAX_AHEAD_MS } from "./intake.ts";
import { nextCursor, type Paged, readCursor } from "./page_cursor.ts";
import { Problem } from "./problem.ts";
import { shownRecords } from "./shown.ts";

const DEFAULT_COUNT = 10;
const MAX_BUDGET_MS = 60_000;
/** Scores and propensities of a list that nobody computed. */
const UNSCORED = { score: 0, propensity: 1 };

const logger = getLogger(["meander", "http"]);
const decoder = new TextDecoder();
const encoder = new TextEncoder();

/** What a body asks for. */
interface Asked {
  readonly event: RequestEvent;
  /** How long the client wants to wait; `null` = as long as the settings say. */
  readonly budgetMs: number | null;
  /** The pages before; `null` = none are wanted. */
  readonly pages: { readonly asked: Paged; readonly had: readonly string[] } | null;
}

/** Answers a request. */
export async function recommend(
  context: ApiContext,
  request: Request,
  kind: "recommend" | "rank",
): Promise<Response> {
  bodyKind(request.headers, ["json"]);
  const bytes = await readBody(request, context.maxBodyBytes);
  const now = context.now();
  const { event, budgetMs, pages } = askedIn(bytes, kind, now);
  const begun = context.clock();
  const asking = context.answers.ask(event, now);
  const answer = budgetMs === null
    ? await asking
    : await within(asking, budgetMs, () => new Late()).catch(async (error) => {
      if (error instanceof Late) return encoder.encode(JSON.stringify(await withoutModel(context, event)));
      throw error;
    });
  context.metrics.answered(context.clock() - begun);
  const body = pages === null ? answer : paged(answer, event.count, pages);
  return new Response(body as Uint8Array<ArrayBuffer>, { headers: { "content-type": "application/json" } });
}

/** The budget is over. */
class Late extends Error {}

/**
 * An answer without a model: the given candidates in their order, or what is popular, filtered as ever. The task will
 * answer as well, and believe that its list was shown: an impression event says what really was.
 *
 * @throws Problem `answer-timeout` when no state is here
 */
async function withoutModel(context: ApiContext, event: RequestEvent): Promise<Recommendation> {
  const { service, partitions } = context;
  const [any] = service?.tasks.values() ?? [];
  const task = service?.tasks.get(partitionOf(event.user, partitions)) ?? any;
  if (task === undefined) {
    const detail =
      "The budget is over, and this process has no state to answer from; the request is on the log";
    throw new Problem("answer-timeout", detail, { headers: { "retry-after": "1" } });
  }
  const { request, user, time, count } = event;
  const { state } = task;
  const found = await task.peek(user, (known) => state.withoutModel(event, known)) ??
    state.withoutModel(event);
  const items = found.slice(0, count);
  const answer: Recommendation = {
    ...{ request, user, time, model: "none", version: 0, stateVersion: 0, tookMicros: 0, degraded: "late" },
    items: items.map(({ item, source }, position) => ({ item, position, source, ...UNSCORED })),
  };
  const shown = shownRecords(context, answer, items.map(({ item }) => item));
  if (shown.length > 0) {
    append(context, shown).catch((error) =>
      logger.warn("cannot say what was shown for request {request}: {reason}", {
        request,
        reason: (error as Error).message,
      })
    );
  }
  context.metrics.degraded("late");
  return answer;
}

/** The answer with the cursor of the next page, if there may be one. */
function paged(answer: Uint8Array, count: number, { asked, had }: NonNullable<Asked["pages"]>): Uint8Array {
  const recommendation: Recommendation = JSON.parse(decoder.decode(answer));
  const { items } = recommendation;
  const next = items.length < count ? null : nextCursor([...had, ...items.map(({ item }) => item)], asked);
  return encoder.encode(JSON.stringify({ ...recommendation, next }));
}

/** @throws Problem `bad-body`, `bad-parameter` or `refused` */
function askedIn(bytes: Uint8Array, kind: "recommend" | "rank", now: number): Asked {
  const parsed = parseJson(bytes, "body");
  if (!parsed.ok) throw new Problem("bad-body", parsed.reason, { more: { reasonCode: parsed.code } });
  const { value } = parsed;
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new Problem("bad-body", "The body is no object");
  }
  // A task skips an event whose id it has seen, and nobody would answer: a request that comes again is a new event.
  const { id: _id, cursor, budgetMs, ...body } = value as Readonly<Record<string, unknown>>;
  const { candidates } = body;
  const refuse = (code: string, reason: string) =>
    new Problem("refused", reason, { more: { errors: [{ index: 0, code, reason }] } });
  if (kind === "rank" && candidates === undefined) {
    throw refuse("missing-field", "Cannot rank nothing: candidates are missing");
  }
  const had = cursor === undefined ? null : readCursor(cursor, body);
  const count = kind === "rank" && Array.isArray(candidates) ? candidates.length : DEFAULT_COUNT;
  const event = { request: crypto.randomUUID(), time: now, count, ...body, type: "request" };
  const checked = checkEventFields(event);
  if (!checked.ok) throw refuse(checked.code, checked.reason);
  const own = checked.event as RequestEvent;
  if (own.time > now + MAX_AHEAD_MS) {
    throw refuse("in-the-future", `time is ${own.time - now} ms ahead, allowed are ${MAX_AHEAD_MS} ms`);
  }
  const exclude = [...own.exclude ?? [], ...had ?? []];
  if (exclude.length > MAX_EXCLUDED) {
    throw refuse(
      "too-many-items",
      `exclude has more than ${MAX_EXCLUDED} items with those of the pages before`,
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
