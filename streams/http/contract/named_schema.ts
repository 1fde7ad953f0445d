/**
 * JSON Schemas under the names by which OpenAPI lists them.
 *
 * @module
 */

import { z } from "zod";
import type { JsonSchema } from "../../../src/events/json_schema.ts";

/** A schema with its name. */
export interface NamedSchema {
  /** Unique in the document. */
  readonly name: string;
  readonly json: JsonSchema;
}

/** Names schemas by their keys. */
export function named<Name extends string>(
  schemas: Readonly<Record<Name, z.ZodType>>,
): Readonly<Record<Name, NamedSchema>> {
  const all = Object.entries<z.ZodType>(schemas).map(([name, schema]) => {
    const json = z.toJSONSchema(schema, { io: "output", unrepresentable: "any" }) as JsonSchema;
    return [name, { name, json: bare(json) }];
  });
  return Object.fromEntries(all) as Record<Name, NamedSchema>;
}

/** A schema without the keys that only a document of its own has. */
export function bare({ $comment: _comment, $schema: _schema, ...schema }: JsonSchema): JsonSchema {
  return schema;
}
