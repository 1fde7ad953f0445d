/**
 * Gorse's REST API: users, items and feedback in, recommendations out. Differences:
 * docs/how-to/migrate-from-gorse-or-metarank.md.
 *
 * Source: `server/rest.go` of Gorse 0.5.11.
 *
 * @module
 */

import { DEFAULT_READ_TYPES, parseGorse } from "../../src/adapters/gorse.ts";
import { type JsonObject, objectOf, requiredIn } from "../../src/adapters/mapped.ts";
import { isRecord } from "../../src/values/record.ts";
import type { ApiContext } from "../http/context.ts";
import { Problem } from "../http/contract/problem.ts";
import type { GorseSettings } from "../http/contract/settings.ts";
import type { Call, Endpoint } from "../http/endpoint.ts";
import { mapAll, readValues, recordsOf, take } from "./door.ts";
import { jsonBody, sharing } from "./gorse_endpoint.ts";
import { gorseLists } from "./gorse_lists.ts";
import { gorseReads } from "./gorse_reads.ts";
import { gorseItem, inPlaceOf, patched } from "./gorse_records.ts";
import { ItemMirror } from "./item_mirror.ts";
import { SCHEMAS } from "./schemas.ts";

/** The endpoints of the door. */
export function gorseEndpoints(context: ApiContext, settings: GorseSettings = {}): readonly Endpoint[] {
  const items = new ItemMirror(context);
  return [
    ...writes(context, items, settings),
    ...gorseReads(context, items),
    ...gorseLists(context, settings),
  ];
}

type Kind = "user" | "item" | "feedback";

const KEYS: Readonly<Record<Kind, readonly string[]>> = {
  user: ["UserId"],
  item: ["ItemId"],
  feedback: ["FeedbackType", "UserId", "ItemId"],
};

function writes(context: ApiContext, items: ItemMirror, settings: GorseSettings): Endpoint[] {
  const { readTypes = DEFAULT_READ_TYPES } = settings;
  const map = (kind: Kind) => (value: unknown) => {
    const record = objectOf(value, `the ${kind}`);
    const own = Object.fromEntries(KEYS[kind].map((key) => [key, requiredIn(record, key)]));
    // The adapter tells kinds apart by the keys of the others.
    const others: JsonObject = kind === "feedback"
      ? {}
      : kind === "user"
      ? { FeedbackType: undefined, ItemId: undefined }
      : { FeedbackType: undefined };
    return parseGorse({ ...record, ...own, ...others }, { time: context.now(), readTypes });
  };
  const post = (kind: "user" | "feedback") => async ({ request }: Call) => {
    const values = await readValues(context, request);
    await take(context, recordsOf(context, mapAll(context, values, map(kind))));
    return success(values.length);
  };
  const postItems = async ({ request }: Call) => {
    const values = await readValues(context, request);
    const own = mapAll(context, values, map("item")).filter((one) => one.kind === "item");
    await items.change(own.map(({ item }, index) => ({
      id: item.item,
      change: (before) => inPlaceOf(before, item, values[index] as JsonObject), // or it would be no item,
    })));
    return success(values.length);
  };
  const changeItem = async (id: string, patchOf: (before: JsonObject) => JsonObject) => {
    await items.change([{
      id,
      change: (before) => {
        if (before === undefined) throw new Problem("not-found", "The item is not in the catalogue");
        const known = gorseItem(before);
        const value = patched(known, patchOf(known));
        const [own] = mapAll(context, [value], map("item"));
        if (own?.kind !== "item") throw new Error("Cannot change an item: the patch made none");
        return inPlaceOf(before, own.item, value);
      },
    }]);
    return success(1);
  };
  const categories = (before: JsonObject) => before["Categories"] as readonly string[]; // as `gorseItem` makes it
  const write = sharing({
    scope: "events",
    answers: { 200: { description: "All of it is durable", schema: SCHEMAS.GorseSuccess } },
    problems: ["unavailable"],
  });
  return [
    write("POST /api/user", "InsertUser", {
      summary: "sets labels of a user",
      body: jsonBody(SCHEMAS.GorseUser),
      local: true,
      handle: post("user"),
    }),
    write("POST /api/users", "InsertUsers", {
      summary: "sets labels of users",
      body: jsonBody(SCHEMAS.GorseUser, true),
      local: true,
      handle: post("user"),
    }),
    write("PATCH /api/user/:user", "PatchUser", {
      summary: "changes labels of a user",
      body: jsonBody(SCHEMAS.GorseUserPatch),
      handle: async ({ request, parameters: { user } }) => {
        const [value] = await readValues(context, request);
        const own = mapAll(
          context,
          [value],
          (patch) => map("user")({ ...objectOf(patch, "the patch"), UserId: user }),
        );
        await take(context, recordsOf(context, own));
        return success(1);
      },
    }),
    write("DELETE /api/user/:user", "DeleteUser", {
      summary: "erases a user",
      scope: "admin",
      problems: ["refused", "unavailable"],
      handle: async ({ parameters: { user = "" } }) => {
        const event = { type: "forget", user, time: context.now() } as const;
        await take(context, recordsOf(context, mapAll(context, [event], () => ({ events: [event] }))));
        return success(1);
      },
    }),
    write("POST /api/item", "InsertItem", {
      summary: "adds or replaces an item",
      body: jsonBody(SCHEMAS.GorseItem),
      handle: postItems,
    }),
    write("POST /api/items", "InsertItems", {
      summary: "adds or replaces items",
      body: jsonBody(SCHEMAS.GorseItem, true),
      handle: postItems,
    }),
    write("PATCH /api/item/:item", "PatchItem", {
      summary: "changes fields of an item",
      body: jsonBody(SCHEMAS.GorseItemPatch),
      problems: ["not-found", "unavailable"],
      handle: async ({ request, parameters: { item = "" } }) => {
        const [value] = await readValues(context, request);
        if (isRecord(value)) return await changeItem(item, () => value);
        throw new Problem("bad-body", "The body is no object");
      },
    }),
    write("DELETE /api/item/:item", "DeleteItem", {
      summary: "removes an item",
      handle: async ({ parameters: { item = "" } }) => {
        await items.change([{ id: item, change: () => undefined }]);
        return success(1);
      },
    }),
    write("PUT /api/item/:item/category/:category", "InsertItemCategory", {
      summary: "puts an item into a category",
      problems: ["not-found", "refused", "unavailable"],
      handle: ({ parameters: { item = "", category = "" } }) =>
        changeItem(item, (before) => ({ Categories: [...new Set([...categories(before), category])] })),
    }),
    write("DELETE /api/item/:item/category/:category", "DeleteItemCategory", {
      summary: "takes an item out of a category",
      problems: ["not-found", "refused", "unavailable"],
      handle: ({ parameters: { item = "", category = "" } }) =>
        changeItem(
          item,
          (before) => ({ Categories: categories(before).filter((each) => each !== category) }),
        ),
    }),
    write("POST /api/feedback", "InsertFeedback", {
      summary: "adds feedback",
      body: jsonBody(SCHEMAS.GorseFeedback, true),
      local: true,
      handle: post("feedback"),
    }),
    write("PUT /api/feedback", "UpsertFeedback", {
      summary: "adds feedback; what was there stays",
      body: jsonBody(SCHEMAS.GorseFeedback, true),
      local: true,
      handle: post("feedback"),
    }),
  ];
}

function success(rows: number): Response {
  return Response.json({ RowAffected: rows });
}
