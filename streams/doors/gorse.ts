/**
 * Gorse's REST API: users, items and feedback in, recommendations out. Differences:
 * docs/how-to/migrate-from-gorse-or-metarank.md.
 *
 * Source: `server/rest.go` of Gorse 0.5.11.
 */

import { DEFAULT_READ_TYPES, parseGorse } from "../../src/adapters/gorse.ts";
import { type JsonObject, type Mapped, objectOf, requiredIn } from "../../src/adapters/mapped.ts";
import type { ItemRecord } from "../../src/events/event.ts";
import type { OwnRecord } from "../../src/events/own_record.ts";
import { isRecord } from "../../src/values/record.ts";
import type { ApiContext } from "../http/context.ts";
import { Problem } from "../http/contract/problem.ts";
import type { GorseSettings } from "../http/contract/settings.ts";
import type { Call, Endpoint } from "../http/endpoint.ts";
import { arrivedRecords } from "../http/intake.ts";
import type { ItemMirror } from "../http/routes/item_mirror.ts";
import { atOnce } from "../../src/values/portions.ts";
import { mapAll, readValues, takeOwn } from "./door.ts";
import { jsonBody, sharing } from "./gorse_endpoint.ts";
import { gorseLists } from "./gorse_lists.ts";
import { gorseReads } from "./gorse_reads.ts";
import { gorseItem, inPlaceOf, patched } from "./gorse_records.ts";
import { SCHEMAS } from "./schemas.ts";

export function gorseEndpoints(
  context: ApiContext,
  items: ItemMirror,
  settings: GorseSettings = {},
): readonly Endpoint[] {
  const intake = new Intake(context, items, settings);
  return [
    ...userWrites(intake),
    ...itemWrites(intake),
    ...feedbackWrites(intake),
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
/** The keys by which the adapter would mistake a record for another kind. */
const WITHOUT: Readonly<Record<Kind, JsonObject>> = {
  user: { FeedbackType: undefined, ItemId: undefined },
  item: { FeedbackType: undefined },
  feedback: {},
};

const WRITES = {
  answers: { 200: { description: "All of it is durable", schema: SCHEMAS.GorseSuccess } },
  problems: ["unavailable"],
} as const;
const write = sharing({ ...WRITES, scope: "events" });
const writeItems = sharing({ ...WRITES, scope: "items" });

function userWrites(intake: Intake): readonly Endpoint[] {
  const post = async (call: Call) => await intake.post("user", call);
  return [
    write("POST /api/user", "InsertUser", {
      summary: "sets labels of a user",
      body: jsonBody(SCHEMAS.GorseUser),
      handle: post,
    }),
    write("POST /api/users", "InsertUsers", {
      summary: "sets labels of users",
      body: jsonBody(SCHEMAS.GorseUser, true),
      handle: post,
    }),
    write("PATCH /api/user/:user", "PatchUser", {
      summary: "changes labels of a user",
      body: jsonBody(SCHEMAS.GorseUserPatch),
      handle: async (call) => await intake.patchUser(call),
    }),
    write("DELETE /api/user/:user", "DeleteUser", {
      summary: "erases a user",
      scope: "admin",
      problems: ["refused", "unavailable"],
      handle: async (call) => await intake.forget(call),
    }),
  ];
}

function itemWrites(intake: Intake): readonly Endpoint[] {
  const post = async (call: Call) => await intake.postItems(call);
  const categoryOf = ({ parameters: { category = "" } }: Call) => category;
  const categories = (before: JsonObject) => before["Categories"] as readonly string[]; // as `gorseItem` makes it
  return [
    writeItems("POST /api/item", "InsertItem", {
      summary: "adds or replaces an item",
      body: jsonBody(SCHEMAS.GorseItem),
      handle: post,
    }),
    writeItems("POST /api/items", "InsertItems", {
      summary: "adds or replaces items",
      body: jsonBody(SCHEMAS.GorseItem, true),
      handle: post,
    }),
    writeItems("PATCH /api/item/:item", "PatchItem", {
      summary: "changes fields of an item",
      body: jsonBody(SCHEMAS.GorseItemPatch),
      problems: ["not-found", "unavailable"],
      handle: async (call) => await intake.patchItem(call),
    }),
    writeItems("DELETE /api/item/:item", "DeleteItem", {
      summary: "removes an item",
      handle: async (call) => await intake.removeItem(call),
    }),
    writeItems("PUT /api/item/:item/category/:category", "InsertItemCategory", {
      summary: "puts an item into a category",
      problems: ["not-found", "refused", "unavailable"],
      handle: async (call) =>
        await intake.changeItem(call, (before) => ({
          Categories: [...new Set([...categories(before), categoryOf(call)])],
        })),
    }),
    writeItems("DELETE /api/item/:item/category/:category", "DeleteItemCategory", {
      summary: "takes an item out of a category",
      problems: ["not-found", "refused", "unavailable"],
      handle: async (call) =>
        await intake.changeItem(call, (before) => ({
          Categories: categories(before).filter((each) => each !== categoryOf(call)),
        })),
    }),
  ];
}

function feedbackWrites(intake: Intake): readonly Endpoint[] {
  const shared = {
    body: jsonBody(SCHEMAS.GorseFeedback, true),
    handle: async (call: Call) => await intake.post("feedback", call),
  } as const;
  return [
    write("POST /api/feedback", "InsertFeedback", { summary: "adds feedback", ...shared }),
    write("PUT /api/feedback", "UpsertFeedback", {
      summary: "adds feedback; existing feedback stays",
      ...shared,
    }),
  ];
}

/** Accepts what clients write; answers with the number of rows. */
class Intake {
  readonly #context: ApiContext;
  readonly #items: ItemMirror;
  readonly #readTypes: readonly string[];

  constructor(
    context: ApiContext,
    items: ItemMirror,
    { readTypes = DEFAULT_READ_TYPES }: GorseSettings,
  ) {
    this.#context = context;
    this.#items = items;
    this.#readTypes = readTypes;
  }

  /** Takes users or feedback. */
  async post(kind: "user" | "feedback", call: Call): Promise<Response> {
    const values = await readValues(this.#context, call);
    await this.#take(await this.#mapAll(kind, values, call.caller), call.caller);
    return success(values.length);
  }

  async patchUser(call: Call): Promise<Response> {
    const { parameters: { user = "" }, caller } = call;
    const [value] = await readValues(this.#context, call);
    const patch = (given: unknown) => this.#map("user", { ...objectOf(given, "the patch"), UserId: user });
    await this.#take(atOnce(mapAll(this.#context, [value], patch)), caller);
    return success(1);
  }

  async forget({ parameters: { user = "" }, caller }: Call): Promise<Response> {
    const event = { type: "forget", user, time: this.#context.now() } as const;
    await this.#take(atOnce(mapAll(this.#context, [event], () => ({ events: [event] }))), caller);
    return success(1);
  }

  /** Adds or replaces items. */
  async postItems(call: Call): Promise<Response> {
    const values = await readValues(this.#context, call);
    const own = (await this.#mapAll("item", values, call.caller)).filter((one) => one.kind === "item");
    const { topics, now, work } = this.#context;
    await work.run(call.caller, arrivedRecords(topics, own, now())); // none is too large, or none is taken
    const changes = own.map(({ item }, index) => ({
      id: item.item,
      change: (before: ItemRecord | undefined) => inPlaceOf(before, item, values[index] as JsonObject), // or it would not be an item
    }));
    await this.#items.change(changes, call.caller);
    return success(values.length);
  }

  async patchItem(call: Call): Promise<Response> {
    const [value] = await readValues(this.#context, call);
    if (isRecord(value)) return await this.changeItem(call, () => value);
    throw new Problem("bad-body", "The body is not an object");
  }

  async removeItem({ parameters: { item: id = "" }, caller }: Call): Promise<Response> {
    await this.#items.change([{ id, change: () => undefined }], caller);
    return success(1);
  }

  /** Changes fields of an item in the catalogue. @throws Problem `not-found` */
  async changeItem(
    { parameters: { item: id = "" }, caller }: Call,
    patchOf: (before: JsonObject) => JsonObject,
  ): Promise<Response> {
    const change = (before: ItemRecord | undefined) => {
      if (before === undefined) throw new Problem("not-found", "The item is not in the catalogue");
      const known = gorseItem(before);
      const value = patched(known, patchOf(known));
      const [own] = atOnce(mapAll(this.#context, [value], (one) => this.#map("item", one)));
      if (own?.kind !== "item") throw new Error("Cannot change an item: the patch made none");
      return inPlaceOf(before, own.item, value);
    };
    await this.#items.change([{ id, change }], caller);
    return success(1);
  }

  async #take(own: readonly OwnRecord[], caller: string): Promise<void> {
    await takeOwn(this.#context, own, caller);
  }

  async #mapAll(kind: Kind, values: readonly unknown[], caller: string): Promise<readonly OwnRecord[]> {
    const { work } = this.#context;
    return await work.run(caller, mapAll(this.#context, values, (value) => this.#map(kind, value)));
  }

  #map(kind: Kind, value: unknown): Mapped {
    const record = objectOf(value, `the ${kind}`);
    const own = Object.fromEntries(KEYS[kind].map((key) => [key, requiredIn(record, key)]));
    const context = { time: this.#context.now(), readTypes: this.#readTypes };
    return parseGorse({ ...record, ...own, ...WITHOUT[kind] }, context);
  }
}

function success(rows: number): Response {
  return Response.json({ RowAffected: rows });
}
