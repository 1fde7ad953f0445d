/**
 * A body that is one object, of which every field is known: what is misspelt would do nothing, and nobody would notice.
 *
 * @module
 */

import { parseJson } from "../../src/events/json.ts";
import { MAX_RECORD_BYTES } from "../../src/events/limits.ts";
import { unknownFields } from "../settings/unknown_fields.ts";
import type { Bodies } from "./bodies.ts";
import { Problem } from "./contract/problem.ts";
import { apiSchemas, type SchemaName } from "./contract/schemas.ts";

/** Faults that a problem lists. */
const MAX_LISTED = 20;

const schemas = apiSchemas();

/**
 * Reads the object of a body; it is a record, or a part of one, and no larger.
 *
 * @param schema what it is; beyond its fields nothing of it is checked
 * @throws Problem `bad-body`, `unknown-field`, or one of `Bodies.read()`
 */
export async function readObject(
  request: Request,
  bodies: Bodies,
  schema: SchemaName,
): Promise<Readonly<Record<string, unknown>>> {
  const parsed = parseJson(await bodies.read(request, MAX_RECORD_BYTES), "body");
  if (!parsed.ok) throw new Problem("bad-body", parsed.reason, { more: { reasonCode: parsed.code } });
  const { value } = parsed;
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new Problem("bad-body", "The body is no object");
  }
  const faults = unknownFields(value, schemas[schema], MAX_LISTED);
  if (faults.length > 0) throw new Problem("unknown-field", faults.join("; "), { more: { faults } });
  return value as Readonly<Record<string, unknown>>;
}
