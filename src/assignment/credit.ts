/**
 * The number that says in a record which of two interleaved variants is credited with an item.
 *
 * @module
 */

import type { Team } from "./interleaving.ts";

/** 1 and 2 stand in records of before, whose rule preferred whichever variant inserted an item: they are nobody's. */
const BIASED = 2;

/** The number that stands for a credit; 0 = nobody's. */
export function creditCode(team: Team | undefined): number {
  return team === undefined ? 0 : BIASED + 1 + team;
}

/** The credit that a number stands for; `undefined` = nobody's. */
export function creditOf(code: number): Team | undefined {
  return code <= BIASED ? undefined : code === BIASED + 1 ? 0 : 1;
}
