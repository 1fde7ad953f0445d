/**
 * Fields of the configuration from environment variables: `MEANDER_` and the path in capitals, such as
 * `MEANDER_HTTP_MAX_BODY_BYTES` for `http.maxBodyBytes`. A value is parsed as JSON; if that fails, it is plain text.
 */

import type { JsonSchema } from "../../src/events/json_schema.ts";
import { isRecord } from "../../src/values/record.ts";

/** A field that the environment sets. */
export interface Override {
  readonly path: readonly string[];
  readonly variable: string;
  readonly value: unknown;
}

/**
 * The variable that sets a field.
 *
 * @example
 * ```ts
 * import { variableOf } from "./config_environment.ts";
 * import assert from "node:assert/strict";
 *
 * assert.equal(variableOf(["http", "maxBodyBytes"]), "MEANDER_HTTP_MAX_BODY_BYTES");
 * ```
 */
export function variableOf(path: readonly string[]): string {
  const words = path.map((part) => part.replaceAll(/([a-z0-9])([A-Z])/g, "$1_$2"));
  return ["MEANDER", ...words].join("_").toUpperCase();
}

/** The variables of all fields. */
export function variablesOf(schema: JsonSchema): readonly string[] {
  return pathsOf(schema as Node, []).map(variableOf); // has the keywords that are read here
}

/** The fields that the environment sets, outer ones first. @param env returns a variable by its name */
export function environmentOverrides(
  schema: JsonSchema,
  env: (name: string) => string | undefined,
): readonly Override[] {
  const root = schema as Node; // has the keywords that are read here
  return pathsOf(root, []).flatMap((path) => {
    const variable = variableOf(path);
    const text = env(variable);
    return text === undefined ? [] : [{ path, variable, value: valueOf(text) }];
  });
}

/** A copy of a value with overrides applied; missing objects on their paths are created. */
export function withOverrides(value: unknown, overrides: readonly Override[]): unknown {
  return overrides.reduce((whole, override) => put(whole, override.path, override.value), value);
}

interface Node {
  readonly properties?: Readonly<Record<string, Node>>;
  readonly anyOf?: readonly Node[];
  readonly not?: unknown;
}

function pathsOf(
  { properties = {}, anyOf = [] }: Node,
  before: readonly string[],
): readonly (readonly string[])[] {
  const own = Object.entries(properties).flatMap(([name, node]) =>
    node.not !== undefined || name.startsWith("$")
      ? []
      : [[...before, name], ...pathsOf(node, [...before, name])]
  );
  return [...own, ...anyOf.flatMap((node) => pathsOf(node, before))];
}

function valueOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function put(whole: unknown, [name, ...rest]: readonly string[], value: unknown): unknown {
  if (name === undefined) return value;
  const fields = isRecord(whole) ? whole : {};
  return { ...fields, [name]: put(fields[name], rest, value) };
}
