/**
 * The baselines of the leaderboard. Another one needs its file and a line here.
 *
 * @module
 */

import type { Baseline } from "./baseline.ts";
import { CoVisits, Followers } from "./co_visits.ts";
import { Popularity } from "./popularity.ts";
import { SessionNeighbours } from "./sessions.ts";

const HOUR_MS = 3_600_000;

/** All of them, having learnt nothing. */
export function createBaselines(): readonly Baseline[] {
  return [
    new Popularity("popular, 1 hour", HOUR_MS),
    new Popularity("popular, 1 day", 24 * HOUR_MS),
    new Popularity("popular, 30 days", 720 * HOUR_MS),
    new CoVisits(),
    new Followers(),
    new SessionNeighbours(),
  ];
}
