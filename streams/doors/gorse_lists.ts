/** Gorse's calls that recommend: to a user, to a session, new, popular or similar items. */

import { DEFAULT_READ_TYPES, parseGorse } from "../../src/adapters/gorse.ts";
import { objectOf, requiredIn } from "../../src/adapters/mapped.ts";
import type { Preview } from "../../src/engine/lists.ts";
import { checkEventFields } from "../../src/events/check.ts";
import type { RequestFilter } from "../../src/events/event.ts";
import { PLAIN } from "../../src/events/json_schema.ts";
import { MAX_ID_BYTES, MAX_NAME_BYTES } from "../../src/events/limits.ts";
import type { ApiContext } from "../http/context.ts";
import { Problem } from "../http/contract/problem.ts";
import type { GorseSettings } from "../http/contract/settings.ts";
import { type Call, type Endpoint, queryOf } from "../http/endpoint.ts";
import { impressionRecords } from "../http/impression.ts";
import { atOnce } from "../../src/values/portions.ts";
import { ask, type Asked, mapAll, previewFor, previewForNobody, readValues, take, takeOwn } from "./door.ts";
import { jsonBody, N, rangeOf, sharing } from "./gorse_endpoint.ts";
import { SCHEMAS } from "./schemas.ts";

const PAGE = {
  n: N,
  offset: {
    about: "How many items to skip at the top",
    schema: { type: "integer", minimum: 0, maximum: 1000 },
  },
} as const;
/** An id, or nothing. */
const TEXT = { type: "string", maxLength: MAX_ID_BYTES, pattern: PLAIN } as const;
const CATEGORY = { about: "Only items of this category", schema: TEXT, repeats: true } as const;
/** Go's durations, such as `1h30m`. */
const DURATION = /^([-+]?(\d+(\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h))*$|^[-+]?0$/;

const SHARED = {
  scope: "recommend",
  answers: { 200: { description: "Items, best first", schema: SCHEMAS.GorseScores } },
  problems: ["bad-parameter", "elsewhere", "unavailable", "answer-timeout"],
} as const;

/** The endpoints that recommend. */
export function gorseLists(
  context: ApiContext,
  { readTypes = DEFAULT_READ_TYPES }: GorseSettings,
): readonly Endpoint[] {
  return [...personalLists(context, readTypes), ...sessionLists(context, readTypes), ...commonLists(context)];
}

function personalLists(context: ApiContext, readTypes: readonly string[]): readonly Endpoint[] {
  const personal = sharing({
    ...SHARED,
    answers: { 200: { description: "Items, best first", schema: SCHEMAS.GorseList } },
    query: {
      ...PAGE,
      category: CATEGORY,
      "write-back-type": {
        about: "Also record this feedback for each item",
        schema: { ...TEXT, maxLength: MAX_NAME_BYTES },
      },
      "write-back-delay": {
        about: "Ignored, but must be a duration, such as 10m",
        schema: { type: "string", pattern: DURATION.source },
      },
    },
  });
  const handle = (call: Call) => recommend(context, call, readTypes);
  return [
    personal("GET /api/recommend/:user", "Recommend", { summary: "recommends to a user", handle }),
    personal("GET /api/recommend/:user/:category", "RecommendInCategory", {
      summary: "recommends to a user within a category",
      handle,
    }),
  ];
}

function sessionLists(context: ApiContext, readTypes: readonly string[]): readonly Endpoint[] {
  const session = sharing({ ...SHARED, body: jsonBody(SCHEMAS.GorseSession, true), query: PAGE });
  const handle = (call: Call) => sessionRecommend(context, call, readTypes);
  return [
    session("POST /api/session/recommend", "SessionRecommend", {
      summary: "recommends for the feedback in the body alone; nothing is stored",
      handle,
    }),
    session("POST /api/session/recommend/:category", "SessionRecommendInCategory", {
      summary: "recommends within a category for the feedback in the body alone",
      handle,
    }),
  ];
}

/** Lists that are not personal, and a personal one that does not count as shown. */
function commonLists(context: ApiContext): readonly Endpoint[] {
  const list = sharing({
    ...SHARED,
    query: {
      ...PAGE,
      category: CATEGORY,
      "user-id": { about: "Leave out items that this user has acted on", schema: TEXT },
    },
  });
  const latest = listed(context, () => ({ list: "new", count: 1 }), firstSeen);
  const similar = listed(context, ({ parameters: { item = "" } }) => ({ item, count: 1 }));
  const popular = listed(context, ({ parameters: { name = "popular" } }) => ({
    list: LISTS.get(name) ?? "popular",
    count: 1,
  }));
  return [
    list("GET /api/collaborative-filtering/:user", "Collaborative", {
      summary: "what a user would be recommended; nothing is stored",
      handle: (call) => collaborative(context, call),
    }),
    list("GET /api/latest", "Latest", { summary: "newest items", handle: latest }),
    list("GET /api/latest/:category", "LatestInCategory", {
      summary: "newest items of a category",
      handle: latest,
    }),
    list("GET /api/popular", "Popular", { summary: "popular items", handle: popular }),
    list("GET /api/popular/:category", "PopularInCategory", {
      summary: "popular items of a category",
      handle: popular,
    }),
    list("GET /api/non-personalized/:name", "NonPersonalized", {
      summary: "a list for all users",
      parameters: { name: "popular, trending or latest; other names mean popular" },
      handle: popular,
    }),
    list("GET /api/item-to-item/:name/:item", "ItemToItem", {
      summary: "items related to an item",
      parameters: { name: "Any name: there is one such list", item: "Id of the item" },
      handle: similar,
    }),
    list("GET /api/item/:item/neighbors", "Neighbors", {
      summary: "items related to an item",
      handle: similar,
    }),
    list("GET /api/item/:item/neighbors/:category", "NeighborsInCategory", {
      summary: "items related to an item within a category",
      handle: similar,
    }),
  ];
}

/** Answers with a list for all users, or without items that a user has acted on. */
function listed(context: ApiContext, asked: (call: Call) => Asked, scoreOf = modelScore): Endpoint["handle"] {
  return async (call) => {
    const { n, offset } = rangeOf(call);
    if (n === 0) return Response.json([]);
    const reader = queryOf(call).get("user-id") ?? "";
    const filter = { ...categoriesOf(call), seen: reader === "" };
    const event = { ...asked(call), filter, count: countOf(n, offset) };
    const preview = reader === ""
      ? previewForNobody(context, event)
      : await previewFor(context, reader, event);
    return Response.json(scoreOf(context, preview).slice(offset, offset + n));
  };
}

/** Our lists by Gorse's names. */
const LISTS: ReadonlyMap<string, "popular" | "trending" | "new"> = new Map([
  ["popular", "popular"],
  ["trending", "trending"],
  ["latest", "new"],
]);

async function recommend(context: ApiContext, call: Call, readTypes: readonly string[]): Promise<Response> {
  const { request, parameters: { user = "" } } = call;
  const query = queryOf(call);
  const { n, offset } = rangeOf(call);
  const writeBack = query.get("write-back-type") ?? "";
  checkDelay(query.get("write-back-delay") ?? "");
  if (writeBack !== "") checkAction(writeBack, context.now());
  if (n === 0) return Response.json([]);
  const answer = await ask(context, { user, caller: call.caller }, {
    count: countOf(n, offset),
    filter: categoriesOf(call),
  });
  const items = answer.items.slice(offset);
  // The task counts the whole answer as shown, including skipped items.
  if (offset > 0) {
    await take(
      context,
      impressionRecords(
        context,
        answer,
        items.map(({ item }) => item),
      ),
      call.caller,
    );
  }
  // Feedback of a read type only means that the item was shown.
  if (writeBack !== "" && !readTypes.includes(writeBack)) {
    const feedback = atOnce(mapAll(context, items, ({ item }) => ({
      events: [{
        type: "interaction",
        user,
        item,
        action: writeBack,
        time: context.now(),
        request: answer.request,
      }],
    })));
    await takeOwn(context, feedback, call.caller);
  }
  const scored = request.headers.get("x-api-version")?.trim() === "2";
  return Response.json(items.map(({ item, score }) => scored ? { Id: item, Score: score } : item));
}

async function collaborative(context: ApiContext, call: Call): Promise<Response> {
  const { n, offset } = rangeOf(call);
  if (n === 0) return Response.json([]);
  const event = { count: countOf(n, offset), filter: categoriesOf(call) };
  const preview = await previewFor(context, call.parameters["user"] ?? "", event);
  return Response.json(modelScore(context, preview).slice(offset));
}

async function sessionRecommend(
  context: ApiContext,
  call: Call,
  readTypes: readonly string[],
): Promise<Response> {
  const { n, offset } = rangeOf(call);
  const values = await readValues(context, call);
  const mapped = mapAll(context, values, (value) => {
    const record = objectOf(value, "the feedback");
    const done = { FeedbackType: requiredIn(record, "FeedbackType"), ItemId: requiredIn(record, "ItemId") };
    return parseGorse({ ...record, ...done, UserId: record["UserId"] || "anonymous" }, {
      time: context.now(),
      readTypes,
    });
  });
  const done = (await context.work.run(call.caller, mapped))
    .flatMap((own) => own.kind === "event" && own.event.type === "interaction" ? [own.event] : [])
    .sort((a, b) => a.time - b.time).slice(-SESSION);
  if (n === 0 || done.length === 0) return Response.json([]);
  const event = {
    count: countOf(n, offset),
    like: done.map(({ item }) => item),
    filter: { ...categoriesOf(call), seen: true },
  };
  return Response.json(modelScore(context, previewForNobody(context, event)).slice(offset));
}

/** Number of the newest interactions of a session that count. */
const SESSION = 100;

type Score = { readonly Id: string; readonly Score: number };

function modelScore(_context: ApiContext, { recommendation: { items } }: Preview): readonly Score[] {
  return items.map(({ item, score }) => ({ Id: item, Score: score }));
}

/** Gorse's score of the newest items: when an item was first seen, in seconds since the epoch. */
function firstSeen({ service }: ApiContext, { recommendation: { items } }: Preview): readonly Score[] {
  const [task] = service?.tasks.values() ?? [];
  return items.map(({ item }) => {
    const { firstTime = 0 } = task?.state.catalogue.get(item) ?? {};
    return { Id: item, Score: Math.floor(firstTime / 1000) };
  });
}

/** As in Gorse, an item must have all of the named categories. */
function categoriesOf(call: Call): RequestFilter {
  const { category } = call.parameters;
  const named = category === undefined
    ? queryOf(call).getAll("category").filter((one) => one !== "")
    : [category];
  return named.length === 0 ? {} : { allCategories: named };
}

function countOf(n: number, offset: number): number {
  if (n + offset <= 1000) return n + offset;
  throw new Problem("bad-parameter", "n and offset together must be at most 1000");
}

/** Called before the request: a recommendation counts as shown. @throws Problem `bad-parameter` */
function checkAction(action: string, time: number): void {
  const checked = checkEventFields({ type: "interaction", user: "anybody", item: "anything", action, time });
  if (!checked.ok) throw new Problem("bad-parameter", `write-back-type is invalid: ${checked.reason}`);
}

/** @throws Problem `bad-parameter` when it is not a duration */
function checkDelay(text: string): void {
  if (DURATION.test(text)) return;
  throw new Problem("bad-parameter", "write-back-delay must be a duration such as 10m");
}
