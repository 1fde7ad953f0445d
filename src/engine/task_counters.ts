/** The counters of a task; durable with its state. */

import { recordOf } from "../values/record.ts";

/** The names of all counters. */
export const TASK_COUNTERS = [
  "events",
  "items",
  "interactions",
  "requests",
  "impressions",
  "samples",
  "rows",
  "positives",
  "behaviours",
  "listedBehaviours",
  "unlistedBehaviours",
  "duplicates",
  "reapplied",
  "late",
  "tooLate",
  "ahead",
  "lateOutcomes",
  "clicksInTime",
  "clicksLate",
  "parked",
  "unmatchedOutcomes",
  "crowdedOut",
  "unopened",
  "itemsOpened",
  "itemsClosed",
  "unshown",
  "otherActions",
  "forgotten",
  "erasedMerges",
  "unservedVariants",
  "steps",
  "refolds",
  "variantSteps",
  "variantRefolds",
  "rejected",
  "lost",
  "abandoned",
  "misplaced",
  "listsMade",
  "listsChanged",
] as const;

/** Name of a counter. */
export type TaskCounter = (typeof TASK_COUNTERS)[number];

/** Counters since the beginning of the log. */
export type TaskCounters = Record<TaskCounter, number>;

export function createTaskCounters(): TaskCounters {
  return recordOf(TASK_COUNTERS, () => 0);
}
