/**
 * A learner in a thread of its own.
 *
 * @module
 */

import type { LearnerFigures } from "../../learning/learner_figures.ts";
import { isShared } from "../../log/capabilities.ts";
import { ignore } from "../../log/ignore.ts";
import type { Log, LogConnection } from "../../log/log.ts";
import { orAborted } from "../../log/pause.ts";
import { unpackError } from "../../log/threads/port_calls.ts";
import { unreadable } from "../../log/unreadable.ts";
import { connectLog } from "../../log/threads/serve_log.ts";
import type { LearnerJob, LearnerSpec } from "./learner_job.ts";
import type { LearnerThreadOptions } from "./options.ts";
import type { ThreadOrder, ThreadReport } from "./thread_messages.ts";

/** How long a thread may take to end before it is terminated, which loses no more than a crash. */
const PATIENCE_MS = 2000;

/**
 * Runs a learner in a thread. Errors there are errors here; a silent exit of the thread goes undetected.
 */
export class ThreadedLearner implements LearnerJob {
  readonly #thread: Worker;
  readonly #connection: LogConnection | undefined;
  readonly #committed: LearnerThreadOptions["committed"];
  /** Resolves when the thread has ended; rejects with its error. */
  readonly #ended = Promise.withResolvers<void>();
  #isOver = false;
  #figures: LearnerFigures | undefined;
  /** Resolves with the next report. */
  #reported = Promise.withResolvers<void>();

  private constructor(log: Log, spec: LearnerSpec, options: LearnerThreadOptions) {
    const { permissions, module = new URL("./learner_thread.ts", import.meta.url), committed } = options;
    this.#committed = committed;
    ignore(this.#ended.promise, "the next step throws it");
    this.#thread = new Worker(module, {
      type: "module",
      name: `learner of ${spec.model}`,
      ...(permissions === undefined ? {} : { deno: { permissions } }),
    });
    this.#thread.onmessage = ({ data }: MessageEvent<ThreadReport>) => this.#hear(data);
    this.#thread.onerror = (event) => {
      event.preventDefault();
      this.#end(new Error(`The thread of the learner of ${spec.model} died: ${event.message}`));
    };
    if (isShared(log)) this.#order({ start: spec, log: { address: log.address } });
    else {
      const connection = this.#connection = connectLog(log);
      connection.lost?.catch((error) => this.#end(error)); // a port does not report that its other end is gone
      this.#order({ start: spec, log: connection.channel }, [connection.channel.port]);
    }
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
    await orAborted(Promise.race([this.#reported.promise, this.#ended.promise]), signal);
  }

  async finish(): Promise<void> {
    this.#order({ end: "finish" });
    await this.#ended.promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#isOver) {
      this.#order({ end: "let go" });
      const patience = setTimeout(() => this.#end(), PATIENCE_MS);
      await ignore(this.#ended.promise, "it is disposed");
      clearTimeout(patience);
    }
    this.#thread.terminate();
    await this.#connection?.[Symbol.asyncDispose]();
  }

  #order(order: ThreadOrder, transfer: Transferable[] = []): void {
    this.#thread.postMessage(order, transfer);
  }

  #hear(report: ThreadReport): void {
    if ("figures" in report) {
      this.#figures = report.figures;
      this.#reported.resolve();
      this.#reported = Promise.withResolvers();
    } else if ("unreadable" in report) {
      const { place, reason, effect } = report.unreadable;
      unreadable.leaveOut(place, reason, effect);
    } else if ("commit" in report) this.#committed?.(report.commit);
    else this.#end(report.ended === null ? undefined : unpackError(report.ended));
  }

  #end(error?: Error): void {
    this.#isOver = true;
    if (error === undefined) this.#ended.resolve();
    else this.#ended.reject(error);
  }
}
