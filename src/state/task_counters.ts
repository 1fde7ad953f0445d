/**
 * What a task counts; durable with its state.
 *
 * @module
 */

const NAMES = [
  "events",
  "items",
  "interactions",
  "requests",
  "impressions",
  "samples",
  "rows",
  "positives",
  "behaviours",
  "duplicates",
  "reapplied",
  "late",
  "tooLate",
  "lateOutcomes",
  "parkedOutcomes",
  "unmatchedOutcomes",
  "crowdedOut",
  "unshown",
  "otherActions",
  "forgotten",
  "steps",
  "refolds",
  "rejected",
] as const;

/** Name of a counter. */
export type TaskCounter = (typeof NAMES)[number];

/** Counters since the beginning of the log. */
export type TaskCounters = Record<TaskCounter, number>;

/** All counters at 0. */
export function createTaskCounters(): TaskCounters {
  return Object.fromEntries(NAMES.map((name) => [name, 0])) as TaskCounters;
}
