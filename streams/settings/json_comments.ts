/**
 * JSON with comments, as people write configurations.
 *
 * @module
 */

// A comment matches as a whole: it is neither cut short nor extended to find a bracket after a comma.
const LINE = String.raw`\/\/[^\n]*(?![^\n])`;
const BLOCK = String.raw`\/\*(?:[^*]|\*(?!\/))*\*\/`;
const TOKEN = new RegExp(`"(?:[^"\\\\]|\\\\.)*"|${LINE}|${BLOCK}|,(?=(?:\\s|${LINE}|${BLOCK})*[}\\]])`, "g");

/**
 * The text as JSON: comments, and commas before a closing bracket, become spaces, so every character keeps its place.
 *
 * ```ts
 * import assert from "node:assert/strict";
 * import { withoutComments } from "./json_comments.ts";
 *
 * assert.deepEqual(JSON.parse(withoutComments('{"a": "//", // b\n "c": [1, /* d *\/],}')), { a: "//", c: [1] });
 * ```
 */
export function withoutComments(text: string): string {
  return text.replace(TOKEN, (token) => token.startsWith('"') ? token : token.replace(/[^\n]/g, " "));
}
