/**
 * Gorse's users, items and feedback: JSON of its REST API, and rows of its CSV exports.
 *
 * | Gorse                                          | here                                                           |
 * | ---------------------------------------------- | -------------------------------------------------------------- |
 * | user: `Labels`                                 | `profile` with these attributes                                |
 * | item: `Categories`, `Labels`, `Comment`        | item: `categories`, attributes, `title`; `IsHidden` is `hidden` |
 * | feedback of a read type                        | `impression` of one item: seen, perhaps not wanted             |
 * | other feedback                                 | `interaction`; the type is the action, `Value` the value       |
 *
 * The configuration says which actions are positive (`actions`), as `positive_feedback_types` does in Gorse. Repeats are
 * kept, while Gorse adds them up. `Updated`, labels of feedback and values that cannot be attributes are kept on the
 * event. Years before 1990, such as Go's zero time, count as no time.
 *
 * Source: Gorse 0.5.11.
 */

import { checkItem } from "../events/check.ts";
import type { Event, ItemRecord, ProfileEvent } from "../events/event.ts";
import { MIN_TIME_MS } from "../events/limits.ts";
import { reasonOf } from "../values/reason.ts";
import { isRecord } from "../values/record.ts";
import type { Row } from "./fields.ts";
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

export const DEFAULT_READ_TYPES: readonly string[] = ["read"];

/** Options of {@linkcode parseGorse}. */
export interface GorseOptions {
  /** Time of records without one, milliseconds since the epoch. */
  readonly time: number;
  /** Feedback types that only say that the item was seen. @default {["read"]} */
  readonly readTypes?: readonly string[];
}

/** JSON fields by column of the CSV exports. */
const COLUMNS: ReadonlyMap<string, string> = new Map([
  ["user_id", "UserId"],
  ["item_id", "ItemId"],
  ["feedback_type", "FeedbackType"],
  ["value", "Value"],
  ["time_stamp", "Timestamp"],
  ["timestamp", "Timestamp"],
  ["updated", "Updated"],
  ["is_hidden", "IsHidden"],
  ["categories", "Categories"],
  ["labels", "Labels"],
  ["description", "Comment"],
  ["comment", "Comment"],
]);

/**
 * Maps a user, an item or a feedback of Gorse, told apart by their fields.
 *
 * @throws SyntaxError when it is none of them
 *
 * @example
 * ```ts
 * import { parseGorse } from "@meander/meander/core";
 * import assert from "node:assert/strict";
 *
 * const star = { FeedbackType: "star", UserId: "ann", ItemId: "deno", Timestamp: "2023-11-14T22:13:20.000Z" };
 * const { events = [] } = parseGorse(star, { time: 0 });
 * assert.deepEqual(events, [
 *   { type: "interaction", user: "ann", time: 1_700_000_000_000, item: "deno", action: "star" },
 * ]);
 * ```
 */
export function parseGorse(value: unknown, options: GorseOptions): Mapped {
  const record = objectOf(value, "the record");
  const has = (field: string) => record[field] !== undefined && record[field] !== null;
  if (has("FeedbackType")) return { events: [parseFeedback(record, options)] };
  if (has("ItemId")) return { items: [parseItem(record, options.time)] };
  if (has("UserId")) return { events: [parseUser(record, options.time)] };
  throw new SyntaxError("Cannot take it as a user, an item or a feedback: it has no UserId and no ItemId");
}

/** The JSON of a row of a CSV export. @throws SyntaxError when labels are not JSON */
export function gorseRow(row: Row): JsonObject {
  const record: Record<string, unknown> = {};
  for (const [column, text] of Object.entries(row)) {
    const field = COLUMNS.get(column);
    if (field !== undefined && text !== "") record[field] = cellOf(field, text);
  }
  return record;
}

function cellOf(field: string, text: string): unknown {
  switch (field) {
    case "IsHidden":
      return text === "1" || /^true$/i.test(text);
    case "Categories":
      return text.split("|");
    case "Value":
      return Number(text);
    case "Labels":
      try {
        return JSON.parse(text);
      } catch (cause) {
        throw new SyntaxError(`Cannot take column labels as JSON: ${reasonOf(cause)}`, { cause });
      }
    default:
      return text;
  }
}

function parseFeedback(record: JsonObject, { time, readTypes = DEFAULT_READ_TYPES }: GorseOptions): Event {
  const action = requiredIn(record, "FeedbackType");
  const base = { user: requiredIn(record, "UserId"), time: timeIn(record) ?? time };
  const item = requiredIn(record, "ItemId");
  const value = numberIn(record, "Value");
  const kept = given({
    updated: stringIn(record, "Updated"),
    labels: record["Labels"] ?? undefined,
    comment: stringIn(record, "Comment") || undefined,
  });
  if (!readTypes.includes(action)) {
    return { type: "interaction", ...base, item, action, ...given({ value }), ...kept };
  }
  const feedback = action === "read" ? undefined : action;
  return { type: "impression", ...base, items: [item], ...given({ value, feedback }), ...kept };
}

function parseUser(record: JsonObject, time: number): Event {
  const { attributes = {}, ...rest } = splitLabels(record);
  const profile: ProfileEvent = { type: "profile", user: requiredIn(record, "UserId"), time, attributes };
  return { ...profile, ...rest, ...given({ comment: stringIn(record, "Comment") || undefined }) };
}

function parseItem(record: JsonObject, time: number): ItemRecord {
  const item = requiredIn(record, "ItemId");
  const hidden = record["IsHidden"] ?? false;
  if (typeof hidden !== "boolean") throw fieldError("IsHidden", "true or false", hidden);
  const categories = record["Categories"] ?? [];
  if (!Array.isArray(categories)) throw fieldError("Categories", "a list", categories);
  const comment = stringIn(record, "Comment") || undefined;
  const isTitle = checkItem({ item: "i", time: MIN_TIME_MS, title: comment }).ok;
  return {
    item,
    time: timeIn(record) ?? time,
    ...given({ hidden: hidden || undefined, categories: categories.length > 0 ? categories : undefined }),
    ...given(isTitle ? { title: comment } : { comment }),
    ...splitLabels(record),
  };
}

/** Labels that are an object become attributes; others are kept, and become an attribute `labels` if they can. */
function splitLabels(
  { Labels: labels }: JsonObject,
): ReturnType<typeof splitAttributes> & { readonly labels?: unknown } {
  if (labels === undefined || labels === null) return {};
  if (isRecord(labels)) return splitAttributes(labels);
  return { ...splitAttributes({ labels }), labels };
}

function timeIn(record: JsonObject): number | undefined {
  const text = stringIn(record, "Timestamp") || undefined; // as in Gorse, an empty one is absent
  if (text === undefined) return undefined;
  const time = parseDate(text);
  if (Number.isNaN(time)) throw fieldError("Timestamp", "a date", text);
  return time < MIN_TIME_MS ? undefined : time;
}
