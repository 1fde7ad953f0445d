/**
 * JSON with comments, as in configuration files.
 *
 * @module
 */

// A comment only matches as a whole: backtracking for a bracket after a comma can neither shorten nor extend it.
const LINE = String.raw`\/\/[^\n]*(?![^\n])`;
const BLOCK = String.raw`\/\*(?:[^*]|\*(?!\/))*\*\/`;
const TOKEN = new RegExp(`"(?:[^"\\\\]|\\\\.)*"|${LINE}|${BLOCK}|,(?=(?:\\s|${LINE}|${BLOCK})*[}\\]])`, "g");

/**
 * Turns a text into JSON: comments, and commas before closing brackets, become spaces, so that places stay the same.
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
