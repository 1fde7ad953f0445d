/** Opens the tasks of a service: restored from the log, or taken over from a build. */

import { getLogger } from "@logtape/logtape";
import type { ModelName } from "../../src/nn/models/registry.ts";
import { ignore } from "../log/ignore.ts";
import { orAborted } from "../log/pause.ts";
import { RestoreMeter } from "../task/restoring/restore_meter.ts";
import { Task } from "../task/task.ts";
import { TimeShare } from "../task/pace/time_share.ts";
import { DELIVERY } from "../topics/delivery.ts";
import type { PinnedModels } from "../topics/pinned_models.ts";
import type { Topics } from "../topics/topics.ts";
import type { ServedModel, ServiceContext } from "./served_model.ts";
import type { SharedThread } from "./jobs/shared_thread.ts";
import { TaskJob, taskLimits } from "./jobs/task_job.ts";
import type { TopicWatch } from "./jobs/topic_watch.ts";

const logger = getLogger(["meander", "service"]);

/** @internal Where the local snapshot of a task is. */
export function snapshotFolder(
  folder: string | undefined,
  { state }: Pick<Topics, "state">,
  partition: number,
): string {
  return `${folder}/${state}-${partition}`;
}

/** What the tasks of a service share. */
export interface TaskSurroundings<N extends ModelName> extends Omit<ServiceContext<N>, "thread"> {
  /** Number of partitions of `events`. */
  readonly partitions: number;
  readonly own: ServedModel;
  readonly variants: readonly ServedModel[];
  readonly pins: PinnedModels;
  readonly watch: TopicWatch;
  /** The thread that restores share with all else. */
  readonly thread: Pick<SharedThread, "slices">;
  /** Called with the number of events that a step has applied. */
  readonly onEvents: (events: number) => void;
}

/** Opens a task for each partition that the service is given. */
export class TaskOpener<N extends ModelName> {
  readonly #around: TaskSurroundings<N>;
  /** Meters of the restores in progress, by partition. */
  readonly #meters = new Map<number, RestoreMeter>();
  readonly #othersTime = new TimeShare();
  /** Partitions that wait for tasks from a build, until their signal is aborted. */
  readonly #waiting = new Map<number, AbortSignal>();
  #isBuilt: boolean;
  /** Resolves when tasks of a build that no partition waits for are closed. */
  readonly #sorted: Promise<void>;

  /** @param around what all tasks share */
  constructor(around: TaskSurroundings<N>) {
    this.#around = around;
    const { warm } = around.options;
    this.#isBuilt = warm === undefined;
    const sorting = warm?.tasks.then((tasks) => this.#leave(tasks));
    this.#sorted = ignore(sorting, "those who wait for them see it");
  }

  /** The restores in progress, by partition. */
  get meters(): ReadonlyMap<number, RestoreMeter> {
    return this.#meters;
  }

  /** Waits until the task may work and has versions to score with, then restores it. */
  async open(partition: number, signal: AbortSignal): Promise<TaskJob> {
    const { log, topics, options, own, variants } = this.#around;
    if (own.serving.version === 0) {
      logger.info("task {partition}: waits for the first version of the parameters", { partition });
    }
    signal.throwIfAborted();
    const warm = await this.#built(partition, signal);
    if (warm !== undefined) return this.#job(warm, warm.next);
    await orAborted(this.#sorted, signal); // one of this partition may still be open
    // An older version of its model would reset a state.
    await orAborted(Promise.all([own.served, ...variants.map((variant) => variant.caughtUp)]), signal);
    await options.mayWork?.(signal); // a task that may not work need not be restored
    const meter = new RestoreMeter(this.#around.now);
    await using opened = new AsyncDisposableStack();
    const task = opened.use(await this.#restored(partition, meter, signal));
    await options.mayWork?.(signal);
    const { end } = await log.bounds(topics.events, partition);
    opened.move();
    sayRestored(partition, task, meter);
    return this.#job(task, end);
  }

  /** The task that a build has left for a partition that stayed assigned. */
  async #built(partition: number, signal: AbortSignal): Promise<Task | undefined> {
    const { warm } = this.#around.options;
    if (warm === undefined || this.#isBuilt) return undefined;
    this.#waiting.set(partition, signal);
    try {
      const tasks = await orAborted(warm.tasks, signal);
      const task = tasks.get(partition);
      tasks.delete(partition);
      return task;
    } finally {
      this.#waiting.delete(partition);
    }
  }

  /** Drops tasks of partitions that other processes may own, and may have advanced, by now. */
  async #leave(tasks: Map<number, Task>): Promise<void> {
    this.#isBuilt = true;
    const left = [...tasks].filter(([partition]) => this.#waiting.get(partition)?.aborted ?? true);
    for (const [partition] of left) tasks.delete(partition);
    await Promise.allSettled(left.map(([, task]) => task[Symbol.asyncDispose]()));
  }

  async #restored(partition: number, meter: RestoreMeter, signal: AbortSignal): Promise<Task> {
    const { log, topics, partitions, options, now, own, variants, pins, thread } = this.#around;
    const { generations } = topics;
    const isOne = options.mayWork !== undefined && await log.identify(generations) !== null;
    const { stateBytes, snapshots, delivery = DELIVERY.value } = options;
    const { surfaceTopics, encodeLists, encodeSamples } = options;
    this.#meters.set(partition, meter);
    return await Task.open({
      log,
      topics,
      partition,
      options: options.task,
      serving: own.serving,
      maxStateBytes: stateBytes && stateBytes / partitions,
      snapshot: snapshots && {
        folder: snapshotFolder(snapshots.folder, topics, partition),
        intervalMs: snapshots.intervalMs,
        now,
      },
      variants: variants.map(({ serving }) => serving),
      pins,
      partitions,
      meter,
      giveWay: thread.slices(),
      delivery,
      surfaceTopics,
      encodeLists,
      encodeSamples,
      othersTime: this.#othersTime,
      follows: isOne ? [{ topic: generations, partition: 0 }] : [],
      signal,
    }).finally(() => this.#meters.delete(partition));
  }

  #job(task: Task, end: number): TaskJob {
    const { options, now, onEvents, watch } = this.#around;
    return new TaskJob(task, end, taskLimits(options, now), onEvents, watch);
  }
}

function sayRestored(
  partition: number,
  task: Task,
  { status: { records, bytes }, elapsedMs }: RestoreMeter,
): void {
  logger.info(
    "task {partition}: starts at offset {offset} with {users} users, restored in {ms} ms from {mb} MB and {records} records " +
      "on the log",
    {
      partition,
      offset: task.next,
      users: task.users.size,
      ms: Math.round(elapsedMs),
      mb: (bytes / 1e6).toFixed(1),
      records,
    },
  );
}
