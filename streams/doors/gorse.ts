/**
 * Gorse's REST API: users, items and feedback in, recommendations out. docs/how-to/migrate-from-gorse-or-metarank.md says what differs.
 *
 * Read in Gorse 0.5.11 (`server/rest.go`).
 *
 * @module
 */

import { DEFAULT_READ_TYPES, parseGorse } from "../../src/adapters/gorse.ts";
import { type JsonObject, objectOf, requiredIn } from "../../src/adapters/mapped.ts";
import type { Call, Endpoint } from "../http/endpoint.ts";
import type { ApiContext } from "../http/context.ts";
import { Problem } from "../http/contract/problem.ts";
import type { NamedSchema } from "../http/contract/named_schema.ts";
import type { GorseSettings } from "../http/contract/settings.ts";
import { mapAll, readValues, recordsOf, take } from "./door.ts";
import { gorseLists } from "./gorse_lists.ts";
import { gorseItem, inPlaceOf, patched } from "./gorse_records.ts";
import { gorseReads } from "./gorse_reads.ts";
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

const ID = { user: "Id of the user", item: "Id of the item" };
const SUCCESS = { 200: { description: "All of it is durable", schema: SCHEMAS.GorseSuccess } } as const;

function writes(context: ApiContext, items: ItemMirror, settings: GorseSettings): Endpoint[] {
  const { readTypes = DEFAULT_READ_TYPES } = settings;
  const map = (kind: Kind) => (value: unknown) => {
    const record = objectOf(value, `the ${kind}`);
    const own = Object.fromEntries(KEYS[kind].map((key) => [key, requiredIn(record, key)]));
    // What belongs to another kind of record would make it one.
    const others = kind === "feedback" ? {} : { FeedbackType: undefined };
    const stranger = kind === "user" ? { ItemId: undefined } : {};
    return parseGorse({ ...record, ...own, ...others, ...stranger }, { time: context.now(), readTypes });
  };
  const post = async (kind: "user" | "feedback", { request }: Call) => {
    const values = await readValues(context, request);
    await take(context, recordsOf(context, mapAll(context, values, map(kind))));
    return success(values.length);
  };
  const postItems = async ({ request }: Call) => {
    const values = await readValues(context, request);
    const own = mapAll(context, values, map("item")).filter((one) => one.kind === "item");
    await items.change(own.map(({ item }, index) => ({
      id: item.item,
      change: (before) => inPlaceOf(before, item, values[index] as JsonObject),
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
  const categories = (before: JsonObject) => before["Categories"] as readonly string[];
  const body = (schema: NamedSchema, many?: true) =>
    ({ kinds: ["json"], schema, ...(many ? { many } : {}) }) as const;
  const written = { scope: "events", answers: SUCCESS, problems: ["unavailable"] } as const;
  const inCategory = { item: ID.item, category: "The category" };
  return [
    {
      ...{
        method: "POST",
        path: "/api/user",
        id: "gorseInsertUser",
        summary: "Gorse: sets labels of a user",
      },
      ...{ ...written, body: body(SCHEMAS.GorseUser), local: true, handle: (call) => post("user", call) },
    },
    {
      ...{
        method: "POST",
        path: "/api/users",
        id: "gorseInsertUsers",
        summary: "Gorse: sets labels of users",
      },
      ...{
        ...written,
        body: body(SCHEMAS.GorseUser, true),
        local: true,
        handle: (call) => post("user", call),
      },
    },
    {
      ...{ method: "PATCH", path: "/api/user/:user", id: "gorsePatchUser" },
      ...{ summary: "Gorse: changes labels of a user", parameters: { user: ID.user } },
      ...{ ...written, body: body(SCHEMAS.GorseUserPatch) },
      handle: async ({ request, parameters }) => {
        const [value] = await readValues(context, request);
        const user = mapAll(
          context,
          [value],
          (patch) => map("user")({ ...objectOf(patch, "the patch"), UserId: parameters["user"] }),
        );
        await take(context, recordsOf(context, user));
        return success(1);
      },
    },
    {
      ...{ method: "DELETE", path: "/api/user/:user", id: "gorseDeleteUser" },
      ...{ summary: "Gorse: erases a user", parameters: { user: ID.user } },
      ...{ ...written, scope: "admin", problems: ["refused", "unavailable"] },
      handle: async ({ parameters }) => {
        const forget = mapAll(context, [parameters["user"]], (user) => ({
          events: [{ type: "forget", user: user as string, time: context.now() }],
        }));
        await take(context, recordsOf(context, forget));
        return success(1);
      },
    },
    {
      ...{
        method: "POST",
        path: "/api/item",
        id: "gorseInsertItem",
        summary: "Gorse: adds or replaces an item",
      },
      ...{ ...written, body: body(SCHEMAS.GorseItem), handle: postItems },
    },
    {
      ...{
        method: "POST",
        path: "/api/items",
        id: "gorseInsertItems",
        summary: "Gorse: adds or replaces items",
      },
      ...{ ...written, body: body(SCHEMAS.GorseItem, true), handle: postItems },
    },
    {
      ...{ method: "PATCH", path: "/api/item/:item", id: "gorsePatchItem" },
      ...{ summary: "Gorse: changes fields of an item", parameters: { item: ID.item } },
      ...{ ...written, body: body(SCHEMAS.GorseItemPatch), problems: ["not-found", "unavailable"] },
      handle: async ({ request, parameters }) => {
        const [value] = await readValues(context, request);
        if (typeof value !== "object" || value === null) {
          throw new Problem("bad-body", "The body is no object");
        }
        return await changeItem(parameters["item"] ?? "", () => value as JsonObject);
      },
    },
    {
      ...{ method: "DELETE", path: "/api/item/:item", id: "gorseDeleteItem" },
      ...{ summary: "Gorse: removes an item", parameters: { item: ID.item }, ...written },
      handle: async ({ parameters }) => {
        await items.change([{ id: parameters["item"] ?? "", change: () => undefined }]);
        return success(1);
      },
    },
    {
      ...{ method: "PUT", path: "/api/item/:item/category/:category", id: "gorseInsertItemCategory" },
      ...{ summary: "Gorse: puts an item into a category", parameters: inCategory },
      ...{ ...written, problems: ["not-found", "refused", "unavailable"] },
      handle: ({ parameters: { item = "", category = "" } }) =>
        changeItem(item, (before) => ({ Categories: [...new Set([...categories(before), category])] })),
    },
    {
      ...{ method: "DELETE", path: "/api/item/:item/category/:category", id: "gorseDeleteItemCategory" },
      ...{ summary: "Gorse: takes an item out of a category", parameters: inCategory },
      ...{ ...written, problems: ["not-found", "refused", "unavailable"] },
      handle: ({ parameters: { item = "", category = "" } }) =>
        changeItem(
          item,
          (before) => ({ Categories: categories(before).filter((each) => each !== category) }),
        ),
    },
    {
      ...{
        method: "POST",
        path: "/api/feedback",
        id: "gorseInsertFeedback",
        summary: "Gorse: adds feedback",
      },
      ...{
        ...written,
        body: body(SCHEMAS.GorseFeedback, true),
        local: true,
        handle: (call) => post("feedback", call),
      },
    },
    {
      ...{ method: "PUT", path: "/api/feedback", id: "gorseUpsertFeedback" },
      ...{ summary: "Gorse: adds feedback; what was there stays", body: body(SCHEMAS.GorseFeedback, true) },
      ...{ ...written, local: true, handle: (call) => post("feedback", call) },
    },
  ];
}

type Kind = "user" | "item" | "feedback";

const KEYS: Readonly<Record<Kind, readonly string[]>> = {
  user: ["UserId"],
  item: ["ItemId"],
  feedback: ["FeedbackType", "UserId", "ItemId"],
};

function success(rows: number): Response {
  return Response.json({ RowAffected: rows });
}
