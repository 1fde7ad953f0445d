/**
 * Panels: figures of users' recurrent states for metrics, reports and pages.
 *
 * @module
 */

/** A figure of a state, or of many states: then values are means. */
export interface Panel {
  /** Its name in metrics and as a chart: lower case, with underscores. */
  readonly name: string;
  /** Heading of its chart. */
  readonly title: string;
  /** What the values mean, and when to worry: a sentence or two. */
  readonly about: string;
  /** How to format values: as they are, as percentages, or as counts. */
  readonly unit: "number" | "share" | "count";
  /** What each value belongs to, such as `slot`. Absent: there is a single value. */
  readonly per?: string;
  /** A value to compare with. */
  readonly reference?: { readonly name: string; readonly value: number };
  /** The values; `null` = not defined. */
  readonly values: readonly (number | null)[];
}

/** Panels of many users. */
export interface Inspection {
  /** Number of users, at least 1. */
  readonly users: number;
  /** Means over those users. */
  readonly panels: readonly Panel[];
}

/**
 * Averages panels value by value over the users who have them. Returns `null` if no user has any.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { meanPanels, type Panel } from "./panel.ts";
 *
 * const of = (...values: number[]): Panel[] => [{ name: "x", title: "X", about: "", unit: "number", values }];
 * assert.deepEqual(meanPanels([of(1, 2), [], of(3, 6)]), { users: 2, panels: of(2, 4) });
 * assert.equal(meanPanels([[]]), null);
 * ```
 */
export function meanPanels(of: Iterable<readonly Panel[]>): Inspection | null {
  const sums = new Map<string, { readonly panel: Panel; readonly values: (number | null)[] }>();
  let users = 0;
  for (const panels of of) {
    if (panels.length > 0) users++;
    for (const panel of panels) {
      const sum = sums.get(panel.name);
      if (sum === undefined) sums.set(panel.name, { panel, values: [...panel.values] });
      else panel.values.forEach((value, i) => sum.values[i] = added(sum.values[i] ?? null, value));
    }
  }
  if (users === 0) return null;
  const panels = [...sums.values()].map(({ panel, values }) => ({
    ...panel,
    values: values.map((sum) => sum === null ? null : sum / users),
  }));
  return { users, panels };
}

function added(a: number | null, b: number | null): number | null {
  return a === null || b === null ? null : a + b;
}
