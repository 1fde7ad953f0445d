/** Encodes which of two interleaved variants is credited with an item. */

import type { Team } from "./interleaving.ts";

/** Codes 1 and 2 come from an earlier, biased rule and credit nobody. */
const BIASED = 2;

/** The number of a credit; 0 = nobody. */
export function creditCode(team: Team | undefined): number {
  return team === undefined ? 0 : BIASED + 1 + team;
}

/** The credit of a number; `undefined` = nobody. */
export function creditOf(code: number): Team | undefined {
  return code <= BIASED ? undefined : code === BIASED + 1 ? 0 : 1;
}
