/** Why a service, or a part of it, cannot work yet or has stopped working, for people. */

import { pause } from "../log/pause.ts";
import type { RestoreMeter, RestoreStatus } from "../task/restoring/restore_meter.ts";
import type { ServiceGroups } from "./groups.ts";
import type { GoneTopics } from "./jobs/topic_watch.ts";
import type { WorkerGroup } from "./jobs/worker_group.ts";
import type { TaskJob } from "./jobs/task_job.ts";
import type { Job } from "./jobs/worker.ts";

/** Requests that wait for longer are late: commits come every 100 ms. */
export const LATE_MS = 300;
/** How long a service must be ready and on time, the longest wait for that, and the time between two looks. */
const SETTLED_MS = 3000;
const LONGEST_MS = 60_000;
const LOOK_MS = 50;
/** Longest stall of a learner or monitor before the process is not ready. */
const IDLE_MS = 60_000;

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

/** The parts of a service that may not be ready. */
interface ReadinessParts {
  readonly groups: ServiceGroups;
  readonly models: readonly [own: ModelReadiness, ...variants: ModelReadiness[]];
  readonly goneTopics: GoneTopics;
  /** The restores in progress, by partition. */
  readonly meters: ReadonlyMap<number, RestoreMeter>;
}

/** What a `ServedModel` knows of itself. */
interface ModelReadiness {
  readonly serving: { readonly version: number };
  /** Why it is still being opened. */
  readonly opening: readonly string[];
  unready(): Promise<readonly string[]>;
  stalls(ms: number): readonly string[];
  readonly lacksTopic: boolean;
}

/**
 * Why a service is not ready. In a process with tasks only they count, since they answer while a learner catches up.
 */
export class Readiness {
  readonly #parts: ReadinessParts;
  /** Whether all roles have begun once. */
  #hasBegun: boolean;

  constructor(parts: ReadinessParts, hasBegun: boolean) {
    this.#parts = parts;
    this.#hasBegun = hasBegun;
  }

  /** Checks whether topics are missing for which something waits. */
  look(): void {
    const { groups, models, goneTopics } = this.#parts;
    const isWaiting = [...groups.all, ...models].some(({ lacksTopic }) => lacksTopic) ||
      groups.all.some(({ workers }) => workers.some(([, { stall }]) => stall !== undefined)) ||
      models.some((model) => model.stalls(0).length > 0);
    goneTopics.look(isWaiting);
  }

  /** The reasons, a sentence each; empty when it is ready or stands by. */
  async reasons(): Promise<readonly string[]> {
    const { groups, models, goneTopics } = this.#parts;
    if (groups.tasks !== undefined) return this.#ofTasks(groups.tasks);
    const unready = await Promise.all(models.map((model) => model.unready()));
    return [...unready.flat(), ...this.#ofMonitor, ...goneTopics.reasons];
  }

  #ofTasks(tasks: WorkerGroup<TaskJob>): readonly string[] {
    const { groups: { monitors }, models, meters, goneTopics } = this.#parts;
    const reasons = tasksUnready(tasks, (partition) => meters.get(partition)?.status);
    if (tasks.workers.length > 0 && models[0].serving.version === 0) {
      reasons.push("there are no parameters yet");
    }
    // A start is complete when all roles have begun; a role that cannot begin ends the process.
    if (!this.#hasBegun) reasons.push(...models.flatMap((model) => model.opening), ...this.#ofMonitor);
    this.#hasBegun ||= reasons.length === 0;
    if (!this.#hasBegun) return reasons;
    // Later a role may stand by or restart without affecting answers, unless it stalls.
    const stalls = models.flatMap((model) => model.stalls(IDLE_MS));
    const doTasksWait = tasks.lacksTopic || tasks.workers.some(([, { stall }]) => stall !== undefined);
    const gone = doTasksWait ? goneTopics.reasons : [];
    return [...reasons, ...stalls, ...stallsOf(monitors, IDLE_MS), ...gone];
  }

  get #ofMonitor(): readonly string[] {
    const { monitors } = this.#parts.groups;
    return monitors === undefined ? [] : groupUnready("monitor", monitors);
  }
}

/**
 * Why tasks are not ready: partitions are not assigned yet, being restored, behind the events from before the start, or
 * waiting for the log.
 *
 * @param restoreOf the progress of a partition's restore
 */
function tasksUnready(
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
    return [
      ...(left > 0 ? [past] : []),
      ...(stall === undefined ? [] : [stall]),
    ];
  });
}

/** Why a learner or a monitor that is not on standby is not ready: it is being opened, or waits for the log. */
export function groupUnready<J extends Job>(what: string, group: WorkerGroup<J>): string[] {
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
