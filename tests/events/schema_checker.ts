/** As much of JSON Schema 2020-12 as our own schemas use; an unknown keyword is an error. */

import assert from "node:assert/strict";
import type { JsonSchema } from "../../src/events/json_schema.ts";

type Check = (value: unknown, argument: never, schema: JsonSchema) => boolean;

const isText = (value: unknown) => typeof value === "string";
const isNumber = (value: unknown) => typeof value === "number";
const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isType: Readonly<Record<string, (value: unknown) => boolean>> = {
  string: isText,
  number: isNumber,
  integer: Number.isInteger,
  boolean: (value) => typeof value === "boolean",
  object: isObject,
  array: Array.isArray,
  null: (value) => value === null,
};

/** A keyword constrains values of one type only; others pass. */
const KEYWORDS: Readonly<Record<string, Check>> = {
  type: (value, types: string | readonly string[]) =>
    [types].flat().some((type) => isType[type]?.(value) ?? false),
  const: (value, wanted: unknown) => value === wanted,
  enum: (value, values: readonly unknown[]) => values.includes(value),
  not: (value, schema: JsonSchema) => !matches(schema, value),
  anyOf: (value, schemas: readonly JsonSchema[]) => schemas.some((schema) => matches(schema, value)),
  oneOf: (value, schemas: readonly JsonSchema[]) =>
    schemas.filter((schema) => matches(schema, value)).length === 1,
  minLength: (value, n: number) => typeof value !== "string" || [...value].length >= n,
  maxLength: (value, n: number) => typeof value !== "string" || [...value].length <= n,
  pattern: (value, pattern: string) => typeof value !== "string" || new RegExp(pattern, "u").test(value),
  minimum: (value, n: number) => typeof value !== "number" || value >= n,
  maximum: (value, n: number) => typeof value !== "number" || value <= n,
  exclusiveMinimum: (value, n: number) => typeof value !== "number" || value > n,
  exclusiveMaximum: (value, n: number) => typeof value !== "number" || value < n,
  minItems: (value, n: number) => !Array.isArray(value) || value.length >= n,
  maxItems: (value, n: number) => !Array.isArray(value) || value.length <= n,
  uniqueItems: (value) => !Array.isArray(value) || new Set(value).size === value.length,
  items: (value, schema: JsonSchema, { prefixItems = [] }) =>
    !Array.isArray(value) ||
    value.slice((prefixItems as readonly unknown[]).length).every((entry) => matches(schema, entry)),
  prefixItems: (value, schemas: readonly JsonSchema[]) =>
    !Array.isArray(value) ||
    schemas.slice(0, value.length).every((schema, at) => matches(schema, value[at])),
  required: (value, names: readonly string[]) =>
    !isObject(value) || names.every((name) => Object.hasOwn(value, name)),
  maxProperties: (value, n: number) => !isObject(value) || Object.keys(value).length <= n,
  propertyNames: (value, schema: JsonSchema) =>
    !isObject(value) || Object.keys(value).every((name) => matches(schema, name)),
  properties: (value, properties: Readonly<Record<string, JsonSchema>>) =>
    !isObject(value) ||
    Object.entries(properties).every(([name, schema]) =>
      !Object.hasOwn(value, name) || matches(schema, value[name])
    ),
  additionalProperties: (value, schema: JsonSchema, { properties = {} }) =>
    !isObject(value) ||
    Object.keys(value).every((name) =>
      Object.hasOwn(properties as object, name) || matches(schema, value[name])
    ),
};
const ANNOTATIONS = ["$comment", "$schema", "title", "description", "contentEncoding"];

/** Whether a value is valid under a schema. */
export function matches(schema: JsonSchema | boolean, value: unknown): boolean {
  if (typeof schema === "boolean") return schema;
  return Object.entries(schema).every(([keyword, argument]) => {
    if (ANNOTATIONS.includes(keyword)) return true;
    const check = KEYWORDS[keyword];
    assert.ok(check !== undefined, `unknown keyword ${keyword}`);
    return check(value, argument as never, schema);
  });
}
