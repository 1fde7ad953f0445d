/**
 * Checks answers against the server's own OpenAPI document; and bodies to try.
 *
 * @module
 */

import assert from "node:assert/strict";
import fc from "fast-check";
import type { JsonSchema } from "../../src/events/json_schema.ts";
import { matches } from "../events/schema_checker.ts";
import type { Answer, Api } from "./deployment.ts";

/** The parts of OpenAPI that are checked. */
export interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, JsonSchema>> };
}

export interface Operation {
  readonly operationId: string;
  readonly requestBody?: unknown;
  readonly responses: Readonly<
    Record<string, { readonly content: Readonly<Record<string, { readonly schema?: unknown }>> }>
  >;
}

/** The document, with references resolved. */
export async function documentOf(api: Api): Promise<Document> {
  const { json } = await api.get("/openapi.json");
  const resolve = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(resolve);
    if (typeof value !== "object" || value === null) return value;
    const [, name] = /^#\/components\/schemas\/(\w+)$/.exec((value as { $ref?: string }).$ref ?? "") ?? [];
    if (name !== undefined) {
      assert.ok(Object.hasOwn(json.components.schemas, name), `${name} is described`);
      return resolve(json.components.schemas[name]);
    }
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, resolve(inner)]));
  };
  return resolve(json) as Document;
}

/** The schemas of the document, by name. */
export async function schemasOf(api: Api): Promise<Readonly<Record<string, JsonSchema>>> {
  return (await api.get("/openapi.json")).json.components.schemas;
}

/** Checks that the document describes the answer. */
export function checkAnswer(operation: Operation, { status, headers, json, text }: Answer): void {
  const known = operation.responses[status];
  assert.ok(
    known !== undefined,
    `${operation.operationId} answers ${status}, which is not described: ${text}`,
  );
  const [type = ""] = (headers.get("content-type") ?? "").split(";");
  assert.ok(Object.hasOwn(known.content, type), `${operation.operationId} answers ${type} with ${status}`);
  const schema = known.content[type]?.schema;
  if (schema !== undefined) {
    assert.ok(matches(schema as JsonSchema, json), `${operation.operationId}: ${text}`);
  }
}

/** Anything but a valid body. */
export const junk = fc.oneof(
  fc.json({ maxDepth: 4 }),
  fc.string({ unit: "binary" }),
  fc.uint8Array({ maxLength: 200 }).map((bytes) => new Uint8Array(bytes)),
);
/** Valid values, perhaps broken: one, a list, a list cut off, or one with a byte changed. */
export const mangled = <T>(one: fc.Arbitrary<T>) =>
  fc.tuple(
    fc.array(one, { minLength: 1, maxLength: 4 }),
    fc.constantFrom("one", "list", "cut", "flip"),
    fc.nat(),
  ).map(
    ([values, how, n]) => {
      const text = JSON.stringify(how === "one" ? values[0] : values);
      if (how === "cut") return text.slice(0, n % (text.length + 1));
      const bytes = new TextEncoder().encode(text);
      if (how === "flip") bytes[n % bytes.length] = n & 0xff;
      return bytes;
    },
  );

/** Whether an operation streams for as long as one listens. */
export function isStream({ responses }: Operation): boolean {
  return Object.hasOwn(responses["200"]?.content ?? {}, "text/event-stream");
}
