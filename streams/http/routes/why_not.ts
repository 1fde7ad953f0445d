/** Why an item is not on the list that a user would get. Nothing is logged, counted or shown. */

import { dateOf } from "../../../src/values/date_of.ts";
import { z } from "zod";
import type { RequestEvent } from "../../../src/events/event.ts";
import { MAX_ITEMS } from "../../../src/events/limits.ts";
import type { TaskState } from "../../../src/engine/task_state.ts";
import type { CatalogueItem } from "../../../src/items/catalogue.ts";
import type { UserState } from "../../../src/users/user_state.ts";
import type { Task } from "../../task/task.ts";
import type { ApiContext } from "../context.ts";
import { named } from "../contract/named_schema.ts";
import { notKnown } from "../contract/not_known.ts";
import { type Call, type Endpoint, queryOf } from "../endpoint.ts";
import { countOf } from "./explain.ts";
import { taskOf } from "./fresh_task.ts";
import { titleSchema } from "./users.ts";

const count = z.int().min(0);

const whyNotSchema = z.object({
  user: z.string(),
  item: z.string(),
  title: titleSchema,
  count: count.describe("Length of the list."),
  recommended: z.boolean().describe("Whether it is on the list after all."),
  place: count.nullable().describe("Among all candidates; 0 is the top, null = it is not one of them."),
  candidates: count,
  score: z.number().nullable().describe(
    "As in the list; null when it must not be shown, or when scores are shares and it is not a candidate.",
  ),
  lowest: z.number().nullable().describe("Score of the last item of the list."),
  reasons: z.array(z.object({
    code: z.enum(["hidden", "expired", "seen", "not-retrieved", "outranked"]),
    reason: z.string(),
  })),
});

/** What keeps an item off a list, as JSON. */
export type WhyNotView = z.infer<typeof whyNotSchema>;

const { WhyNot } = named({ WhyNot: whyNotSchema });

const DEFAULT_COUNT = 10;

export function whyNotEndpoint(context: ApiContext): Endpoint {
  return {
    method: "GET",
    path: "/v1/users/:user/why-not/:item",
    id: "whyNot",
    summary: "Why an item would not be recommended to a user",
    description: "Nothing is logged, counted or shown.",
    scope: "read",
    parameters: { user: "Id of the user", item: "Id of the item" },
    query: {
      count: {
        about: "Length of the list; 10 by default",
        schema: { type: "integer", minimum: 1, maximum: 20 },
      },
    },
    answers: { 200: { description: "What keeps it off the list", schema: WhyNot } },
    problems: ["not-found", "elsewhere", "unavailable"],
    handle: (call) => whyNot(context, call),
  };
}

async function whyNot(context: ApiContext, call: Call): Promise<Response> {
  const { user = "", item = "" } = call.parameters;
  const count = countOf(queryOf(call).get("count"), DEFAULT_COUNT);
  const task = await taskOf(context, user);
  const known = task.state.catalogue.get(item);
  const view = await task.users.peek(
    user,
    (state) => known === undefined ? null : look(task, state, known, count),
  );
  if (view) return Response.json(view);
  throw notKnown({
    user: view === undefined ? user : undefined,
    item: known === undefined ? item : undefined,
  });
}

function look({ state }: Task, user: UserState, item: CatalogueItem, count: number): WhyNotView {
  const { id } = item;
  const time = Math.max(0, state.maxTime);
  const event: RequestEvent = { type: "request", user: user.id, request: "why-not", count: MAX_ITEMS, time };
  const { items, scoreKind } = state.lists.preview(user, event).recommendation;
  const place = items.findIndex((each) => each.item === id);
  const score = () => {
    if (place >= 0) return items[place]?.score;
    if (scoreKind === "share") return undefined; // an item alone has a share of 1
    return state.lists.preview(user, { ...event, candidates: [id] }).recommendation.items[0]?.score;
  };
  const excluded = whyExcluded(state, user, item, time);
  return {
    user: user.id,
    item: id,
    title: item.title ?? undefined,
    count,
    recommended: place >= 0 && place < count,
    place: place < 0 ? null : place,
    candidates: items.length,
    score: score() ?? null,
    lowest: items[Math.min(count, items.length) - 1]?.score ?? null,
    reasons: [...excluded, ...whyNotChosen(place, count, state.retrieval.maxCandidates, excluded.length > 0)],
  };
}

type Reasons = WhyNotView["reasons"];

/** What keeps an item from being a candidate, whatever its score. */
function whyExcluded(
  { sequences, retrieval }: TaskState,
  { row }: UserState,
  { index, withheld, expires }: CatalogueItem,
  time: number,
): Reasons {
  const reasons: Reasons = [];
  if (withheld) reasons.push({ code: "hidden", reason: "The catalogue hides it, or it was removed" });
  if (expires <= time) {
    reasons.push({ code: "expired", reason: `It expired at ${dateOf(expires)}` });
  }
  const last = retrieval.revisits
    ? undefined
    : sequences.behaviours(row).findLast(({ item }) => item === index);
  if (last !== undefined) {
    const when = dateOf(last.time);
    const reason = `The user has seen it: ${last.action} at ${when}; filter.seen would admit it`;
    reasons.push({ code: "seen", reason });
  }
  return reasons;
}

/** Why an item that may be a candidate is not on the list. @param place among the candidates; -1 = it is not one */
function whyNotChosen(place: number, count: number, maxCandidates: number, isBarred: boolean): Reasons {
  if (place >= count) {
    const reason = `${place} candidates rank above it, and the list has ${count} places`;
    return [{ code: "outranked", reason }];
  }
  if (place >= 0 || isBarred) return [];
  return [{
    code: "not-retrieved",
    reason: `No source proposes it among at most ${maxCandidates} candidates`,
  }];
}
