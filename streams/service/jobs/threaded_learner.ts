/** A learner in a thread of its own. */

import type { LearnerFigures } from "../../learning/learner_figures.ts";
import type { Log } from "../../log/log.ts";
import { LogThread } from "../../log/threads/log_thread.ts";
import type { LearnerJob, LearnerSpec } from "./learner_job.ts";
import type { LearnerThreadOptions } from "./options.ts";
import type { LearnerReport, ThreadOrder } from "./thread_messages.ts";

const PATIENCE_MS = 2000;

/** Runs a learner in a thread. */
export class ThreadedLearner implements LearnerJob {
  readonly #thread: LogThread<ThreadOrder, LearnerReport>;
  readonly #committed: LearnerThreadOptions["committed"];
  #figures: LearnerFigures | undefined;
  #reported = Promise.withResolvers<void>();

  private constructor(log: Log, spec: LearnerSpec, options: LearnerThreadOptions) {
    const { permissions, module = new URL("./learner_thread.ts", import.meta.url), committed } = options;
    this.#committed = committed;
    this.#thread = new LogThread<ThreadOrder, LearnerReport>(log, {
      module,
      permissions,
      name: `learner of ${spec.model}`,
      start: (place) => ({ start: spec, log: place }),
      last: { end: "release" },
      patienceMs: PATIENCE_MS,
      onReport: (report) => this.#hear(report),
    });
  }

  /**
   * Continues from the last checkpoint.
   *
   * @throws what opening the learner throws, or the signal's reason
   */
  static async open(
    log: Log,
    spec: LearnerSpec,
    options: LearnerThreadOptions,
    signal: AbortSignal,
  ): Promise<ThreadedLearner> {
    const learner = new ThreadedLearner(log, spec, options);
    try {
      while (learner.#figures === undefined) await learner.step(signal);
      return learner;
    } catch (error) {
      await learner[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** As last reported by the thread. */
  get figures(): LearnerFigures {
    if (this.#figures === undefined) throw new Error("Cannot report on a learner that has not started");
    return this.#figures;
  }

  /** Waits for the next report. */
  async step(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    await this.#thread.wait(this.#reported.promise, signal);
  }

  async finish(): Promise<void> {
    this.#thread.order({ end: "finish" });
    await this.#thread.ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#thread[Symbol.asyncDispose]();
  }

  #hear(report: LearnerReport): void {
    if ("commit" in report) return this.#committed?.(report.commit);
    this.#figures = report.figures;
    this.#reported.resolve();
    this.#reported = Promise.withResolvers();
  }
}
