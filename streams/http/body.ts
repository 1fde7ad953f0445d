/** Content types of request bodies. */

import { Problem } from "./contract/problem.ts";

export type BodyKind = "json" | "lines" | "table";

const KINDS: ReadonlyMap<string, BodyKind> = new Map([
  ["application/json", "json"],
  ["application/x-ndjson", "lines"],
  ["application/ndjson", "lines"],
  ["application/jsonl", "lines"],
  ["application/x-jsonlines", "lines"],
  ["text/csv", "table"],
  ["text/tab-separated-values", "table"],
]);
/** Types with the syntax of JSON, such as `application/cloudevents+json` (RFC 6839). */
const JSON_SYNTAX = /^application\/[\w.-]+\+json$/;

/**
 * The kind of a body by its content type, which is required: requests that any page may send without a CORS preflight
 * have none or a form's.
 *
 * @throws Problem `unsupported-media-type`
 */
export function bodyKind(headers: Headers, allowed: readonly BodyKind[]): BodyKind {
  const type = headers.get("content-type")?.split(";")[0]?.trim().toLowerCase() ?? "";
  const kind = JSON_SYNTAX.test(type) ? "json" : KINDS.get(type);
  if (kind !== undefined && allowed.includes(kind)) return kind;
  const known = [...KINDS].filter(([, kind]) => allowed.includes(kind)).map(([type]) => type);
  throw new Problem("unsupported-media-type", `Content-Type must be one of ${known.join(", ")}`, {
    headers: { accept: known.join(", ") },
  });
}
