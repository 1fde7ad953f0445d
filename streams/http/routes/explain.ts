/** What a user would be recommended, and why. The user's state does not change, and nothing is logged. */

import { z } from "zod";
import { setImmediate as turn } from "node:timers/promises";
import type { RequestEvent } from "../../../src/events/event.ts";
import { EMPTY_REASONS, ORDERED_BY, SCORE_KINDS } from "../../../src/events/recommendation.ts";
import type { Panel } from "../../../src/nn/models/core/panel.ts";
import { sigmoid } from "../../../src/nn/losses/logistic.ts";
import { explain, type Explanation as ExplainedItem } from "../../../src/scorer/explanation.ts";
import type { Preview } from "../../../src/engine/lists.ts";
import { keysOf } from "../../../src/values/record.ts";
import type { ApiContext } from "../context.ts";
import { named } from "../contract/named_schema.ts";
import { notKnown } from "../contract/not_known.ts";
import { Problem } from "../contract/problem.ts";
import { type Call, type Endpoint, queryOf } from "../endpoint.ts";
import { taskOf } from "./fresh_task.ts";
import { behaviourSchema, titleSchema } from "./users.ts";

const DEFAULT_COUNT = 5;
const MAX_COUNT = 20;

const { Explanation } = named({
  Explanation: z.object({
    user: z.string(),
    time: z.int().min(0).describe("The newest event time in the partition, to which the list applies."),
    model: z.string(),
    version: z.int().min(0),
    orderedBy: z.enum(ORDERED_BY).optional().describe("What ordered the list."),
    scoreKind: z.enum(SCORE_KINDS).optional().describe(
      "What `score` is: a probability of a positive, or a share among all candidates.",
    ),
    modelShare: z.number().describe(
      "Share of the model in the scores, in log-odds; 1 once it has proved itself.",
    ),
    variant: z.string().optional(),
    empty: z.object({ code: z.enum(keysOf(EMPTY_REASONS)), reason: z.string() })
      .nullable()
      .describe("Why there are no items; null when there are."),
    behaviours: z.array(behaviourSchema).describe("Behaviours that the model reads, oldest first."),
    panels: z.array(z.object({
      name: z.string(),
      title: z.string(),
      about: z.string(),
      unit: z.enum(["number", "share", "count"]),
      per: z.string().nullable().describe("What each value belongs to; null: there is one value."),
      values: z.array(z.number().nullable()),
    })).describe("Parts of the user's state that the model can show; may be empty."),
    items: z.array(z.object({
      item: z.string(),
      title: titleSchema,
      categories: z.array(z.string()),
      source: z.string(),
      score: z.number().describe(
        "As in the list: `scoreKind` says what it is.",
      ),
      logit: z.number().describe("The model's log-odds, independent of position."),
      prior: z.number().describe("The smoothed click rate that the model starts from."),
      looksAt: z.string().nullable().describe(
        "What the weights belong to: `behaviours`, or the model's name for the parts of its state.",
      ),
      weights: z.array(z.number().nullable()).describe(
        "How much attention each behaviour, or each part of the state, gets.",
      ),
      effects: z.array(z.number().nullable())
        .describe("How much each behaviour raises the logit; null = it cannot be removed from the state."),
    })),
  }),
});

export function explainEndpoint(context: ApiContext): Endpoint {
  return {
    method: "GET",
    path: "/v1/users/:user/explain",
    id: "explainUser",
    summary: "What a user would be recommended as of the newest event, and why",
    description: "Nothing is logged, counted or shown. Scores the list once per behaviour.",
    scope: "read",
    parameters: { user: "Id of the user" },
    query: {
      count: {
        about: "Length of the list; 5 by default",
        schema: { type: "integer", minimum: 1, maximum: MAX_COUNT },
      },
      item: {
        about: "Explain this item of the catalogue, even if it would not be recommended",
        schema: { type: "string", minLength: 1, maxLength: 256 },
      },
    },
    answers: { 200: { description: "The list, and why", schema: Explanation } },
    problems: ["not-found", "elsewhere", "unavailable"],
    handle: (call) => explainUser(context, call),
  };
}

async function explainUser(context: ApiContext, call: Call): Promise<Response> {
  const { user = "" } = call.parameters;
  const query = queryOf(call);
  const count = countOf(query.get("count"), DEFAULT_COUNT);
  const item = query.get("item");
  const task = await taskOf(context, user);
  const { state } = task;
  const missing = item !== null && state.catalogue.get(item) === undefined ? item : undefined;
  const time = Math.max(0, state.maxTime);
  const personal: RequestEvent = { type: "request", request: "explain", user, count, time };
  const event = item === null ? personal : { ...personal, candidates: [item] };
  const seen = await task.users.peek(user, (known) => {
    if (missing !== undefined) return null;
    const preview = state.lists.preview(known, event);
    const memory = state.models.recurrentState(known);
    return { preview, panels: memory === null ? [] : preview.serving.inspect?.(memory) ?? [] };
  });
  if (!seen) throw notKnown({ user: seen === undefined ? user : undefined, item: missing });
  const { preview: { serving, list }, panels } = seen;
  const steps = explain(serving, list);
  let step = steps.next();
  for (; !step.done; step = steps.next()) await turn(); // there may be fifty steps: other requests get their turn
  return Response.json(
    view(
      { ...seen.preview, why: step.value, panels, isAlone: item !== null },
      (id) => state.catalogue.get(id)?.title ?? undefined,
    ),
  );
}

/** A list with its explanation, as JSON. */
export type ExplanationView = ReturnType<typeof view>;

interface Explained extends Preview {
  readonly why: readonly ExplainedItem[];
  readonly panels: readonly Panel[];
  /** Whether the list is a single requested item, whose share of the list would be 1. */
  readonly isAlone: boolean;
}

function view(
  { recommendation, list, why, panels, isAlone }: Explained,
  titleOf: (item: string) => string | undefined,
) {
  const { items, categories, actions, times, strengths } = list.history;
  const { user, time, model, version, orderedBy, scoreKind, modelShare = 1, variant, empty } = recommendation;
  return {
    user,
    time,
    model,
    version,
    orderedBy,
    scoreKind: isAlone ? "probability" : scoreKind,
    modelShare,
    variant,
    empty: empty === undefined ? null : { code: empty, reason: EMPTY_REASONS[empty] },
    behaviours: items.map((item, i) => ({
      item,
      title: titleOf(item),
      categories: categories[i] ?? [],
      action: actions[i] ?? "",
      time: times[i] ?? 0,
      strength: strengths[i] ?? 0,
    })),
    panels: panels.map(({ name, title, about, unit, per = null, values }) => {
      return { name, title, about, unit, per, values };
    }),
    items: why.map(({ prior, ...rest }, i) => ({
      title: titleOf(rest.item),
      categories: list.rows.items[i]?.categories ?? [],
      source: recommendation.items[i]?.source ?? "",
      score: (isAlone && scoreKind === "share" ? undefined : recommendation.items[i]?.score) ??
        sigmoid(rest.logit),
      prior: sigmoid(prior),
      ...rest,
    })),
  };
}

/** The parameter `count`. @throws Problem `bad-parameter` */
export function countOf(text: string | null, fallback: number): number {
  if (text === null) return fallback;
  const count = Number(text);
  if (/^\d{1,2}$/.test(text) && count >= 1 && count <= MAX_COUNT) return count;
  throw new Problem("bad-parameter", `count must be from 1 to ${MAX_COUNT}`);
}
