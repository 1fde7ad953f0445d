/**
 * The tasks and the model of a generation that is built in another thread, as far as that thread has committed: ready
 * to answer once it has stopped. They apply its results, which takes a fraction of the time.
 * @module
 */

import type { Log } from "../../log/log.ts";
import type { WarmGeneration } from "../../service/jobs/options.ts";
import { type LearnerSpec, makeServingModel } from "../../service/jobs/learner_job.ts";
import { snapshotFolder } from "../../service/task_opener.ts";
import type { Restore } from "../../task/restoring/restore.ts";
import { tasksLog } from "../../task/shared_sources.ts";
import { Task } from "../../task/task.ts";
import { openRestore } from "../../task/task_parts.ts";
import { ParameterSubscriber } from "../../topics/parameters.ts";
import { PinnedModels } from "../../topics/pinned_models.ts";
import { boundedLog } from "../build/bounded_log.ts";
import type { RebuildOptions } from "../build/options.ts";
import type { TaskOpening, TaskRuntime } from "../../task/options.ts";

export interface StandbyOptions extends Pick<RebuildOptions, "task" | "stateBytes" | "snapshots"> {
  readonly spec: LearnerSpec;
  readonly tasks: number;
  /** How they run when they answer. */
  readonly service: Pick<TaskRuntime, "delivery" | "surfaceTopics" | "encodeLists" | "encodeSamples">;
  /** Lets others use the thread in between. */
  readonly giveWay: () => Promise<unknown>;
}

/** Tasks that follow their changelogs until they take over. */
export class Standby implements AsyncDisposable {
  /** What a service takes over in addition to the tasks. */
  readonly warm: Omit<WarmGeneration, "tasks">;
  /** Where each task stops, once it answers: nowhere, `Infinity`. */
  readonly ends: number[];
  readonly #log: Log;
  readonly #options: StandbyOptions;
  readonly #restores: { readonly opening: TaskOpening; readonly restore: Restore }[] = [];
  readonly #open = new AsyncDisposableStack();

  private constructor(log: Log, options: StandbyOptions) {
    const { spec, tasks } = options;
    const { topics, model } = spec;
    const serving = makeServingModel(spec);
    this.ends = new Array<number>(tasks).fill(Infinity);
    this.#log = boundedLog(log, topics.events, this.ends);
    this.#options = options;
    this.warm = {
      serving,
      subscriber: new ParameterSubscriber(log, topics.parameters, serving),
      pins: new PinnedModels(
        log,
        topics,
        (name, key) => name === model ? makeServingModel(spec, key) : undefined,
      ),
    };
  }

  /** Restores the tasks as far as they are built. */
  static async open(log: Log, options: StandbyOptions): Promise<Standby> {
    const { tasks, spec: { topics }, stateBytes, snapshots, service } = options;
    const standby = new Standby(await tasksLog(log, topics, tasks), options);
    await using open = new AsyncDisposableStack();
    open.use(standby);
    const { pins, serving } = standby.warm;
    for (const partition of standby.ends.keys()) {
      const opening = {
        ...service,
        log: standby.#log,
        topics,
        partition,
        options: options.task,
        serving,
        pins,
        giveWay: options.giveWay,
        maxStateBytes: stateBytes && stateBytes / tasks,
        snapshot: snapshots &&
          { ...snapshots, folder: snapshotFolder(snapshots.folder, topics, partition) },
      };
      const restore = standby.#open.use(await openRestore(opening));
      standby.#restores.push({ opening, restore });
    }
    // One after another: each may gather much of its changelog.
    for (const { restore } of standby.#restores) await restore.follow();
    open.move();
    return standby;
  }

  /** Applies what was committed since. Tasks wait for the log at the same time, as requests may wait for them. */
  async follow(): Promise<void> {
    await this.warm.subscriber.update({ giveWay: this.#options.giveWay });
    const followed = await Promise.allSettled(this.#restores.map(({ restore }) => restore.follow()));
    for (const one of followed) if (one.status === "rejected") throw one.reason;
  }

  /** Fences the build. @returns the tasks, which the caller has to dispose of */
  async takeOver(): Promise<Map<number, Task>> {
    await this.warm.subscriber.update();
    const opened = await Promise.allSettled(
      this.#restores.map(({ opening, restore }) => Task.open({ ...opening, restore })),
    );
    await using open = new AsyncDisposableStack();
    const tasks = new Map<number, Task>();
    for (const [partition, one] of opened.entries()) {
      if (one.status === "fulfilled") tasks.set(partition, open.use(one.value));
    }
    for (const one of opened) if (one.status === "rejected") throw one.reason;
    open.move();
    return tasks;
  }

  /** Closes restores that no task has taken over. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#open.disposeAsync();
  }
}
