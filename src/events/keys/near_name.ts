/**
 * Suggestions for misspelt names.
 *
 * @module
 */

/** A suggestion differs by at most one change per this many letters. */
const LETTERS_PER_CHANGE = 3;

/**
 * The name nearest to an unknown one; `undefined` when none is near. Ignores case.
 *
 * @example
 * ```ts
 * import { nearName } from "./near_name.ts";
 * import assert from "node:assert/strict";
 *
 * assert.equal(nearName("cuont", ["user", "count"]), "count");
 * assert.equal(nearName("category", ["categories", "where"]), "categories");
 * assert.equal(nearName("limit", ["user", "count"]), undefined);
 * ```
 */
export function nearName(own: string, names: readonly string[]): string | undefined {
  const [nearest] = names
    .filter((name) => Math.abs(name.length - own.length) * LETTERS_PER_CHANGE <= longer(name, own))
    .map((name) => ({ name, changes: distance(own.toLowerCase(), name.toLowerCase()) }))
    .filter(({ name, changes }) => changes * LETTERS_PER_CHANGE <= longer(name, own))
    .sort((a, b) => a.changes - b.changes);
  return nearest?.name;
}

/** A sentence about an unknown name, with a suggestion or all known names. */
export function noSuch(what: string, own: string, names: readonly string[]): string {
  const near = nearName(own, names);
  const hint = near === undefined ? `there are ${names.join(", ") || "none"}` : `did you mean ${near}?`;
  return `there is no such ${what}; ${hint}`;
}

function longer(a: string, b: string): number {
  return Math.max(a.length, b.length);
}

/** Insertions, deletions, changes and swaps of neighbours between two words (optimal string alignment). */
function distance(a: string, b: string): number {
  let before: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const isSwap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      const swap = isSwap ? (before[j - 2] ?? 0) + 1 : Infinity;
      next.push(Math.min(change, swap, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    [before, row] = [row, next];
  }
  return row.at(-1) ?? 0;
}
