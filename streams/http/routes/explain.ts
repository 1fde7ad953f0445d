/**
 * What a user would be recommended, and why. Pure: the user's state stays as it is, and nothing goes on the log.
 *
 * @module
 */

import { setImmediate as turn } from "node:timers/promises";
import type { RequestEvent } from "../../../src/events/event.ts";
import { EMPTY_REASONS } from "../../../src/events/recommendation.ts";
import type { Panel } from "../../../src/nn/models/core/panel.ts";
import { sigmoid } from "../../../src/nn/losses/logistic.ts";
import { explain, type Explanation } from "../../../src/scorer/explanation.ts";
import type { Preview } from "../../../src/engine/lists.ts";
import { partitionOf } from "../../log/partitioner.ts";
import type { Task } from "../../task/task.ts";
import type { Call } from "../endpoint.ts";
import type { ApiContext } from "../context.ts";
import { notKnown } from "../contract/not_known.ts";
import { Problem } from "../contract/problem.ts";

const DEFAULT_COUNT = 5;
const MAX_COUNT = 20;

/** The task of a user. @throws Problem `elsewhere` or `unavailable` */
export async function taskOf({ service, partitions }: ApiContext, user: string): Promise<Task> {
  const partition = partitionOf(user, partitions);
  const task = service?.tasks.get(partition);
  if (task !== undefined) return task;
  const here = (await service?.status())?.partitions.some((one) => one.partition === partition) ?? false;
  if (here) throw new Problem("unavailable", `Partition ${partition} is being restored`);
  throw new Problem("elsewhere", `Partition ${partition} is not in this process`, { more: { partition } });
}

/** Answers with the list and why. */
export async function explainUser(context: ApiContext, { request, parameters }: Call): Promise<Response> {
  const user = parameters["user"] ?? "";
  const query = new URL(request.url).searchParams;
  const count = countOf(query.get("count"), DEFAULT_COUNT);
  const item = query.get("item");
  const task = await taskOf(context, user);
  const { state } = task;
  const missing = item !== null && state.catalogue.get(item) === undefined ? item : undefined;
  const event: RequestEvent = {
    ...{ type: "request", request: "explain", user, count },
    time: Math.max(0, state.maxTime),
    ...(item === null ? {} : { candidates: [item] }),
  };
  const seen = await task.users.peek(user, (known) => {
    if (missing !== undefined) return null;
    const preview = state.preview(known, event);
    const memory = state.recurrentState(known);
    return { preview, panels: memory === null ? [] : preview.serving.inspect?.(memory) ?? [] };
  });
  if (!seen) throw notKnown({ user: seen === undefined ? user : undefined, item: missing });
  const { preview: { serving, instance }, panels } = seen;
  const steps = explain(serving, instance);
  let step = steps.next();
  for (; !step.done; step = steps.next()) await turn(); // others get their turn: there may be fifty
  return Response.json(view(seen.preview, step.value, panels));
}

/** A list and why, as JSON. */
export type ExplanationView = ReturnType<typeof view>;

function view({ recommendation, instance }: Preview, why: readonly Explanation[], panels: readonly Panel[]) {
  const { items, categories, actions, times, strengths } = instance.history;
  const { user, time, model, version, orderedBy, modelShare = 1, variant, empty } = recommendation;
  return {
    ...{ user, time, model, version, orderedBy, modelShare, ...(variant === undefined ? {} : { variant }) },
    empty: empty === undefined ? null : { code: empty, reason: EMPTY_REASONS[empty] },
    behaviours: items.map((item, i) => ({
      item,
      categories: categories[i] ?? [],
      action: actions[i] ?? "",
      time: times[i] ?? 0,
      strength: strengths[i] ?? 0,
    })),
    panels: panels.map(({ name, title, about, unit, per = null, values }) => {
      return { name, title, about, unit, per, values };
    }),
    items: why.map(({ prior, ...rest }, i) => ({
      categories: instance.rows[i]?.categories ?? [],
      source: recommendation.items[i]?.source ?? "",
      score: recommendation.items[i]?.score ?? sigmoid(rest.logit),
      prior: sigmoid(prior),
      ...rest,
    })),
  };
}

/** The length of a list that a query asks for. @throws Problem `bad-parameter` */
export function countOf(text: string | null, fallback: number): number {
  if (text === null) return fallback;
  const count = Number(text);
  if (/^\d{1,2}$/.test(text) && count >= 1 && count <= MAX_COUNT) return count;
  throw new Problem("bad-parameter", `count must be from 1 to ${MAX_COUNT}`);
}
