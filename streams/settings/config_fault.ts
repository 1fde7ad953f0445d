/** Errors of a configuration, field by field. */

import { fieldOf } from "../../src/values/record.ts";
import { placesOf } from "./json_places.ts";

/** An error in a field. */
export interface ConfigFault {
  /** Its path; empty = the file as a whole. */
  readonly path: readonly (string | number)[];
  /** Its line in the file, from 1; `null` when it is not in the file. */
  readonly line: number | null;
  /** The environment variable that sets it, if any. */
  readonly variable?: string | undefined;
  readonly message: string;
  /** Whether the value is wrong, or the field is unknown or repeated. */
  readonly kind: "wrong" | "unknown" | "twice";
  /** Its value; `undefined` = it is missing. */
  readonly value: unknown;
}

export class ConfigError extends SyntaxError {
  readonly file: string;
  /** All errors, at least one. */
  readonly faults: readonly ConfigFault[];

  /** Combines errors of fields. */
  constructor(file: string, faults: readonly ConfigFault[]) {
    const parts = faults.map(({ path, line, variable, message }) => {
      const where = line === null ? "" : ` (line ${line})`;
      return `${variable === undefined ? "" : `${variable}, `}${
        path.join(".") || "(top)"
      }${where}: ${message}`;
    });
    super(`Cannot use ${file} as configuration: ${parts.join("; ")}`);
    this.name = "SyntaxError";
    this.file = file;
    this.faults = faults;
  }
}

/** The value at a path; `undefined` when there is none. */
export function valueAt(value: unknown, path: readonly (string | number)[]): unknown {
  return path.reduce<unknown>(
    (inner, part) => typeof inner === "object" && inner !== null ? fieldOf(inner, String(part)) : undefined,
    value,
  );
}

/**
 * The line of a path in a valid JSON text, from 1; the last one if a key is repeated. `null` when there is none.
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
  const name = JSON.stringify(path);
  return placesOf(json).findLast((place) => JSON.stringify(place.path) === name)?.line ?? null;
}
