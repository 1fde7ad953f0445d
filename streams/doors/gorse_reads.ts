/**
 * Gorse's calls that read users, items and feedback back, and whether the server is well.
 *
 * @module
 */

import type { JsonObject } from "../../src/adapters/mapped.ts";
import type { Call, Endpoint } from "../http/endpoint.ts";
import type { ApiContext } from "../http/context.ts";
import { freshTasks } from "../http/routes/fresh_task.ts";
import { Problem } from "../http/contract/problem.ts";
import { lookAt, numberIn } from "./door.ts";
import { gorseFeedback, gorseItem, gorseUser } from "./gorse_records.ts";
import type { ItemMirror } from "./item_mirror.ts";
import { SCHEMAS } from "./schemas.ts";

const DEFAULT_N = 10;
const USER = { user: "Id of the user" };
const CURSOR = {
  n: { about: "How many; 10 if not said", schema: { type: "integer", minimum: 0, maximum: 1000 } },
  cursor: { about: "The one of the page before", schema: { type: "string" } },
} as const;

/** The endpoints that read. */
export function gorseReads(context: ApiContext, items: ItemMirror): readonly Endpoint[] {
  const reading = {
    scope: "read",
    problems: ["not-found", "elsewhere", "unavailable", "answer-timeout"],
  } as const;
  const paged = { ...reading, query: CURSOR, problems: ["bad-parameter", ...reading.problems] } as const;
  const feedback = (description: string) =>
    ({ 200: { description, schema: SCHEMAS.GorseFeedbackList } }) as const;
  const pages = { 200: { description: "A page of them", schema: SCHEMAS.GorsePage } } as const;
  const health = {
    scope: null,
    answers: { 200: { description: "It does", schema: SCHEMAS.GorseHealth } },
  } as const;
  return [
    {
      ...{ ...reading, method: "GET", path: "/api/user/:user", id: "gorseGetUser", parameters: USER },
      ...{
        summary: "Gorse: a user",
        answers: { 200: { description: "The user", schema: SCHEMAS.GorseUser } },
      },
      handle: async ({ parameters: { user = "" } }) => {
        const found = await lookAt(context, user, ({ profile }) => gorseUser(user, profile));
        if (found === undefined) throw new Problem("not-found", "Nothing is known of this user");
        return Response.json(found);
      },
    },
    {
      ...{ ...paged, method: "GET", path: "/api/users", id: "gorseGetUsers", summary: "Gorse: users by id" },
      ...{ answers: pages, handle: (call) => users(context, call) },
    },
    {
      ...{ ...reading, method: "GET", path: "/api/item/:item", id: "gorseGetItem" },
      ...{ summary: "Gorse: an item", parameters: { item: "Id of the item" } },
      answers: { 200: { description: "The item", schema: SCHEMAS.GorseItem } },
      handle: async ({ parameters: { item = "" } }) => {
        const found = await items.get(item);
        if (found === undefined) throw new Problem("not-found", "The item is not in the catalogue");
        return Response.json(gorseItem(found));
      },
    },
    {
      ...{ ...paged, method: "GET", path: "/api/items", id: "gorseGetItems", summary: "Gorse: items by id" },
      answers: pages,
      handle: async (call) => {
        const { n, cursor } = pageOf(call);
        if (new URL(call.request.url).searchParams.get("q")) {
          throw new Problem("bad-parameter", "q: items cannot be searched here");
        }
        const found = await items.page(cursor, n);
        return page("Items", found.map(gorseItem), found.length < n ? "" : found.at(-1)?.item ?? "");
      },
    },
    {
      ...{ ...paged, method: "GET", path: "/api/feedback", id: "gorseGetFeedback" },
      ...{ summary: "Gorse: newest behaviours of all users, by user", answers: pages },
      handle: (call) => allFeedback(context, call),
    },
    {
      ...{ ...paged, method: "GET", path: "/api/feedback/:type", id: "gorseGetTypedFeedback" },
      ...{ summary: "Gorse: the same of a type", parameters: { type: "The type" }, answers: pages },
      handle: (call) => allFeedback(context, call),
    },
    {
      ...{ ...reading, method: "GET", path: "/api/feedback/:user/:item", id: "gorseGetUserItemFeedback" },
      ...{ summary: "Gorse: what a user did with an item", parameters: { ...USER, item: "Id of the item" } },
      answers: feedback("What is remembered of it"),
      handle: async (call) => Response.json(await feedbackOf(context, call)),
    },
    {
      ...{ ...reading, method: "GET", path: "/api/feedback/:type/:user/:item" },
      ...{ id: "gorseGetTypedUserItemFeedback", summary: "Gorse: one feedback, {} if it is not known" },
      parameters: { ...USER, type: "The type", item: "Id of the item" },
      answers: { 200: { description: "The feedback, or {}" } },
      handle: async (call) => Response.json((await feedbackOf(context, call))[0] ?? {}),
    },
    {
      ...{ ...reading, method: "GET", path: "/api/user/:user/feedback", id: "gorseGetUserFeedback" },
      ...{ summary: "Gorse: newest behaviours of a user", parameters: USER },
      answers: feedback("What is remembered"),
      handle: async (call) => Response.json(await feedbackOf(context, call)),
    },
    {
      ...{
        ...reading,
        method: "GET",
        path: "/api/user/:user/feedback/:type",
        id: "gorseGetUserTypedFeedback",
      },
      ...{ summary: "Gorse: the same of a type", parameters: { ...USER, type: "The type" } },
      answers: feedback("What is remembered of it"),
      handle: async (call) => Response.json(await feedbackOf(context, call)),
    },
    {
      ...{ ...health, method: "GET", path: "/api/health/live", id: "gorseLive" },
      ...{ summary: "Gorse: whether the process lives", handle: () => Response.json(HEALTHY) },
    },
    {
      ...{ ...health, method: "GET", path: "/api/health/ready", id: "gorseReady" },
      ...{ summary: "Gorse: whether the process can answer", problems: ["unavailable"] },
      handle: () => {
        if (context.isStopping()) throw new Problem("unavailable", "The server stops");
        if (context.service === undefined || context.service.tasks.size > 0) return Response.json(HEALTHY);
        throw new Problem("unavailable", "No partition is in this process, or all are being restored");
      },
    },
  ];
}

const HEALTHY = {
  ...{ Ready: true, DataStoreError: null, CacheStoreError: null },
  ...{ DataStoreConnected: true, CacheStoreConnected: true },
};

async function users(context: ApiContext, call: Call): Promise<Response> {
  const { n, cursor } = pageOf(call);
  const ids = await idsAfter(context, cursor);
  const found: JsonObject[] = [];
  for (const id of ids.slice(0, n)) {
    const user = await lookAt(context, id, ({ profile }) => gorseUser(id, profile));
    if (user !== undefined) found.push(user); // unless forgotten meanwhile
  }
  return page("Users", found, ids.length > n ? ids[n - 1] ?? cursor : "");
}

/** Whole users, so that a page may have more than `n`: a user has at most as many as are remembered. */
async function allFeedback(context: ApiContext, call: Call): Promise<Response> {
  const { n, cursor } = pageOf(call);
  const ids = await idsAfter(context, cursor);
  const found: JsonObject[] = [];
  let last = -1;
  while (found.length < n && last + 1 < ids.length) {
    last++;
    const parameters = { ...call.parameters, user: ids[last]! };
    found.push(...await feedbackOf(context, { ...call, parameters }));
  }
  return page("Feedback", found, last + 1 < ids.length ? ids[last] ?? cursor : "");
}

async function idsAfter(context: ApiContext, cursor: string): Promise<readonly string[]> {
  const tasks = await freshTasks(context);
  return tasks.flatMap((task) => task.users.ids().filter((id) => id > cursor)).sort();
}

/** What is remembered of a user, of the type and the item that the path names; nothing of somebody unknown. */
async function feedbackOf(context: ApiContext, { parameters }: Call): Promise<readonly JsonObject[]> {
  const { user = "", type, item } = parameters;
  const all = await lookAt(context, user, gorseFeedback) ?? [];
  return all.filter((one) =>
    (type === undefined || one["FeedbackType"] === type) && (item === undefined || one["ItemId"] === item)
  );
}

function pageOf({ request }: Call): { readonly n: number; readonly cursor: string } {
  const query = new URL(request.url).searchParams;
  const cursor = query.get("cursor") ?? "";
  try {
    const id = new TextDecoder("utf-8", { fatal: true }).decode(
      Uint8Array.fromBase64(cursor, { alphabet: "base64url" }),
    );
    return { n: numberIn(query, "n", DEFAULT_N), cursor: id };
  } catch (error) {
    if (error instanceof Problem) throw error;
    throw new Problem("bad-parameter", "The cursor is none of ours", { cause: error });
  }
}

/** A page; the cursor is the id of its last entry, or empty at the end. */
function page(name: "Users" | "Items" | "Feedback", entries: readonly JsonObject[], last: string): Response {
  const Cursor = new TextEncoder().encode(last).toBase64({ alphabet: "base64url" });
  return Response.json({ Cursor, [name]: entries });
}
