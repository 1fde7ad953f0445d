/**
 * Metarank's events: `item`, `user`, `ranking` and `interaction`.
 *
 * | Metarank                     | here                                                                            |
 * | ---------------------------- | ------------------------------------------------------------------------------- |
 * | `item` (`metadata`)          | item; the fields `title`, `category`, `categories` are ours, others attributes  |
 * | `user`                       | `profile`                                                                       |
 * | `ranking`                    | `impression`, its `id` is the request; fields are its context                   |
 * | `label` > 0 of a ranked item | a `click` right after it                                                        |
 * | `interaction`                | `interaction`; `type` is the action, `ranking` the request, field `value` the value |
 * | `session` without a `user`   | stands for the user                                                             |
 *
 * Fields without a counterpart (`session`, `tenant`, fields of ranked items, lists of numbers) are kept on the event.
 * Unknown fields of an event are dropped, as Metarank ignores them.
 *
 * Source: `Event.scala` of Metarank 0.7.11.
 */

import { checkItem } from "../events/check.ts";
import type { ImpressionEvent, InteractionEvent, ProfileEvent } from "../events/event.ts";
import { shown } from "../events/rejected.ts";
import {
  fieldError,
  given,
  type JsonObject,
  type Mapped,
  numberIn,
  objectOf,
  parseDate,
  requiredIn,
  splitAttributes,
  stringIn,
} from "./mapped.ts";

const PARSERS: Readonly<Record<string, (record: JsonObject) => Mapped>> = {
  item: parseItem,
  metadata: parseItem,
  user: parseUser,
  ranking: parseRanking,
  interaction: parseInteraction,
};

/**
 * Maps an event of Metarank.
 *
 * @throws SyntaxError when it is not such an event
 *
 * @example
 * ```ts
 * import { parseMetarank } from "@meander/meander/core";
 * import assert from "node:assert/strict";
 *
 * const click = {
 *   event: "interaction", id: "e1", timestamp: 1700000000000, fields: [],
 *   user: "ann", item: "tent", type: "click", ranking: "r1",
 * };
 * const { events = [] } = parseMetarank(click);
 * assert.deepEqual(events, [
 *   {
 *     type: "interaction", id: "e1", user: "ann", time: 1700000000000,
 *     item: "tent", action: "click", request: "r1",
 *   },
 * ]);
 * ```
 */
export function parseMetarank(value: unknown): Mapped {
  const record = objectOf(value, "the event");
  const kind = requiredIn(record, "event");
  if (Object.hasOwn(PARSERS, kind)) return PARSERS[kind]!(record);
  throw fieldError("event", `one of ${Object.keys(PARSERS).join(", ")}`, kind);
}

function parseItem(record: JsonObject): Mapped {
  const item = requiredIn(record, "item");
  const time = timeIn(record);
  const own: Record<string, unknown> = {};
  const rest: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(namedValues(record))) {
    const isOurs = OWN_ITEM_FIELDS.includes(name) && checkItem({ item: "i", time, [name]: value }).ok;
    (isOurs ? own : rest)[name] = value;
  }
  return { items: [{ item, time, ...own, ...splitAttributes(rest), ...shared(record) }] };
}

const OWN_ITEM_FIELDS = ["title", "category", "categories"];

function parseUser(record: JsonObject): Mapped {
  const user = requiredIn(record, "user");
  const { attributes = {}, other } = splitAttributes(namedValues(record));
  const profile: ProfileEvent = { type: "profile", user, time: timeIn(record), attributes };
  return { events: [{ ...profile, ...given({ other }), ...shared(record) }] };
}

function parseRanking(record: JsonObject): Mapped {
  const request = requiredIn(record, "id");
  const time = timeIn(record);
  const who = userOf(record);
  const { items } = record;
  if (!Array.isArray(items)) throw fieldError("items", "a list", items);
  const shownItems = items.map((item, i) => objectOf(item, `items[${i}]`));
  const ids = shownItems.map((item) => requiredIn(item, "id"));
  const { attributes: context, other } = splitAttributes(namedValues(record));
  const impression: ImpressionEvent = {
    type: "impression",
    ...who,
    time,
    request,
    items: ids,
    ...given({
      context,
      other,
      labels: listOf(shownItems, (item) => numberIn(item, "label")),
      relevancies: listOf(shownItems, (item) => numberIn(item, "relevancy")),
      itemFields: listOf(shownItems, (item) => {
        const values = namedValues(item);
        return Object.keys(values).length === 0 ? undefined : values;
      }),
    }),
    ...shared(record),
  };
  const clicks = shownItems.flatMap((item, i): InteractionEvent[] => {
    if ((numberIn(item, "label") ?? 0) <= 0) return [];
    const implied = { implied: true };
    const { user } = who;
    return [{ type: "interaction", user, time, item: ids[i] ?? "", action: "click", request, ...implied }];
  });
  return { events: [impression, ...clicks] };
}

function parseInteraction(record: JsonObject): Mapped {
  const { value, ...rest } = namedValues(record);
  const isValue = typeof value === "number";
  const other = isValue || value === undefined ? rest : { ...rest, value };
  const interaction: InteractionEvent = {
    type: "interaction",
    ...userOf(record),
    time: timeIn(record),
    item: requiredIn(record, "item"),
    action: requiredIn(record, "type"),
    ...given({
      request: stringIn(record, "ranking"),
      value: isValue ? value : undefined,
      other: Object.keys(other).length > 0 ? other : undefined,
    }),
    ...shared(record),
  };
  return { events: [interaction] };
}

function shared(record: JsonObject): { readonly id?: string; readonly tenant?: string } {
  return given({ id: stringIn(record, "id"), tenant: stringIn(record, "tenant") });
}

function userOf(
  record: JsonObject,
): { readonly user: string; readonly session?: string; readonly anonymous?: true } {
  const user = stringIn(record, "user");
  const session = stringIn(record, "session");
  if (user !== undefined) return { user, ...given({ session }) };
  if (session !== undefined) return { user: session, anonymous: true };
  throw new SyntaxError("Cannot find the user of the event: it has neither a user nor a session");
}

/** A list with `null` where `value` has none; `undefined` when it has none anywhere. */
function listOf<T>(items: readonly JsonObject[], value: (item: JsonObject) => T | undefined): unknown {
  const values = items.map((item) => value(item) ?? null);
  return values.every((each) => each === null) ? undefined : values;
}

/** `[{name, value}]` as values by name. @throws SyntaxError when it is malformed, or repeats a name */
function namedValues({ fields }: JsonObject): JsonObject {
  if (fields === undefined || fields === null) return {};
  if (!Array.isArray(fields)) throw fieldError("fields", "a list", fields);
  const values: Record<string, unknown> = {};
  for (const [i, each] of fields.entries()) {
    const field = objectOf(each, `fields[${i}]`);
    const name = requiredIn(field, "name");
    if (Object.hasOwn(values, name)) {
      throw new SyntaxError(`Cannot take fields: ${shown(name)} occurs twice`);
    }
    const { value } = field;
    if (value === undefined || (typeof value === "object" && !Array.isArray(value))) {
      const wanted = "a string, a number, true, false, or a list";
      throw fieldError(`fields[${i}].value`, wanted, value);
    }
    values[name] = value;
  }
  return values;
}

function timeIn({ timestamp }: JsonObject): number {
  if (typeof timestamp === "number") return timestamp;
  const text = typeof timestamp === "string" ? timestamp : "";
  const time = /^\d{1,16}$/.test(text) ? Number(text) : parseDate(text);
  if (!Number.isNaN(time)) return time;
  throw fieldError("timestamp", "milliseconds or a date", timestamp);
}
