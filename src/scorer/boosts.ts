/** Rules that raise or lower items: each multiplies the odds of the items that it matches. */

import type { Boost } from "../events/event.ts";
import { type Filtered, filterOf } from "./filters.ts";

/**
 * What the rules add to an item's log-odds: Σ ln(by) over the rules that match it. `null` when there are none.
 *
 * @example
 * ```ts
 * import { boostOf } from "./boosts.ts";
 * import assert from "node:assert/strict";
 *
 * const add = boostOf([{ by: 2, categories: ["new"] }, { by: 0.5, where: [{ attribute: "price", is: ">", value: 9 }] }]);
 * assert.equal(add?.({ categories: ["new"], attributes: { price: 5 } }), Math.log(2));
 * assert.equal(add?.({ categories: ["new"], attributes: { price: 10 } }), 0);
 * ```
 */
export function boostOf(rules: readonly Boost[]): ((item: Filtered) => number) | null {
  if (rules.length === 0) return null;
  const parts = rules.map(({ by, ...filter }) => ({ add: Math.log(by), meets: filterOf(filter) }));
  return (item) => parts.reduce((sum, { add, meets }) => meets(item) ? sum + add : sum, 0);
}
