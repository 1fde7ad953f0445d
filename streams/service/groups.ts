/** The groups of workers that a process joins by its roles. */

import type { Log } from "../log/log.ts";
import { monitorGroup, tasksGroup, type Topics } from "../topics/topics.ts";
import { MonitorJob } from "./jobs/monitor_job.ts";
import { type Role, ROLES, type ServiceOptions } from "./jobs/options.ts";
import type { SharedThread } from "./jobs/shared_thread.ts";
import { sourcesGroup, SourcesJob } from "./jobs/sources_job.ts";
import type { TaskJob } from "./jobs/task_job.ts";
import type { Job } from "./jobs/worker.ts";
import { WorkerGroup, type WorkerGroupOptions } from "./jobs/worker_group.ts";
import type { StuckSince } from "../feeders/stuck.ts";
import type { SourcesStatus } from "./status.ts";

/** What the workers of a process share. */
export interface GroupsContext {
  readonly log: Log;
  readonly topics: Topics;
  readonly options: Pick<ServiceOptions, "roles" | "pauseMs" | "sources">;
  readonly now: () => number;
  readonly thread: SharedThread;
  readonly openTask: (partition: number, signal: AbortSignal) => Promise<TaskJob>;
}

/** The groups of one process; each is `undefined` if the process has not joined it. */
export class ServiceGroups {
  readonly tasks: WorkerGroup<TaskJob> | undefined;
  readonly monitors: WorkerGroup<MonitorJob> | undefined;
  readonly sources: WorkerGroup<SourcesJob> | undefined;

  /** Joins them. */
  constructor(context: GroupsContext) {
    const { log, topics, options: { sources = [] }, now, thread } = context;
    this.tasks = join(context, "task", {
      group: tasksGroup(topics),
      topic: topics.events,
      name: (partition) => `task ${partition}`,
      open: context.openTask,
    });
    if (sources.length > 0) {
      const stuckSince: StuckSince = new Map();
      this.sources = join(context, "task", {
        group: sourcesGroup(topics),
        topic: topics.positions,
        name: () => "sources",
        open: (_, signal) => SourcesJob.open(log, topics, sources, { now, signal, thread, stuckSince }),
        // A damaged batch of another producer must not stop requests from being answered.
        outlivesDamage: true,
      });
    }
    this.monitors = join(context, "monitor", {
      group: monitorGroup(topics),
      topic: topics.experiments,
      name: () => "monitor",
      open: () => MonitorJob.open(log, topics, { now }),
    });
  }

  /** The joined groups. */
  get all(): readonly WorkerGroup<Job>[] {
    return [this.sources, this.tasks, this.monitors].filter((group) => group !== undefined);
  }

  /** Status of the sources that it reads; `null` = another process reads them, or there are none. */
  get sourcesStatus(): SourcesStatus | null {
    const worker = this.sources?.workers[0]?.[1];
    if (worker === undefined) return null;
    const { job, fault, stall } = worker;
    return {
      isReading: job !== undefined && stall === undefined,
      fault: fault ?? stall ?? job?.complaint ?? null,
      lags: job?.lags ?? [],
    };
  }
}

/** Joins a group, if this process has the role. */
function join<J extends Job>(
  { log, options: { roles = ROLES, pauseMs }, now, thread }: GroupsContext,
  role: Role,
  group: Omit<WorkerGroupOptions<J>, "now" | "thread" | "pauseMs">,
): WorkerGroup<J> | undefined {
  return roles.includes(role) ? new WorkerGroup(log, { now, thread, pauseMs, ...group }) : undefined;
}
