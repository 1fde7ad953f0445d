/** Schemas of records as HTTP accepts and returns them, derived from those of the log. */

import { type JsonSchema, jsonSchemas } from "../../../src/events/json_schema.ts";
import { isRecord } from "../../../src/values/record.ts";
import { type NamedSchema, withoutMeta } from "./named_schema.ts";

type ObjectSchema = JsonSchema & {
  readonly title?: string;
  readonly properties: JsonSchema;
  readonly required: readonly string[];
};

/** Fields of a request over HTTP in addition to the event's. */
const ASKING = {
  cursor: { type: "string", description: "Requests pages: empty for the first one, then the last `next`." },
  budgetMs: {
    type: "number",
    exclusiveMinimum: 0,
    maximum: 60_000,
    description:
      "How long to wait, milliseconds; after that, the answer is made without a model, and `degraded` gives the reason.",
  },
};
const NEXT = { type: ["string", "null"], description: "Cursor of the next page, if pages were requested." };

const records = jsonSchemas();
const events = (records.event["oneOf"] as readonly ObjectSchema[]).map(withoutTime); // one per type of event
const asked = askedOf(events.find(({ title }) => title === "request"));
const recommendation = withoutMeta(records.recommendation) as ObjectSchema; // recommendations are objects

export const EVENT: NamedSchema = {
  name: "Event",
  json: {
    description: "`time` defaults to that of arrival; a `timestamp` in its place is refused.",
    oneOf: events,
  },
};

export const ITEM: NamedSchema = { name: "Item", json: withoutTime(withoutMeta(records.item)) };

/** An item that is on the log. */
export const ITEM_RECORD: NamedSchema = { name: "ItemRecord", json: withoutMeta(records.item) };

/** The body of `recommend`. */
export const RECOMMEND_REQUEST: NamedSchema = {
  name: "RecommendRequest",
  json: {
    ...asked,
    title: "recommend",
    description: "Without a count, 10 items are recommended.",
    required: ["user"],
  },
};

/** The body of `rank`. */
export const RANK_REQUEST: NamedSchema = {
  name: "RankRequest",
  json: {
    ...asked,
    title: "rank",
    description: "Without a count, all candidates are ranked.",
    required: ["user", "candidates"],
  },
};

/** The answer of both. */
export const RECOMMENDATION: NamedSchema = {
  name: "Answer",
  json: { ...recommendation, properties: { ...recommendation.properties, next: NEXT } },
};

function askedOf(request: ObjectSchema | undefined): JsonSchema {
  if (request === undefined) throw new Error("Cannot describe requests: there is no such event");
  const { type, id, ...properties } = request.properties;
  const ignored = {
    id: { ...(isRecord(id) ? id : {}), description: "Ignored: a repeated request is answered again." },
  };
  return closed({ ...request, properties: { ...properties, ...ASKING, type, ...ignored } });
}

/** Forbids undeclared fields, at any depth: the log keeps them, but in a request they are mistakes. */
function closed(schema: JsonSchema): JsonSchema {
  const { properties, items, ...rest } = schema;
  if (isRecord(items)) return { ...schema, items: closed(items) };
  if (!isRecord(properties)) return schema;
  const { propertyNames: _forbidden, ...others } = rest;
  const fields = Object.entries(properties as Record<string, JsonSchema>); // each property is a schema
  return {
    ...others,
    properties: Object.fromEntries(fields.map(([name, inner]) => [name, closed(inner)])),
    additionalProperties: false,
  };
}

/** Makes the time optional, as it is over HTTP. */
function withoutTime(schema: JsonSchema): ObjectSchema {
  const object = schema as ObjectSchema; // an event or item
  return { ...object, required: object.required.filter((name) => name !== "time") };
}
