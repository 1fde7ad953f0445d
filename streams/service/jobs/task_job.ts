/** A task of a service. */

import { isTransient } from "../../log/log.ts";
import type { Task } from "../../task/task.ts";
import type { InputChanges } from "../../task/inputs/inputs.ts";
import type { ServiceOptions } from "./options.ts";
import type { TopicWatch } from "./topic_watch.ts";
import type { Job } from "./worker.ts";
import type { StepOptions } from "../../task/options.ts";

/** How long a step waits when there is nothing to do. */
const IDLE_MS = 1000;
/** Events per step where answers are sent at once, so that the first does not wait for many others. */
const PROMPT_EVENTS = 32;

/** What the steps of a service's tasks have in common. */
export function taskLimits(options: ServiceOptions, now: () => number): StepOptions {
  const { commitIntervalMs, commitEvents, answerIntervalMs, sliceMs } = options;
  return {
    now,
    waitMs: IDLE_MS,
    commitIntervalMs,
    commitEvents,
    maxEvents: options.delivery === "at-least-once" ? PROMPT_EVENTS : undefined,
    answerIntervalMs,
    sliceMs,
  };
}

/** Steps of a task, until it is released. */
export class TaskJob implements Job {
  readonly task: Task;
  readonly #limits: StepOptions;
  readonly #onEvents: (events: number) => void;
  readonly #watch: Pick<TopicWatch, "known">;
  #changes: InputChanges | undefined;
  readonly #span: readonly [begin: number, end: number];

  /**
   * @param end the end of its partition when it began
   * @param onEvents called with the number of events that a step has applied
   * @param watch what has become of the topics
   */
  constructor(
    task: Task,
    end: number,
    limits: StepOptions,
    onEvents: (events: number) => void,
    watch: Pick<TopicWatch, "known">,
  ) {
    this.task = task;
    this.#watch = watch;
    this.#limits = limits;
    this.#onEvents = onEvents;
    this.#span = [task.next, end];
  }

  /** Events left of those present when it began, including holes in the log; and the share done, 0..1. */
  get backlog(): { readonly left: number; readonly share: number } {
    const [begin, end] = this.#span;
    const left = Math.max(0, end - this.task.next);
    return { left, share: left === 0 ? 1 : (this.task.next - begin) / (end - begin) };
  }

  /** Why its results are unreliable although it continues, for people. */
  get complaint(): string | undefined {
    return this.#changes?.unread ?? undefined;
  }

  async step(signal: AbortSignal): Promise<void> {
    const { inputs } = this.task;
    this.#changes = inputs.changesIn(this.#watch.known);
    if (this.#changes.replaced !== null) throw this.#changes.replaced;
    try {
      this.#onEvents(await this.task.step({ ...this.#limits, signal }));
    } catch (error) {
      // The log may lack the position because the topic was recreated under the same name, which is the better error.
      if (!signal.aborted && !isTransient(error)) await inputs.check();
      throw error;
    }
  }

  async finish(): Promise<void> {
    if (this.task.isDirty) await this.task.commit();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.task[Symbol.asyncDispose]();
  }
}
