/**
 * How much a deployment suffers: in every run of the suite, and on demand.
 *
 * @module
 */

import type { FaultKind } from "./schedule.ts";

/** Numbers of a run. */
export interface Size {
  /** Number of events that people send. */
  readonly events: number;
  /** Number of users. */
  readonly users: number;
  readonly counts: Readonly<Partial<Record<FaultKind, number>>>;
  /** Processes that monitor experiments: one suffers each kill of a monitor, two take over from each other. */
  readonly monitors: number;
  /** Mean time between two faults, milliseconds. */
  readonly gapMs: number;
}

/** Every kind of fault, within a minute or so. */
export const SHORT: Size = {
  events: 8000,
  users: 800,
  counts: {
    "kill": 3,
    "kill-monitor": 2,
    "freeze": 1,
    "leave": 1,
    "join": 1,
    "kill-joining": 1,
    "full-disk": 1,
    "broker": 1,
  },
  monitors: 1,
  gapMs: 2500,
};

/** Many of every kind. */
export const LONG: Size = {
  events: 200_000,
  users: 20_000,
  counts: {
    "kill": 100,
    "kill-monitor": 20,
    "freeze": 8,
    "leave": 8,
    "join": 8,
    "kill-joining": 8,
    "full-disk": 8,
    "broker": 6,
  },
  monitors: 2,
  gapMs: 5000,
};

/** Mostly faults of three brokers, and a few of processes. */
export const CLUSTER: Size = {
  events: 8000,
  users: 800,
  counts: {
    "kill": 3,
    "kill-monitor": 1,
    "freeze": 1,
    "leave": 1,
    "join": 1,
    "broker": 2,
    "broker-freeze": 2,
    "broker-isolate": 2,
    "broker-hide": 2,
    "broker-leave": 2,
  },
  monitors: 1,
  gapMs: 8000,
};
