/**
 * Pages of recommendations. The cursor lists the items of earlier pages, so no item repeats when the list changes in
 * between, and servers keep no state.
 */

import { createHash } from "node:crypto";
import { isRecord } from "../../../src/values/record.ts";
import { Problem } from "./problem.ts";

/** Most items of all pages together. */
const MAX_PAGED = 1000;

interface Cursor {
  /** Digest of the request. */
  readonly of: string;
  /** Items of earlier pages. */
  readonly had: readonly string[];
}

/** The request; most of its fields must be the same for every page. */
export type Paged = Readonly<Record<string, unknown>>;

/** Fields that may differ between pages. */
const FREE: ReadonlySet<string> = new Set(["cursor", "count", "request", "time", "id", "budgetMs", "type"]);

/**
 * The items of earlier pages; none for the empty cursor.
 *
 * @throws Problem `bad-parameter` when the cursor is invalid or belongs to another request
 */
export function readCursor(cursor: unknown, asked: Paged): readonly string[] {
  if (typeof cursor !== "string") {
    throw new Problem("bad-parameter", "cursor must be a string, empty for the first page");
  }
  if (cursor === "") return [];
  let value: unknown;
  try {
    value = JSON.parse(
      new TextDecoder("utf-8", { fatal: true }).decode(
        Uint8Array.fromBase64(cursor, { alphabet: "base64url" }),
      ),
    );
  } catch (cause) {
    throw new Problem("bad-parameter", "cursor does not come from this API", { cause });
  }
  const { of, had }: Partial<Record<keyof Cursor, unknown>> = isRecord(value) ? value : {};
  if (!Array.isArray(had) || had.length > MAX_PAGED || !had.every((id) => typeof id === "string")) {
    throw new Problem("bad-parameter", "cursor does not come from this API");
  }
  if (of === digestOf(asked)) return had;
  throw new Problem("bad-parameter", "cursor is for another request: only count may differ between pages");
}

/** The cursor of the next page; `null` past the limit. @param had items of all pages so far */
export function nextCursor(had: readonly string[], asked: Paged): string | null {
  if (had.length > MAX_PAGED) return null;
  const cursor: Cursor = { of: digestOf(asked), had };
  return new TextEncoder().encode(JSON.stringify(cursor)).toBase64({
    alphabet: "base64url",
    omitPadding: true,
  });
}

function digestOf(asked: Paged): string {
  const fixed = Object.entries(asked).filter(([name]) => !FREE.has(name)).sort(([a], [b]) => a < b ? -1 : 1);
  return createHash("sha256").update(JSON.stringify(fixed)).digest("base64url").slice(0, 16);
}
