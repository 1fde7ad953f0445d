/**
 * What is wrong with a configuration, field by field.
 *
 * @module
 */

/** A field that cannot be used. */
export interface ConfigFault {
  /** Its path; empty = the file as a whole. */
  readonly path: readonly (string | number)[];
  /** Its line in the file, from 1; `null` when it is not there. */
  readonly line: number | null;
  /** The variable of the environment that sets it, if one does. */
  readonly variable?: string;
  /** What is wrong with it. */
  readonly message: string;
  /** Whether there is no such field. */
  readonly unknown: boolean;
  /** Its value; `undefined` = it is missing. */
  readonly value: unknown;
}

/** A configuration that cannot be used. */
export class ConfigError extends SyntaxError {
  /** Which file it is. */
  readonly file: string;
  /** All that is wrong; at least one. */
  readonly faults: readonly ConfigFault[];

  /** Makes an error of faults. */
  constructor(file: string, faults: readonly ConfigFault[], options?: ErrorOptions) {
    const parts = faults.map(({ path, line, variable, message }) => {
      const where = line === null ? "" : ` (line ${line})`;
      return `${variable === undefined ? "" : `${variable}, `}${
        path.join(".") || "(top)"
      }${where}: ${message}`;
    });
    super(`Cannot use ${file} as configuration: ${parts.join("; ")}`, options);
    this.name = "SyntaxError";
    this.file = file;
    this.faults = faults;
  }
}

/** What is at a path of a value; `undefined` when there is nothing. */
export function valueAt(value: unknown, path: readonly (string | number)[]): unknown {
  return path.reduce<unknown>(
    (inner, part) =>
      typeof inner === "object" && inner !== null
        ? (inner as Record<string | number, unknown>)[part]
        : undefined,
    value,
  );
}

/**
 * The line of a path in a JSON text that can be parsed, from 1; of a key that is there twice, the last one's. `null` when
 * it is not there.
 *
 * @example
 * ```ts
 * import { lineOf } from "./config_fault.ts";
 * import assert from "node:assert/strict";
 *
 * const text = '{"a": 1,\n "b": [1, {"c":\n 3}]}';
 * assert.equal(lineOf(text, ["b", 1, "c"]), 3);
 * assert.equal(lineOf(text, ["b", "d"]), null);
 * ```
 */
export function lineOf(json: string, path: readonly (string | number)[]): number | null {
  let at = 0;
  let found: number | null = null;
  const take = (pattern: RegExp) => {
    pattern.lastIndex = at;
    const token = pattern.exec(json)?.[0] ?? "";
    at += token.length;
    return token;
  };
  /** Goes past a value. @param left the rest of the path into it; `null` = it is not on the path */
  const pass = (left: readonly (string | number)[] | null): void => {
    take(/\s*/y);
    if (left?.length === 0) found = at;
    const open = take(/[{[]/y);
    if (open === "") {
      take(/"(?:[^"\\]|\\.)*"|[^\s,\]}]+/y);
      return;
    }
    for (let index = 0; take(/\s*[}\]]/y) === ""; index++) {
      take(/\s*,?\s*/y);
      const part = open === "{" ? JSON.parse(take(/"(?:[^"\\]|\\.)*"/y)) : index;
      if (open === "{") take(/\s*:/y);
      pass(left !== null && left.length > 0 && left[0] === part ? left.slice(1) : null);
    }
  };
  pass(path);
  return found === null ? null : json.slice(0, found).split("\n").length;
}
