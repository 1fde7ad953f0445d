/**
 * Why an item is not among what a user would be recommended. Nothing is logged, counted or shown.
 *
 * @module
 */

import type { RequestEvent } from "../../../src/events/event.ts";
import { MAX_ITEMS } from "../../../src/events/limits.ts";
import type { CatalogueItem } from "../../../src/items/catalogue.ts";
import type { UserState } from "../../../src/users/user_state.ts";
import type { Task } from "../../task/task.ts";
import type { Call } from "../endpoint.ts";
import type { ApiContext } from "../context.ts";
import { countOf, taskOf } from "./explain.ts";
import { notKnown } from "../contract/not_known.ts";
import type { WHY_NOT } from "../contract/schemas.ts";

/** What there is to say of an item that a user does not see. */
export interface WhyNotView {
  readonly user: string;
  readonly item: string;
  /** Length of the list. */
  readonly count: number;
  /** Whether it is on the list all the same. */
  readonly recommended: boolean;
  /** Its place among all candidates, 0 is the top; `null` = it is none of them. */
  readonly place: number | null;
  /** Candidates there are. */
  readonly candidates: number;
  /** The model's probability of it; `null` when it must not be shown. */
  readonly score: number | null;
  /** That of the last item of the list. */
  readonly lowest: number | null;
  /** What is in the way; empty when it is on the list. */
  readonly reasons: readonly { readonly code: (typeof WHY_NOT)[number]; readonly reason: string }[];
}

const DEFAULT_COUNT = 10;

/** Answers with what keeps an item off a user's list. */
export async function whyNot(context: ApiContext, { request, parameters }: Call): Promise<Response> {
  const { user = "", item = "" } = parameters;
  const count = countOf(new URL(request.url).searchParams.get("count"), DEFAULT_COUNT);
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
  const { sequences, retrieval } = state;
  const { id } = item;
  const time = Math.max(0, state.maxTime);
  const event: RequestEvent = { type: "request", user: user.id, request: "why-not", count: MAX_ITEMS, time };
  const { items } = state.preview(user, event).recommendation;
  const [own] = state.preview(user, { ...event, candidates: [id] }).recommendation.items;
  const place = items.findIndex((each) => each.item === id);
  const behaviours = Array.from({ length: sequences.length(user.row) }, (_, i) => i)
    .filter((i) => sequences.item(user.row, i) === item.index);
  const last = behaviours.at(-1);
  const reasons: WhyNotView["reasons"][number][] = [];
  if (item.hidden) reasons.push({ code: "hidden", reason: "The catalogue hides it, or it was removed" });
  if (item.expires <= time) {
    reasons.push({ code: "expired", reason: `It has expired at ${new Date(item.expires).toISOString()}` });
  }
  if (last !== undefined && !retrieval.revisits) {
    const when = new Date(sequences.time(user.row, last)).toISOString();
    const reason = `The user had it: ${
      sequences.action(user.row, last)
    } at ${when}; filter.seen would let it in`;
    reasons.push({ code: "seen", reason });
  }
  if (place < 0 && reasons.length === 0) {
    const reason = `No source proposes it among the ${retrieval.maxCandidates} candidates that it may`;
    reasons.push({ code: "not-retrieved", reason });
  }
  const lowest = items[Math.min(count, items.length) - 1];
  if (place >= count) {
    reasons.push({
      code: "outranked",
      reason: `${place} candidates are before it, and the list has ${count}`,
    });
  }
  return {
    ...{ user: user.id, item: id, count, recommended: place >= 0 && place < count },
    ...{ place: place < 0 ? null : place, candidates: items.length },
    ...{ score: own?.score ?? null, lowest: lowest?.score ?? null, reasons },
  };
}
