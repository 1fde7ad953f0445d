/**
 * The endpoints of the API.
 *
 * @module
 */

import { checkItem } from "../../../src/events/check.ts";
import type { Service, ServiceStatus } from "../../service/service.ts";
import { bodyKind } from "../body.ts";
import { within } from "../deadline.ts";
import { type ApiContext, append } from "../context.ts";
import type { Call, Endpoint } from "../endpoint.ts";
import { type Intake, takeEvents, takeItems } from "../intake.ts";
import { forgetUser, getErasure, PLACE } from "./erasure.ts";
import { mergeUser } from "./merge.ts";
import { notKnown } from "../contract/not_known.ts";
import { Problem } from "../contract/problem.ts";
import { LogProbe, PROBE_MS, unready } from "./readiness.ts";
import { recommend } from "./recommend.ts";
import { explainUser, taskOf } from "./explain.ts";
import { viewUser } from "./user_view.ts";
import { whyNot } from "./why_not.ts";

/** What a body of many entries may be. */
const MANY = ["json", "lines"] as const;
/** Refused entries that a problem lists. */
const MAX_LISTED = 100;

/** Makes the endpoints. */
export function endpoints(context: ApiContext): readonly Endpoint[] {
  const started = context.clock();
  const probe = new LogProbe(context.log, context.topics.events, context.clock);
  return [
    {
      method: "POST",
      path: "/v1/events",
      id: "postEvents",
      summary: "Appends events",
      description: "One event, a list, or one a line. 200: all that are not listed as refused are durable.",
      scope: "events",
      body: { kinds: MANY, schema: "Event", many: true },
      answers: { 200: { description: "What was taken", schema: "Taken" } },
      problems: ["unavailable"],
      local: true,
      handle: ({ request }) => intake(context, request, "event"),
    },
    {
      method: "POST",
      path: "/v1/items",
      id: "postItems",
      summary: "Adds items to the catalogue, or replaces them",
      scope: "events",
      body: { kinds: MANY, schema: "Item", many: true },
      answers: { 200: { description: "What was taken", schema: "Taken" } },
      problems: ["unavailable"],
      local: true,
      handle: ({ request }) => intake(context, request, "item"),
    },
    {
      method: "DELETE",
      path: "/v1/items/:item",
      id: "deleteItem",
      summary: "Removes an item from the catalogue",
      scope: "events",
      parameters: { item: "Id of the item" },
      answers: { 200: { description: "It will not be recommended any more", schema: "Taken" } },
      problems: ["unavailable"],
      local: true,
      handle: ({ parameters }) => removeItem(context, parameters["item"] ?? ""),
    },
    {
      method: "POST",
      path: "/v1/recommend",
      id: "recommend",
      summary: "Recommends items to a user",
      description: "The request is an event on the log, and the answer is what its task committed.",
      scope: "recommend",
      body: { kinds: ["json"], schema: "RecommendRequest" },
      answers: { 200: { description: "The answer", schema: "Answer" } },
      problems: ["unavailable", "answer-timeout"],
      local: true,
      handle: ({ request }) => recommend(context, request, "recommend"),
    },
    {
      method: "POST",
      path: "/v1/rank",
      id: "rank",
      summary: "Ranks given items for a user",
      scope: "recommend",
      body: { kinds: ["json"], schema: "RankRequest" },
      answers: { 200: { description: "The answer", schema: "Answer" } },
      problems: ["unavailable", "answer-timeout"],
      local: true,
      handle: ({ request }) => recommend(context, request, "rank"),
    },
    {
      method: "GET",
      path: "/v1/users/:user",
      id: "getUser",
      summary: "What is known of a user",
      scope: "read",
      parameters: { user: "Id of the user" },
      answers: {
        200: { description: "The user's state, events that are not committed yet included", schema: "User" },
      },
      problems: ["not-found", "elsewhere", "unavailable"],
      handle: (call) => getUser(context, call),
    },
    {
      method: "GET",
      path: "/v1/users/:user/explain",
      id: "explainUser",
      summary: "What a user would be recommended as of the newest event, and why",
      description: "Nothing is logged, counted or shown. Costs a score of the list for each behaviour.",
      scope: "read",
      parameters: { user: "Id of the user" },
      query: {
        count: {
          about: "Length of the list; 5 if not said",
          schema: { type: "integer", minimum: 1, maximum: 20 },
        },
        item: {
          about: "Explain this item of the catalogue, whatever would be recommended",
          schema: { type: "string", minLength: 1, maxLength: 256 },
        },
      },
      answers: { 200: { description: "The list, and why", schema: "Explanation" } },
      problems: ["not-found", "elsewhere", "unavailable"],
      handle: (call) => explainUser(context, call),
    },
    {
      method: "GET",
      path: "/v1/users/:user/why-not/:item",
      id: "whyNot",
      summary: "Why an item is not among what a user would be recommended",
      description: "Nothing is logged, counted or shown.",
      scope: "read",
      parameters: { user: "Id of the user", item: "Id of the item" },
      query: {
        count: {
          about: "Length of the list; 10 if not said",
          schema: { type: "integer", minimum: 1, maximum: 20 },
        },
      },
      answers: { 200: { description: "What is in the way", schema: "WhyNot" } },
      problems: ["not-found", "elsewhere", "unavailable"],
      handle: (call) => whyNot(context, call),
    },
    {
      method: "DELETE",
      path: "/v1/users/:user",
      id: "forgetUser",
      summary: "Erases what is known of a user",
      description:
        "Appends an event `forget`: state and embeddings go as soon as task and learner see it, then records on the log.",
      scope: "admin",
      parameters: { user: "Id of the user" },
      answers: { 200: { description: "The event is durable", schema: "Forgotten" } },
      problems: ["unavailable"],
      local: true,
      handle: (call) => forgetUser(context, call),
    },
    {
      method: "GET",
      path: "/v1/erasures/:partition/:offset",
      id: "getErasure",
      summary: "How far an erasure is, what remains of the user on which topic, and until when",
      scope: "admin",
      parameters: PLACE,
      answers: { 200: { description: "What remains", schema: "Erasure" } },
      problems: ["not-found", "unavailable"],
      handle: (call) => getErasure(context, call),
    },
    {
      method: "POST",
      path: "/v1/users/:user/merge",
      id: "mergeUser",
      summary: "Takes over what an anonymous session did, as at a login",
      description: "Appends an event `merge`. Again, it takes over what is new. The session itself stays.",
      scope: "events",
      parameters: { user: "Id of the user" },
      body: { kinds: ["json"], schema: "Merge" },
      answers: { 200: { description: "The event is durable", schema: "Merged" } },
      problems: ["not-found", "elsewhere", "unavailable", "answer-timeout"],
      handle: (call) => mergeUser(context, call),
    },
    {
      method: "GET",
      path: "/v1/models",
      id: "getModels",
      summary: "The models, their versions, and how their learners are doing",
      scope: "read",
      answers: { 200: { description: "The models of this process", schema: "Models" } },
      problems: ["unavailable"],
      handle: () => getModels(context),
    },
    {
      method: "GET",
      path: "/v1/status",
      id: "getStatus",
      summary: "Partitions, lag, restores, learner and monitor of this process",
      scope: "read",
      answers: { 200: { description: "How this process is doing", schema: "Status" } },
      problems: ["unavailable"],
      handle: async () => Response.json(await statusOf(context) ?? NO_STATUS),
    },
    {
      method: "GET",
      path: "/health",
      id: "health",
      summary: "Whether the process lives",
      scope: null,
      answers: { 200: { description: "It does", schema: "Health" } },
      local: true,
      handle: () =>
        Response.json({ status: "ok", uptimeSeconds: Math.round((context.clock() - started) / 1000) }),
    },
    {
      method: "GET",
      path: "/ready",
      id: "ready",
      summary: "Whether the process can answer",
      scope: null,
      answers: {
        200: { description: "It can", schema: "Ready" },
        503: { description: "It cannot, and why", schema: "Ready" },
      },
      handle: async () => {
        const reasons = await unready(context, probe);
        return Response.json({ ready: reasons.length === 0, reasons }, {
          status: reasons.length === 0 ? 200 : 503,
        });
      },
    },
    {
      method: "GET",
      path: "/metrics",
      id: "metrics",
      summary: "Measures, for Prometheus",
      scope: "metrics",
      answers: { 200: { description: "Prometheus' text format", type: "text/plain" } },
      handle: async () =>
        new Response(await context.metrics.render(), {
          headers: { "content-type": context.metrics.contentType },
        }),
    },
  ];
}

const NO_STATUS = { events: 0, version: 0, partitions: [], learner: null, monitor: null, rekeyLag: null };

/** @throws Problem `unavailable` when tasks here stand still: what is taken would not be applied, and nobody would know */
function checkApplied(service: Pick<Service, "faults"> | undefined): void {
  const [fault] = service?.faults ?? [];
  if (fault === undefined) return;
  throw new Problem("unavailable", `Events are not applied until somebody mends the log: ${fault}`);
}

async function intake(context: ApiContext, request: Request, kind: "event" | "item"): Promise<Response> {
  const { topics, bodies, maxEntries, service } = context;
  const bodyIs = bodyKind(request.headers, MANY);
  if (kind === "event") {
    checkApplied(service);
    await context.backlog?.room();
  }
  using _underWay = service?.thread.enter();
  const bytes = await bodies.read(request);
  const take = kind === "event" ? takeEvents : takeItems;
  const taken = take(bytes, bodyIs, { topics, maxEntries, now: context.now() });
  context.metrics.taken(kind, taken.records.length, taken.rejected);
  if (taken.records.length === 0) throw noneTaken(taken);
  await append(context, taken.records);
  return Response.json({ accepted: taken.records.length, refused: taken.rejected });
}

function noneTaken({ rejected }: Intake): Problem {
  const [first] = rejected;
  const detail = rejected.length === 1
    ? first?.reason ?? ""
    : `None of ${rejected.length} entries could be taken`;
  return new Problem("refused", detail, { more: { errors: rejected.slice(0, MAX_LISTED) } });
}

async function removeItem(context: ApiContext, item: string): Promise<Response> {
  const time = context.now();
  const checked = checkItem({ item, time });
  if (!checked.ok) throw new Problem("bad-parameter", checked.reason);
  await append(context, [{ topic: context.topics.items, key: item, value: null, time }]);
  return Response.json({ accepted: 1, refused: [] });
}

async function getUser(context: ApiContext, { parameters }: Call): Promise<Response> {
  const user = parameters["user"] ?? "";
  const task = await taskOf(context, user);
  const view = await task.users.peek(user, (state) => viewUser(task.state, state));
  if (view === undefined) throw notKnown({ user });
  return Response.json(view);
}

/** How the service is doing. @throws Problem `unavailable` when the log does not say in time where it ends */
async function statusOf({ service }: Pick<ApiContext, "service">): Promise<ServiceStatus | undefined> {
  if (service === undefined) return undefined;
  return await within(service.status(), PROBE_MS, () => {
    const detail = `The log has not answered for ${PROBE_MS} ms; GET /ready says more`;
    return new Problem("unavailable", detail, { headers: { "retry-after": "1" } });
  });
}

async function getModels({ service }: ApiContext): Promise<Response> {
  if (service === undefined) return Response.json({ models: [] });
  const { version, learner } = await statusOf({ service }) ?? NO_STATUS;
  return Response.json({ models: [{ model: service.serving.model, version, learner }] });
}
