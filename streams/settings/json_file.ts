/** JSON files that people write. */

import { reasonOf } from "../../src/values/reason.ts";
import { repeatsIn } from "./json_places.ts";

/**
 * Parses the JSON of a file, in which no object may repeat a key.
 *
 * @param what what the file is to be used as, with an article
 * @throws SyntaxError naming the file and what is wrong, with the line of a repeated key
 *
 * @example
 * ```ts
 * import { parseJsonFile } from "./json_file.ts";
 * import assert from "node:assert/strict";
 *
 * assert.deepEqual(parseJsonFile('{"a": [1, 2]}', "a.json", "a list"), { a: [1, 2] });
 * assert.throws(() => parseJsonFile('{"a": 1,\n "a": 2}', "a.json", "a list"), {
 *   message: "Cannot use a.json as a list: a (line 2): it is already in line 1",
 * });
 * ```
 */
export function parseJsonFile(text: string, file: string, what: string): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new SyntaxError(`Cannot read ${file} as JSON: ${reasonOf(cause)}`, { cause });
  }
  const repeats = repeatsIn(text).map(({ path, line, message }) =>
    `${path.join(".")} (line ${line}): ${message}`
  );
  if (repeats.length > 0) throw new SyntaxError(`Cannot use ${file} as ${what}: ${repeats.join("; ")}`);
  return value;
}
