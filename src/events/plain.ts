/**
 * Checks of any part of a record, known field or not: it must be plain data that JSON can carry and that cannot reach a
 * prototype.
 */

import { shown, stepTo, type Violation, within } from "./rejected.ts";
import { FORBIDDEN_KEYS, MAX_DEPTH } from "./limits.ts";

/**
 * Number of keys of all objects in a value, or −1 when {@linkcode plainViolation} finds a violation.
 *
 * Costs one visit per value; allocates only what `Object.keys` does.
 */
export function countKeys(value: unknown, depth = 1): number {
  if (typeof value === "number") return Number.isFinite(value) ? 0 : -1;
  if (typeof value === "string" || typeof value === "boolean" || value === null || value === undefined) {
    return 0;
  }
  if (typeof value !== "object" || depth > MAX_DEPTH) return -1;
  let total = 0;
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) {
      const count = countKeys(value[i], depth + 1);
      if (count < 0) return -1;
      total += count;
    }
    return total;
  }
  const keys = Object.keys(value);
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i]!;
    // FORBIDDEN_KEYS, spelt out: this is the hottest line of the validator.
    if (key === "__proto__" || key === "constructor" || key === "prototype") return -1;
    // A cast rather than a call, for speed.
    const count = countKeys((value as Readonly<Record<string, unknown>>)[key], depth + 1);
    if (count < 0) return -1;
    total += count;
  }
  return total + keys.length;
}

/** What keeps a value from being plain data, or `undefined` when nothing does. */
export function plainViolation(value: unknown, depth = 1): Violation | undefined {
  if (typeof value === "number") {
    if (Number.isFinite(value)) return undefined;
    return { code: "not-finite", wanted: "a finite number", got: String(value), path: "" };
  }
  if (typeof value === "bigint" || typeof value === "function" || typeof value === "symbol") {
    return { code: "not-json", wanted: "JSON", got: `a ${typeof value}`, path: "" };
  }
  if (typeof value !== "object" || value === null) return undefined;
  if (depth > MAX_DEPTH) {
    return { code: "too-deep", wanted: `data nested at most ${MAX_DEPTH} deep`, got: shown(value), path: "" };
  }
  const list = Array.isArray(value);
  for (const [key, inner] of Object.entries(value)) {
    if (!list && FORBIDDEN_KEYS.includes(key)) {
      return { code: "forbidden-key", wanted: "plain data", got: `an object with the key ${key}`, path: "" };
    }
    const violation = plainViolation(inner, depth + 1);
    if (violation !== undefined) return within(list ? `[${key}]` : stepTo(key), violation);
  }
  return undefined;
}
