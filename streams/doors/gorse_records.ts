/** Gorse's users, items and feedback, made from the state of a deployment. */

import { type JsonObject, parseDate, stringIn } from "../../src/adapters/mapped.ts";
import type { Attributes, ItemRecord } from "../../src/events/event.ts";
import { fieldOf, isRecord } from "../../src/values/record.ts";
import type { UserState } from "../../src/users/user_state.ts";
import type { Task } from "../task/task.ts";

/** Gorse's zero time. */
const NO_TIME = "0001-01-01T00:00:00Z";
/** Fields of feedback that are not stored. */
const BLANK = { Value: 0, Updated: NO_TIME, Labels: null, Comment: "" };

/** A user in Gorse's form; comments are not kept. */
export function gorseUser(id: string, profile: Attributes): JsonObject {
  return { UserId: id, Labels: labelsOf(profile), Comment: "" };
}

/** An item in Gorse's form, with all fields. */
export function gorseItem(item: ItemRecord): JsonObject {
  const { category, categories = category === undefined ? [] : [category], attributes } = item;
  const other = fieldOf(item, "other");
  const labels = { ...attributes, ...(isRecord(other) && other) };
  return {
    IsHidden: item.hidden ?? false,
    Labels: fieldOf(item, "labels") ?? (Object.keys(labels).length === 0 ? null : labels),
    Comment: item.title ?? fieldOf(item, "comment") ?? "",
    ItemId: item.item,
    Categories: categories,
    Timestamp: fieldOf(item, "timestamp") ?? new Date(item.time).toISOString(),
  };
}

/** The newest behaviours of a user as feedback: one per type and item, ordered by the first of each. */
export function gorseFeedback({ id, row }: UserState, { state }: Task): readonly JsonObject[] {
  const { sequences, catalogue } = state;
  const feedback = new Map<string, Record<string, unknown>>();
  for (let i = 0; i < sequences.length(row); i++) {
    const type = sequences.action(row, i);
    const { id: item } = catalogue.at(sequences.item(row, i));
    const time = new Date(sequences.time(row, i)).toISOString();
    const key = `${type}\n${item}`;
    const known = feedback.get(key);
    if (known !== undefined) known["Updated"] = time;
    else feedback.set(key, { ...BLANK, FeedbackType: type, UserId: id, ItemId: item, Timestamp: time });
  }
  return [...feedback.values()];
}

/** An item with the fields of a patch in place of its own. */
export function patched(item: JsonObject, patch: JsonObject): JsonObject {
  const given = Object.entries(patch).filter(([name, value]) => value !== null && name !== "ItemId");
  return { ...item, ...Object.fromEntries(given) };
}

/**
 * The item, with a time no older than that of the record that it replaces, since tasks ignore older ones. The requested
 * time is kept on it.
 */
export function inPlaceOf(before: ItemRecord | undefined, item: ItemRecord, asked: JsonObject): ItemRecord {
  if (before === undefined || item.time >= before.time) return item;
  const text = stringIn(asked, "Timestamp");
  const moved = { ...item, time: before.time };
  return text === undefined || Number.isNaN(parseDate(text))
    ? moved
    : Object.assign(moved, { timestamp: text });
}

/** Labels that were given as a list are returned as one. */
function labelsOf(attributes: Attributes): unknown {
  const names = Object.keys(attributes);
  if (names.length === 0) return null;
  return names.length === 1 && names[0] === "labels" ? attributes["labels"] : attributes;
}
