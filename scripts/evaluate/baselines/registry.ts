/** The baselines of the leaderboard. A new one needs its file and a line here. */

import type { Baseline } from "./baseline.ts";
import { CoVisits, Followers } from "./co_visits.ts";
import { OwnItems } from "./own_items.ts";
import { Popularity } from "./popularity.ts";
import { SessionNeighbours } from "./sessions.ts";

const HOUR_MS = 3_600_000;

/** All of them, untrained. @param withoutOwn whether lists leave out items that the user had */
export function createBaselines(withoutOwn: boolean): readonly Baseline[] {
  return [
    new Popularity("popular, 1 hour", HOUR_MS),
    new Popularity("popular, 1 day", 24 * HOUR_MS),
    new Popularity("popular, 30 days", 720 * HOUR_MS),
    new CoVisits(),
    new Followers(),
    new SessionNeighbours(),
    ...(withoutOwn ? [] : [new OwnItems()]),
  ];
}
