/**
 * The places of values in a JSON text, which `JSON.parse` does not report.
 *
 * @module
 */

/** A value in a text. */
export interface JsonPlace {
  readonly path: readonly (string | number)[];
  readonly line: number;
  /** The line of the earlier value with the same key in the same object, or `null`. */
  readonly before: number | null;
}

/**
 * Every value in a valid JSON text, innermost first.
 *
 * @example
 * ```ts
 * import { placesOf } from "./json_places.ts";
 * import assert from "node:assert/strict";
 *
 * assert.deepEqual(placesOf('{"a": [5],\n "a": 6}'), [
 *   { path: ["a", 0], line: 1, before: null },
 *   { path: ["a"], line: 1, before: null },
 *   { path: ["a"], line: 2, before: 1 },
 *   { path: [], line: 1, before: null },
 * ]);
 * ```
 */
export function placesOf(json: string): readonly JsonPlace[] {
  const places: JsonPlace[] = [];
  let at = 0;
  let line = 1;
  const take = (pattern: RegExp) => {
    pattern.lastIndex = at;
    const token = pattern.exec(json)?.[0] ?? "";
    at += token.length;
    line += token.split("\n").length - 1;
    return token;
  };
  /** Skips a value. @returns its line */
  const pass = (path: JsonPlace["path"], lines: ReadonlyMap<string, number>): number => {
    take(/\s*/y);
    const start = line;
    const open = take(/[{[]/y);
    if (open === "") take(/"(?:[^"\\]|\\.)*"|[^\s,\]}]+/y);
    else passWithin(open, path);
    const before = lines.get(String(path.at(-1))) ?? null;
    places.push({ path, line: start, before });
    return start;
  };
  const passWithin = (open: string, path: JsonPlace["path"]): void => {
    const lines = new Map<string, number>();
    for (let index = 0; take(/\s*[}\]]/y) === ""; index++) {
      take(/\s*,?\s*/y);
      const part = open === "{" ? JSON.parse(take(/"(?:[^"\\]|\\.)*"/y)) : index;
      if (open === "{") take(/\s*:/y);
      lines.set(String(part), pass([...path, part], lines));
    }
  };
  pass([], new Map());
  return places;
}

export interface JsonRepeat extends Pick<JsonPlace, "path" | "line"> {
  /** The error, with the line of the earlier occurrence. */
  readonly message: string;
}

/** The repeated keys of a JSON text, of which `JSON.parse` would silently use the last. */
export function repeatsIn(json: string): readonly JsonRepeat[] {
  return placesOf(json).flatMap(({ path, line, before }) =>
    before === null ? [] : [{ path, line, message: `it is already in line ${before}` }]
  );
}
