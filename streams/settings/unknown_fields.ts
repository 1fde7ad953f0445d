/** Fields that a JSON Schema does not allow. */

import type { JsonSchema } from "../../src/events/json_schema.ts";
import { noSuch } from "../../src/events/keys/near_name.ts";
import { stepTo } from "../../src/events/rejected.ts";

/**
 * Fields of a value that its schema forbids (`additionalProperties: false`), at any depth: one sentence per field,
 * which suggests the field that may be meant, or lists the known ones. The rest of the schema is ignored. O(fields).
 *
 * @param most maximum number of sentences, which bounds the cost for a value with many such fields
 *
 * @example
 * ```ts
 * import { unknownFields } from "./unknown_fields.ts";
 * import assert from "node:assert/strict";
 *
 * const point = { type: "object", properties: { x: {}, name: {} }, additionalProperties: false };
 * const schema = { type: "array", items: point };
 * assert.deepEqual(unknownFields([{ x: 1 }, { nam: "a", y: 2 }], schema), [
 *   "[1].nam: there is no such field; did you mean name?",
 *   "[1].y: there is no such field; there are x, name",
 * ]);
 * assert.equal(unknownFields([{ a: 1 }, { b: 1 }], schema, 1).length, 1);
 * ```
 */
export function unknownFields(value: unknown, schema: JsonSchema, most = Infinity): string[] {
  const faults: string[] = [];
  collect(value, schema, "", { faults, most });
  return faults;
}

interface Collected {
  readonly faults: string[];
  readonly most: number;
}

function collect(value: unknown, schema: JsonSchema, path: string, into: Collected): void {
  const { faults, most } = into;
  if (typeof value !== "object" || value === null || faults.length >= most) return;
  const shapes = shapesOf(schema);
  if (Array.isArray(value)) {
    const items = { anyOf: shapes.flatMap(({ items = [] }) => items) };
    if (shapesOf(items).length > 0) value.forEach((one, i) => collect(one, items, `${path}[${i}]`, into));
    return;
  }
  const known: Record<string, JsonSchema> = Object.assign({}, ...shapes.map(({ properties }) => properties));
  const isClosed = shapes.length > 0 && shapes.every((shape) => shape["additionalProperties"] === false);
  for (const [key, inner] of Object.entries(value)) {
    if (faults.length >= most) return;
    const own = path + stepTo(key);
    if (Object.hasOwn(known, key)) collect(inner, known[key]!, own, into);
    else if (isClosed) faults.push(`${own.replace(/^\./, "")}: ${noSuch("field", key, Object.keys(known))}`);
  }
}

/** The object and array schemas among the alternatives; other values have no fields to check. */
function shapesOf(schema: JsonSchema): readonly JsonSchema[] {
  const alternatives = (schema["anyOf"] ?? schema["oneOf"] ?? null) as readonly JsonSchema[] | null; // alternatives are schemas
  if (alternatives !== null) return alternatives.flatMap(shapesOf);
  return schema["type"] === "object" || schema["type"] === "array" ? [schema] : [];
}
