/**
 * Gorse's calls that recommend: to a user, to a session, what is new, popular, or goes with an item.
 *
 * @module
 */

import { PLAIN } from "../../src/events/json_schema.ts";
import { MAX_ID_BYTES, MAX_NAME_BYTES } from "../../src/events/limits.ts";
import { DEFAULT_READ_TYPES, parseGorse } from "../../src/adapters/gorse.ts";
import { objectOf } from "../../src/adapters/mapped.ts";
import { checkEventFields } from "../../src/events/check.ts";
import type { RequestFilter } from "../../src/events/event.ts";
import type { Preview } from "../../src/engine/lists.ts";
import type { Call, Endpoint } from "../http/endpoint.ts";
import type { ApiContext } from "../http/context.ts";
import { Problem } from "../http/contract/problem.ts";
import type { GorseSettings } from "../http/contract/settings.ts";
import { impressionRecords } from "../http/impression.ts";
import {
  ask,
  type Asked,
  askForNobody,
  askSilently,
  mapAll,
  numberIn,
  readValues,
  recordsOf,
  take,
} from "./door.ts";
import { SCHEMAS } from "./schemas.ts";

/** Length of a list when the call does not say, as in Gorse. */
const DEFAULT_N = 10;
const ID = { user: "Id of the user", item: "Id of the item", category: "Only items of this category" };
const SCORES = { 200: { description: "Items, best first", schema: SCHEMAS.GorseScores } } as const;
const LIST = { 200: { description: "Items, best first", schema: SCHEMAS.GorseList } } as const;
const PAGE = {
  n: { about: "How many; 10 if not said", schema: { type: "integer", minimum: 0, maximum: 1000 } },
  offset: {
    about: "How many to leave out at the top",
    schema: { type: "integer", minimum: 0, maximum: 1000 },
  },
} as const;
/** An id, or nothing. */
const TEXT = { type: "string", maxLength: MAX_ID_BYTES, pattern: PLAIN } as const;
const CATEGORY = {
  category: { about: "Only items of this category; may be there several times", schema: TEXT },
} as const;
const READER = { "user-id": { about: "Leave out what this user had", schema: TEXT } } as const;
/** Go's durations, such as `1h30m`. */
const DURATION = /^([-+]?(\d+(\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h))*$|^[-+]?0$/;

/** The endpoints that recommend. */
export function gorseLists(
  context: ApiContext,
  { readTypes = DEFAULT_READ_TYPES }: GorseSettings,
): readonly Endpoint[] {
  const reading = {
    scope: "recommend",
    answers: SCORES,
    problems: ["bad-parameter", "elsewhere", "unavailable", "answer-timeout"],
  } as const;
  /** The same list for all, or without what a user had. */
  const listed = (asked: (call: Call) => Asked | null, scoreOf = modelScore) => async (call: Call) => {
    const query = new URL(call.request.url).searchParams;
    const [n, offset] = [numberIn(query, "n", DEFAULT_N), numberIn(query, "offset", 0)];
    const own = asked(call);
    if (n === 0 || own === null) return Response.json([]);
    const reader = query.get("user-id") ?? "";
    const filter = { ...categoriesOf(call), seen: reader === "" };
    const event = { ...own, filter, count: countOf(n, offset) };
    const preview = reader === "" ? askForNobody(context, event) : await askSilently(context, reader, event);
    return Response.json(scoreOf(context, preview).slice(offset, offset + n));
  };
  const latest = listed(() => ({ list: "new", count: 1 }), firstSight);
  const similar = listed(({ parameters: { item = "" } }) => ({ item, count: 1 }));
  const popular = listed(({ parameters: { name = "popular" } }) => ({
    list: LISTS.get(name) ?? "popular",
    count: 1,
  }));
  const session = (call: Call) => sessionRecommend(context, call, readTypes);
  const recommended = (call: Call) => recommend(context, call, readTypes);
  const query = { ...PAGE, ...CATEGORY, ...READER };
  const personal = {
    ...{ ...reading, answers: LIST },
    query: {
      ...{ ...PAGE, ...CATEGORY },
      "write-back-type": {
        about: "Also take this feedback for each item",
        schema: { ...TEXT, maxLength: MAX_NAME_BYTES },
      },
      "write-back-delay": {
        about: "Ignored but for its form, such as 10m",
        schema: { type: "string", pattern: DURATION.source },
      },
    },
    handle: recommended,
  } as const;
  const bodied = {
    ...reading,
    body: { kinds: ["json"], schema: SCHEMAS.GorseSession, many: true },
    query: PAGE,
    handle: session,
  } as const;
  const get = { ...reading, method: "GET", query } as const;
  return [
    {
      ...{ ...personal, method: "GET", path: "/api/recommend/:user", id: "gorseRecommend" },
      ...{ summary: "Gorse: recommends to a user", parameters: { user: ID.user } },
    },
    {
      ...{
        ...personal,
        method: "GET",
        path: "/api/recommend/:user/:category",
        id: "gorseRecommendInCategory",
      },
      ...{ summary: "Gorse: the same in a category", parameters: { user: ID.user, category: ID.category } },
    },
    {
      ...{ ...bodied, method: "POST", path: "/api/session/recommend", id: "gorseSessionRecommend" },
      summary: "Gorse: recommends to somebody who did only what the body says; nothing is kept",
    },
    {
      ...{ ...bodied, method: "POST", path: "/api/session/recommend/:category" },
      ...{ id: "gorseSessionRecommendInCategory", parameters: { category: ID.category } },
      summary: "Gorse: the same in a category",
    },
    {
      ...{ ...get, path: "/api/collaborative-filtering/:user", id: "gorseCollaborative" },
      ...{
        summary: "Gorse: what a user would be recommended; nothing is kept",
        parameters: { user: ID.user },
      },
      handle: (call) => collaborative(context, call),
    },
    { ...get, path: "/api/latest", id: "gorseLatest", summary: "Gorse: newest items", handle: latest },
    {
      ...{ ...get, path: "/api/latest/:category", id: "gorseLatestInCategory", handle: latest },
      ...{ summary: "Gorse: newest items of a category", parameters: { category: ID.category } },
    },
    { ...get, path: "/api/popular", id: "gorsePopular", summary: "Gorse: popular items", handle: popular },
    {
      ...{ ...get, path: "/api/popular/:category", id: "gorsePopularInCategory", handle: popular },
      ...{ summary: "Gorse: popular items of a category", parameters: { category: ID.category } },
    },
    {
      ...{ ...get, path: "/api/non-personalized/:name", id: "gorseNonPersonalized", handle: popular },
      ...{
        summary: "Gorse: a list for all",
        parameters: { name: "popular, trending or latest; others are popular" },
      },
    },
    {
      ...{ ...get, path: "/api/item-to-item/:name/:item", id: "gorseItemToItem", handle: similar },
      summary: "Gorse: items that go with one",
      parameters: { name: "Any name: there is one such list", item: ID.item },
    },
    {
      ...{ ...get, path: "/api/item/:item/neighbors", id: "gorseNeighbors", handle: similar },
      ...{ summary: "Gorse: items that go with one", parameters: { item: ID.item } },
    },
    {
      ...{
        ...get,
        path: "/api/item/:item/neighbors/:category",
        id: "gorseNeighborsInCategory",
        handle: similar,
      },
      summary: "Gorse: the same in a category",
      parameters: { item: ID.item, category: ID.category },
    },
  ];
}

/** Names of lists for all, and the lists of ours they are. */
const LISTS: ReadonlyMap<string, "popular" | "trending" | "new"> = new Map([
  ["popular", "popular"],
  ["trending", "trending"],
  ["latest", "new"],
]);

async function recommend(context: ApiContext, call: Call, readTypes: readonly string[]): Promise<Response> {
  const { request, parameters: { user = "" } } = call;
  const query = new URL(request.url).searchParams;
  const [n, offset] = [numberIn(query, "n", DEFAULT_N), numberIn(query, "offset", 0)];
  const writeBack = query.get("write-back-type") ?? "";
  checkDelay(query.get("write-back-delay") ?? "");
  if (writeBack !== "") checkAction(writeBack, context.now());
  if (n === 0) return Response.json([]);
  const answer = await ask(context, user, { count: countOf(n, offset), filter: categoriesOf(call) });
  const items = answer.items.slice(offset);
  // The task believes that all of it was shown.
  if (offset > 0) await take(context, impressionRecords(context, answer, items.map(({ item }) => item)));
  // What was answered counts as shown already; other feedback has to be taken.
  if (writeBack !== "" && !readTypes.includes(writeBack)) {
    const feedback = mapAll(context, items, ({ item }) => ({
      events: [{
        type: "interaction",
        user,
        item,
        action: writeBack,
        time: context.now(),
        request: answer.request,
      }],
    }));
    await take(context, recordsOf(context, feedback));
  }
  const scored = request.headers.get("x-api-version")?.trim() === "2";
  return Response.json(items.map(({ item, score }) => scored ? { Id: item, Score: score } : item));
}

async function collaborative(context: ApiContext, call: Call): Promise<Response> {
  const query = new URL(call.request.url).searchParams;
  const [n, offset] = [numberIn(query, "n", DEFAULT_N), numberIn(query, "offset", 0)];
  if (n === 0) return Response.json([]);
  const event = { count: countOf(n, offset), filter: categoriesOf(call) };
  const preview = await askSilently(context, call.parameters["user"] ?? "", event);
  return Response.json(modelScore(context, preview).slice(offset));
}

async function sessionRecommend(
  context: ApiContext,
  call: Call,
  readTypes: readonly string[],
): Promise<Response> {
  const { request } = call;
  const query = new URL(request.url).searchParams;
  const [n, offset] = [numberIn(query, "n", DEFAULT_N), numberIn(query, "offset", 0)];
  const values = await readValues(context, request);
  const feedback = mapAll(context, values, (value) => {
    // Nobody in particular may have done it.
    const record = { UserId: "", ...objectOf(value, "the feedback") };
    return parseGorse({ ...record, UserId: record.UserId || "anonymous" }, {
      time: context.now(),
      readTypes,
    });
  }).flatMap(({ kind, ...rest }) => kind === "event" && "event" in rest ? [rest.event] : []);
  const done = feedback.flatMap((event) => event.type === "interaction" ? [event] : [])
    .sort((a, b) => a.time - b.time).slice(-SESSION);
  if (n === 0 || done.length === 0) return Response.json([]);
  const event = {
    count: countOf(n, offset),
    like: done.map(({ item }) => item),
    filter: { ...categoriesOf(call), seen: true },
  };
  return Response.json(modelScore(context, askForNobody(context, event)).slice(offset));
}

/** Newest feedback of a session that counts. */
const SESSION = 100;

type Score = { readonly Id: string; readonly Score: number };

function modelScore(_context: ApiContext, { recommendation: { items } }: Preview): readonly Score[] {
  return items.map(({ item, score }) => ({ Id: item, Score: score }));
}

/** Seconds since the epoch at which an item was first seen, as Gorse scores its newest ones. */
function firstSight({ service }: ApiContext, { recommendation: { items } }: Preview): readonly Score[] {
  const [task] = service?.tasks.values() ?? [];
  return items.map(({ item }) => {
    const { firstTime = 0 } = task?.state.catalogue.get(item) ?? {};
    return { Id: item, Score: Math.floor(firstTime / 1000) };
  });
}

/** As in Gorse, an item must have all categories that are named. */
function categoriesOf({ request, parameters }: Call): RequestFilter {
  const named = parameters["category"] === undefined
    ? new URL(request.url).searchParams.getAll("category").filter((category) => category !== "")
    : [parameters["category"]];
  return named.length === 0 ? {} : { allCategories: named };
}

function countOf(n: number, offset: number): number {
  if (n + offset <= 1000) return n + offset;
  throw new Problem("bad-parameter", "n and offset together must be at most 1000");
}

/** Before anything is asked: an answer counts as shown. @throws Problem `bad-parameter` */
function checkAction(action: string, time: number): void {
  const checked = checkEventFields({ type: "interaction", user: "anybody", item: "anything", action, time });
  if (!checked.ok) throw new Problem("bad-parameter", `write-back-type cannot be taken: ${checked.reason}`);
}

/** @throws Problem `bad-parameter` when it is no duration */
function checkDelay(text: string): void {
  if (DURATION.test(text)) return;
  throw new Problem("bad-parameter", "write-back-delay must be a duration such as 10m");
}
