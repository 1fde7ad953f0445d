/**
 * What the body of a request may be.
 *
 * @module
 */

import { Problem } from "./contract/problem.ts";

/** What a body may be. */
export type BodyKind = "json" | "lines";

const KINDS: ReadonlyMap<string, BodyKind> = new Map([
  ["application/json", "json"],
  ["application/x-ndjson", "lines"],
  ["application/ndjson", "lines"],
  ["application/jsonl", "lines"],
  ["application/x-jsonlines", "lines"],
]);

/**
 * What the body of a request is. It has to say so: what a browser sends without asking for leave first, from any page,
 * has no type or one of a form.
 *
 * @throws Problem `unsupported-media-type`
 */
export function bodyKind(headers: Headers, allowed: readonly BodyKind[]): BodyKind {
  const type = headers.get("content-type")?.split(";")[0]?.trim().toLowerCase() ?? "";
  const kind = KINDS.get(type);
  if (kind !== undefined && allowed.includes(kind)) return kind;
  const known = [...KINDS].filter(([, kind]) => allowed.includes(kind)).map(([type]) => type);
  throw new Problem("unsupported-media-type", `Content-Type must be one of ${known.join(", ")}`, {
    headers: { accept: known.join(", ") },
  });
}
