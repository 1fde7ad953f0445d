/** JSON Schemas under the names by which OpenAPI lists them. */

import { z } from "zod";
import type { JsonSchema } from "../../../src/events/json_schema.ts";
import { keysOf, recordOf } from "../../../src/values/record.ts";

export interface NamedSchema {
  /** Unique in the document. */
  readonly name: string;
  readonly json: JsonSchema;
}

export function named<Name extends string>(
  schemas: Readonly<Record<Name, z.ZodType>>,
): Readonly<Record<Name, NamedSchema>> {
  return recordOf(keysOf(schemas), (name) => {
    const json = z.toJSONSchema(schemas[name], { io: "output", unrepresentable: "any" }) as JsonSchema; // zod lists the keywords
    return { name, json: withoutMeta(json) };
  });
}

/** A schema without the keys that only a stand-alone document has. */
export function withoutMeta({ $comment: _comment, $schema: _schema, ...schema }: JsonSchema): JsonSchema {
  return schema;
}
