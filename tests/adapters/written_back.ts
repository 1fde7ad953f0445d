/**
 * The reverse of the adapters for Metarank, Gorse and EasyRec: shows that they lose nothing.
 *
 * @module
 */

import { given, type JsonObject } from "../../src/adapters/mapped.ts";
import type { Attributes, Event, ItemRecord } from "../../src/events/event.ts";
import { fieldOf, isRecord } from "../../src/values/record.ts";

/** The events of Metarank that these came from. The `fields` of an item are in this order: ours, attributes, others. */
export function* toMetarank(records: Iterable<Event | ItemRecord>): Generator<JsonObject> {
  for (const record of records) {
    if (fieldOf(record, "implied") === true) continue; // the click of a label, which the ranking contains
    yield "type" in record ? fromEvent(record) : fromItem(record);
  }
}

function fromEvent(event: Event): JsonObject {
  const { user, time } = event;
  const base = { id: event.id, timestamp: time, tenant: fieldOf(event, "tenant") };
  const anonymous = fieldOf(event, "anonymous") === true;
  const who = { user: anonymous ? undefined : user, session: anonymous ? user : fieldOf(event, "session") };
  switch (event.type) {
    case "profile":
      return given({
        event: "user",
        ...base,
        fields: fieldsOf(joinAttributes(event, event.attributes)),
        user,
      });
    case "impression": {
      const at = (field: string, i: number) => {
        const list = fieldOf(event, field);
        return Array.isArray(list) ? list[i] ?? undefined : undefined;
      };
      return given({
        event: "ranking",
        ...base,
        fields: fieldsOf(joinAttributes(event, event.context)),
        ...who,
        items: event.items.map((id, i) => {
          const values = at("itemFields", i);
          const fields = isRecord(values) ? fieldsOf(values) : undefined;
          return given({ id, fields, label: at("labels", i), relevancy: at("relevancies", i) });
        }),
      });
    }
    case "interaction":
      return given({
        event: "interaction",
        ...base,
        fields: fieldsOf(given({ value: event.value, ...joinAttributes(event) })),
        ...who,
        item: event.item,
        type: event.action,
        ranking: event.request,
      });
    default:
      throw new RangeError(`Cannot write a ${event.type} event for Metarank, which has no equivalent`);
  }
}

function fromItem(item: ItemRecord): JsonObject {
  const { title, category, categories, attributes, time } = item;
  return given({
    event: "item",
    id: fieldOf(item, "id"),
    timestamp: time,
    tenant: fieldOf(item, "tenant"),
    fields: fieldsOf({ ...given({ title, category, categories }), ...joinAttributes(item, attributes) }),
    item: item.item,
  });
}

function fieldsOf(values: JsonObject): readonly JsonObject[] {
  return Object.entries(values).map(([name, value]) => ({ name, value }));
}

/** The row of EasyRec that an event came from. */
export function toEasyRec(event: Event): JsonObject {
  if (event.type !== "impression" && event.type !== "interaction") {
    throw new RangeError(`Cannot write a ${event.type} event for EasyRec, which has no equivalent`);
  }
  const isSeen = event.type === "impression";
  const word = isSeen ? "exposure" : event.action === "purchase" ? "buy" : event.action;
  return given({
    request_id: fieldOf(event, "list"),
    user_id: event.user,
    item_id: isSeen ? event.items[0] : event.item,
    event_type: word,
    event_time: event.time / 1000,
    duration: isSeen ? fieldOf(event, "duration") : event.value,
    scene_id: event.surface,
  });
}

/** The record of Gorse that an event or item came from. */
export function toGorse(record: Event | ItemRecord): JsonObject {
  if (!("type" in record)) return gorseItem(record);
  switch (record.type) {
    case "profile":
      return given({
        UserId: record.user,
        Labels: labelsOf(record, record.attributes),
        Comment: fieldOf(record, "comment"),
      });
    case "impression":
    case "interaction": {
      const isSeen = record.type === "impression";
      return given({
        FeedbackType: isSeen ? fieldOf(record, "feedback") ?? "read" : record.action,
        UserId: record.user,
        ItemId: isSeen ? record.items[0] : record.item,
        Value: isSeen ? fieldOf(record, "value") : record.value,
        Timestamp: new Date(record.time).toISOString(),
        Updated: fieldOf(record, "updated"),
        Labels: fieldOf(record, "labels"),
        Comment: fieldOf(record, "comment"),
      });
    }
    default:
      throw new RangeError(`Cannot write a ${record.type} event for Gorse, which has no equivalent`);
  }
}

function gorseItem(item: ItemRecord): JsonObject {
  return given({
    ItemId: item.item,
    IsHidden: item.hidden ?? false,
    Categories: item.categories ?? [],
    Timestamp: new Date(item.time).toISOString(),
    Labels: labelsOf(item, item.attributes),
    Comment: item.title ?? fieldOf(item, "comment"),
  });
}

function labelsOf(record: Event | ItemRecord, attributes: ItemRecord["attributes"]): unknown {
  const labels = fieldOf(record, "labels");
  if (labels !== undefined) return labels;
  const joined = joinAttributes(record, attributes);
  return Object.keys(joined).length === 0 ? undefined : joined;
}

/** The reverse of {@linkcode splitAttributes}. */
function joinAttributes(record: Event | ItemRecord, attributes: Attributes = {}): JsonObject {
  const other = fieldOf(record, "other");
  return { ...attributes, ...(isRecord(other) ? other : {}) };
}
