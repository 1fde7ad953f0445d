/**
 * Invisible characters that change what a reader sees: they move the cursor, or colour or reverse what follows.
 *
 * @module
 */

const UNSEEN = /(?![\n\t])[\p{Cc}\p{Bidi_Control}\u2028\u2029\ufeff]/gu;

/**
 * A text with such characters escaped as in JSON; newlines and tabs stay.
 *
 * @example
 * ```ts
 * import { withoutUnseen } from "./unseen.ts";
 * import assert from "node:assert/strict";
 *
 * assert.equal(withoutUnseen("a\u001b[2J\u202e\tb\n"), "a\\u001b[2J\\u202e\tb\n");
 * ```
 */
export function withoutUnseen(text: string): string {
  return text.replace(UNSEEN, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
