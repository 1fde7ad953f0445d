/**
 * Why a part of a service cannot work yet, or has stopped working, for people.
 *
 * @module
 */

import { pause } from "../log/pause.ts";
import type { RestoreStatus } from "../task/restoring/restore_meter.ts";
import type { WorkerGroup } from "./jobs/worker_group.ts";
import type { TaskJob } from "./jobs/task_job.ts";
import type { Job } from "./jobs/worker.ts";

/** Requests that wait for longer are late: commits come every 100 ms. */
export const LATE_MS = 300;
/** How long a service must be ready and on time, the longest wait for that, and the time between two looks. */
const SETTLED_MS = 3000;
const LONGEST_MS = 60_000;
const LOOK_MS = 50;

/** The part of a service that others wait for. */
export interface Settling {
  /** Why it is not ready; empty when it is. */
  unready(): Promise<readonly string[]>;
  /** How long requests wait for their answers, milliseconds. */
  readonly waitedMs: number;
}

/** Waits until a service has been ready, and no request late, for `settledMs`; `longestMs` at most. */
export async function untilSettled(
  service: Settling,
  signal: AbortSignal,
  { settledMs = SETTLED_MS, longestMs = LONGEST_MS, clock = () => performance.now(), wait = pause } = {},
): Promise<void> {
  const begun = clock();
  for (let since = begun, now = begun; now - since < settledMs && now - begun < longestMs;) {
    const isSettled = service.waitedMs < LATE_MS && (await service.unready()).length === 0;
    await wait(LOOK_MS, signal);
    signal.throwIfAborted();
    now = clock();
    if (!isSettled) since = now;
  }
}

/**
 * Why tasks are not ready: partitions are not assigned yet, being restored, behind the events from before the start, or
 * waiting for the log.
 *
 * @param restoreOf the progress of a partition's restore
 */
export function tasksUnready(
  tasks: WorkerGroup<TaskJob>,
  restoreOf: (partition: number) => RestoreStatus | undefined,
): string[] {
  if (!tasks.hasJoined) return [`it waits to be assigned partitions${because(tasks.failure)}`];
  return tasks.workers.flatMap(([partition, { job, stall, fault, failure }]) => {
    if (fault !== undefined) return [fault];
    if (job === undefined && failure !== undefined) return [`partition ${partition} waits: ${failure}`];
    if (job === undefined) {
      return [`partition ${partition} is being restored${progressOf(restoreOf(partition))}`];
    }
    const { left, share } = job.backlog;
    const past = `partition ${partition} reads events from before it started: ${
      percent(share)
    }, ${left} events left`;
    const { complaint } = job;
    return [
      ...(left > 0 ? [past] : []),
      ...(stall === undefined ? [] : [stall]),
      ...(complaint === undefined ? [] : [complaint]),
    ];
  });
}

/** Why a learner or a monitor that is not on standby is not ready: it is being opened, or waits for the log. */
export function loneUnready<J extends Job>(what: string, group: WorkerGroup<J>): string[] {
  if (!group.hasJoined) return [`the ${what} waits for its consumer group${because(group.failure)}`];
  return group.workers.flatMap(([, { job, stall, fault, failure }]) => {
    if (fault !== undefined) return [fault];
    if (job === undefined) return [`the ${what} is being opened${because(failure)}`];
    return stall === undefined ? [] : [stall];
  });
}

/** Reports that a learner or a monitor has made no progress for this many milliseconds. */
export function stallsOf<J extends Job>(group: WorkerGroup<J> | undefined, ms: number): string[] {
  return (group?.workers ?? []).flatMap(([, worker]) => worker.stalledMs < ms ? [] : worker.stall ?? []);
}

function because(failure: string | undefined): string {
  return failure === undefined ? "" : `: ${failure}`;
}

function progressOf(restore: RestoreStatus | undefined): string {
  if (restore === undefined) return "";
  const { source, share, records, secondsLeft } = restore;
  const left = secondsLeft === null ? "" : `, ${Math.ceil(secondsLeft)} s left`;
  return ` from ${source}: ${percent(share)}${left}; ${records} records so far`;
}

function percent(share: number): string {
  return `${Math.floor(share * 100)} %`;
}
