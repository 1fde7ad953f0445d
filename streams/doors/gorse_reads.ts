/** Gorse's calls that read users, items and feedback back, and its health checks. */

import { setImmediate as turn } from "node:timers/promises";
import type { JsonObject } from "../../src/adapters/mapped.ts";
import { withPauses } from "../../src/values/portions.ts";
import type { ApiContext } from "../http/context.ts";
import { Problem } from "../http/contract/problem.ts";
import { type Call, type Endpoint, queryOf } from "../http/endpoint.ts";
import { freshTasks } from "../http/routes/fresh_task.ts";
import type { ItemMirror } from "../http/routes/item_mirror.ts";
import { lookAt } from "./door.ts";
import { N, rangeOf, sharing } from "./gorse_endpoint.ts";
import { gorseFeedback, gorseItem, gorseUser } from "./gorse_records.ts";
import { SCHEMAS } from "./schemas.ts";

export function gorseReads(context: ApiContext, items: ItemMirror): readonly Endpoint[] {
  const problems = ["not-found", "elsewhere", "unavailable", "answer-timeout"] as const;
  const read = sharing({ scope: "read", problems });
  const readPage = sharing({
    scope: "read",
    query: { n: N, cursor: { about: "Cursor from the previous page", schema: { type: "string" } } },
    answers: { 200: { description: "A page of them", schema: SCHEMAS.GorsePage } },
    problems: ["bad-parameter", ...problems],
  });
  const readFeedback = sharing({
    scope: "read",
    answers: { 200: { description: "The stored feedback", schema: SCHEMAS.GorseFeedbackList } },
    problems,
  });
  const feedback = async (call: Call) => Response.json(await feedbackOf(context, call));
  const health = sharing({
    scope: null,
    answers: { 200: { description: "It is healthy", schema: SCHEMAS.GorseHealth } },
  });
  return [
    read("GET /api/user/:user", "GetUser", {
      summary: "a user",
      answers: { 200: { description: "The user", schema: SCHEMAS.GorseUser } },
      handle: async ({ parameters: { user = "" } }) => {
        const found = await lookAt(context, user, ({ profile }) => gorseUser(user, profile));
        if (found === undefined) throw new Problem("not-found", "The user is not known");
        return Response.json(found);
      },
    }),
    readPage("GET /api/users", "GetUsers", {
      summary: "users by id",
      handle: (call) => users(context, call),
    }),
    read("GET /api/item/:item", "GetItem", {
      summary: "an item",
      answers: { 200: { description: "The item", schema: SCHEMAS.GorseItem } },
      handle: async ({ parameters: { item = "" } }) => {
        const found = await items.get(item);
        if (found === undefined) throw new Problem("not-found", "The item is not in the catalogue");
        return Response.json(gorseItem(found));
      },
    }),
    readPage("GET /api/items", "GetItems", {
      summary: "items by id",
      handle: async (call) => {
        const { n, cursor } = pageOf(call);
        if (queryOf(call).get("q")) throw new Problem("bad-parameter", "q: items cannot be searched here");
        const found = await items.page(cursor, n);
        return page("Items", found.map(gorseItem), found.length < n ? "" : found.at(-1)?.item ?? "");
      },
    }),
    readPage("GET /api/feedback", "GetFeedback", {
      summary: "newest behaviours of all users, by user",
      handle: (call) => allFeedback(context, call),
    }),
    readPage("GET /api/feedback/:type", "GetTypedFeedback", {
      summary: "newest behaviours of all users of one type",
      handle: (call) => allFeedback(context, call),
    }),
    readFeedback("GET /api/feedback/:user/:item", "GetUserItemFeedback", {
      summary: "what a user did with an item",
      handle: feedback,
    }),
    read("GET /api/feedback/:type/:user/:item", "GetTypedUserItemFeedback", {
      summary: "one feedback, {} if it is unknown",
      answers: { 200: { description: "The feedback, or {}" } },
      handle: async (call) => Response.json((await feedbackOf(context, call))[0] ?? {}),
    }),
    readFeedback("GET /api/user/:user/feedback", "GetUserFeedback", {
      summary: "newest behaviours of a user",
      handle: feedback,
    }),
    readFeedback("GET /api/user/:user/feedback/:type", "GetUserTypedFeedback", {
      summary: "newest behaviours of a user of one type",
      handle: feedback,
    }),
    health("GET /api/health/live", "Live", {
      summary: "whether the process is alive",
      handle: () => Response.json(HEALTHY),
    }),
    health("GET /api/health/ready", "Ready", {
      summary: "whether the process can answer",
      problems: ["unavailable"],
      handle: () => {
        if (context.isStopping()) throw new Problem("unavailable", "The server is stopping");
        if (context.service === undefined || context.service.tasks.size > 0) return Response.json(HEALTHY);
        throw new Problem("unavailable", "No partition is in this process, or all are being restored");
      },
    }),
  ];
}

const HEALTHY = {
  Ready: true,
  DataStoreError: null,
  CacheStoreError: null,
  DataStoreConnected: true,
  CacheStoreConnected: true,
};

async function users(context: ApiContext, call: Call): Promise<Response> {
  const { n, cursor } = pageOf(call);
  const ids = await idsAfter(context, cursor, n + 1);
  const found: JsonObject[] = [];
  for (const id of ids.slice(0, n)) {
    const user = await lookAt(context, id, ({ profile }) => gorseUser(id, profile));
    if (user !== undefined) found.push(user); // unless forgotten meanwhile
  }
  return page("Users", found, ids.length > n ? ids[n - 1] ?? cursor : "");
}

/** Most users that one page looks at: it may have less than `n` entries, or none, and a cursor. */
const MAX_USERS = 1000;

/** A page contains whole users, so it may exceed `n` entries, by the stored feedback of one user. */
async function allFeedback(context: ApiContext, call: Call): Promise<Response> {
  const { n, cursor } = pageOf(call);
  const ids = await idsAfter(context, cursor, MAX_USERS + 1);
  const found: JsonObject[] = [];
  let last = -1;
  while (found.length < n && last + 1 < Math.min(ids.length, MAX_USERS)) {
    last++;
    const parameters = { ...call.parameters, user: ids[last]! };
    found.push(...await feedbackOf(context, { ...call, parameters }));
  }
  return page("Feedback", found, last + 1 < ids.length ? ids[last] ?? cursor : "");
}

/** The first ids after the cursor. */
async function idsAfter(context: ApiContext, cursor: string, count: number): Promise<readonly string[]> {
  const tasks = await freshTasks(context);
  const found: string[] = [];
  for (const { users } of tasks) found.push(...await withPauses(users.idsAfter(cursor, count), turn));
  return found.sort().slice(0, count);
}

/** The stored feedback of a user, by the type and the item of the path; empty for an unknown user. */
async function feedbackOf(context: ApiContext, { parameters }: Call): Promise<readonly JsonObject[]> {
  const { user = "", type, item } = parameters;
  const all = await lookAt(context, user, gorseFeedback) ?? [];
  return all.filter((one) =>
    (type === undefined || one["FeedbackType"] === type) && (item === undefined || one["ItemId"] === item)
  );
}

function pageOf(call: Call): { readonly n: number; readonly cursor: string } {
  const { n } = rangeOf(call);
  try {
    const bytes = Uint8Array.fromBase64(queryOf(call).get("cursor") ?? "", { alphabet: "base64url" });
    return { n, cursor: new TextDecoder("utf-8", { fatal: true }).decode(bytes) };
  } catch (cause) {
    throw new Problem("bad-parameter", "The cursor does not come from this API", { cause });
  }
}

/** A page; the cursor is the id of its last entry, or empty at the end. */
function page(name: "Users" | "Items" | "Feedback", entries: readonly JsonObject[], last: string): Response {
  const Cursor = new TextEncoder().encode(last).toBase64({ alphabet: "base64url" });
  return Response.json({ Cursor, [name]: entries });
}
