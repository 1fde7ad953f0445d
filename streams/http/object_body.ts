/** Bodies that are one object. An unknown field is an error, since a misspelt one would silently be ignored. */

import { parseJson } from "../../src/events/json.ts";
import { MAX_RECORD_BYTES } from "../../src/events/limits.ts";
import { isRecord } from "../../src/values/record.ts";
import { unknownFields } from "../settings/unknown_fields.ts";
import { atATime } from "./contract/fair_work.ts";
import type { ApiContext } from "./context.ts";
import type { Call } from "./endpoint.ts";
import type { NamedSchema } from "./contract/named_schema.ts";
import { Problem } from "./contract/problem.ts";

/** Most faults that a problem lists. */
const MAX_LISTED = 20;

export type BodyObject = Readonly<Record<string, unknown>>;

/**
 * Reads the object of a body of at most a record's size.
 *
 * @throws Problem `bad-body`, or one of `Bodies.read()`
 */
export async function readObject(
  { bodies, work }: Pick<ApiContext, "bodies" | "work">,
  { request, caller }: Pick<Call, "request" | "caller">,
): Promise<BodyObject> {
  const bytes = await bodies.read(request, MAX_RECORD_BYTES);
  const parsed = await work.run(caller, atATime(() => parseJson(bytes, "body")));
  if (!parsed.ok) throw new Problem("bad-body", parsed.reason, { more: { reasonCode: parsed.code } });
  const { value } = parsed;
  if (isRecord(value)) return value;
  throw new Problem("bad-body", "The body is not an object");
}

/** Checks the names of the fields, at any depth, and nothing else. @throws Problem `unknown-field` */
export function checkFields(body: BodyObject, { json }: NamedSchema): void {
  const faults = unknownFields(body, json, MAX_LISTED);
  if (faults.length > 0) throw new Problem("unknown-field", faults.join("; "), { more: { faults } });
}
