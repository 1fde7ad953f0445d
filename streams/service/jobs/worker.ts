/**
 * One partition's work, for as long as the group assigns it to us.
 *
 * ```text
 *   open ──> step, step, step ... ──> stop() ──> finish, dispose
 *    ^            | failed for now
 *    └── pause <──┘     or the log contradicts what was recorded of it, or takes only small records: also reported
 * ```
 */

import { getLogger } from "@logtape/logtape";
import { firstOf, reasonOf } from "../../../src/values/reason.ts";
import { ignore } from "../../log/ignore.ts";
import { pause } from "../../log/pause.ts";
import { isTransient, LogError } from "../../log/log.ts";
import type { SharedThread } from "./shared_thread.ts";

/** What a {@linkcode Worker} does. */
export interface Job extends AsyncDisposable {
  /** Does the work at hand, or waits at most a second for some. May reject with the signal's reason. */
  step(signal: AbortSignal): Promise<void>;
  /** Makes what was done durable; no step follows. */
  finish?(): Promise<void>;
}

export interface WorkerOptions<J extends Job> {
  /** What it does, for people. */
  readonly name: string;
  /** Starts, or restarts after a failure. May reject with the signal's reason. */
  readonly open: (signal: AbortSignal) => Promise<J>;
  /** Monotonic clock, milliseconds. */
  readonly now: () => number;
  readonly thread: Pick<SharedThread, "giveWay">;
  /**
   * The first pause after a failure, milliseconds; it doubles, to half a minute at most, until the work has run for
   * that long.
   *
   * @default {1000}
   */
  readonly pauseMs?: number | undefined;
  /** Whether to keep trying after damage on a log that others repair, so that nothing else stops. @default {false} */
  readonly outlivesDamage?: boolean | undefined;
}

/** What needs repair on the log: topics differ from what was recorded of them, or have too small a record limit. */
const AT_ODDS: ReadonlySet<string> = new Set(["topic-mismatch", "too-large"]);
const LONGEST_PAUSE_MS = 30_000;
/** A stall to report, and the time between reports. */
export const STALL_MS = 5000;
const REMIND_MS = 30_000;

const logger = getLogger(["meander", "service"]);

/** Whether a topic is missing, which may be created again. */
export function isMissingTopic(error: unknown): boolean {
  return error instanceof LogError && error.code === "unknown-topic";
}

/** Works on one partition until it is stopped. */
export class Worker<J extends Job> {
  /** What it does, for people. */
  readonly name: string;
  /** Resolves when it has stopped; rejects when it has failed for good. */
  readonly ended: Promise<void>;
  readonly #options: WorkerOptions<J>;
  readonly #stopping = new AbortController();
  #job: J | undefined;
  #fault: string | undefined;
  #failure: string | undefined;
  #lacksTopic = false;
  /** When its last step ended, and when a stall was last logged. */
  #lastTurn: number;
  #reported = -Infinity;

  /** Starts working. */
  constructor(options: WorkerOptions<J>) {
    this.name = options.name;
    this.#options = options;
    this.#lastTurn = options.now();
    this.ended = this.#run();
  }

  /** Its job; `undefined` while that is being opened. */
  get job(): J | undefined {
    return this.#job;
  }

  /** Why it is stuck until the log is repaired, for people. */
  get fault(): string | undefined {
    return this.#fault;
  }

  /** Why it could not be opened, or was closed again, at the last attempt; for people. */
  get failure(): string | undefined {
    return this.#failure;
  }

  /** Whether it could not work at the last attempt because a topic is missing. */
  get lacksTopic(): boolean {
    return this.#lacksTopic;
  }

  /** What it is waiting for, for people. */
  get state(): string {
    return this.#job === undefined ? "is opening" : "waits for the log";
  }

  /** Time since its last step ended, milliseconds. */
  get stalledMs(): number {
    return this.#options.now() - this.#lastTurn;
  }

  /** What it is waiting for, if no step has ended for a while. */
  get stall(): string | undefined {
    const { stalledMs } = this;
    if (stalledMs < STALL_MS) return undefined;
    return `${this.name}: ${this.state} for ${Math.round(stalledMs / 1000)} s`;
  }

  /** Finishes the step in progress, makes it durable, and releases the job. Never rejects: `ended` reports failures. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await ignore(this.ended, "watchers of `ended` see it");
  }

  /** Logs a stall, and its end. @param stoodMs how long the whole process has stood still before, which is no stall */
  watch(stoodMs = 0): void {
    const { name } = this;
    const now = this.#options.now();
    this.#lastTurn = Math.min(now, this.#lastTurn + stoodMs);
    const seconds = Math.round((now - this.#lastTurn) / 1000);
    if (now - this.#lastTurn < STALL_MS) {
      if (this.#reported !== -Infinity) logger.info("{name}: is working again", { name });
      this.#reported = -Infinity;
    } else if (now - this.#reported >= REMIND_MS) {
      this.#reported = now;
      logger.warn(`{name}: ${this.state} for {seconds} s`, { name, seconds });
    }
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    const { name } = this;
    const { now, pauseMs: firstPauseMs = 1000, outlivesDamage = false } = this.#options;
    let pauseMs = firstPauseMs;
    for (;;) {
      const begun = now();
      try {
        return await this.#work(signal);
      } catch (thrown) {
        const error = firstOf(thrown);
        if (signal.aborted && error === signal.reason) return;
        const reason = reasonOf(error);
        const isAtOdds = error instanceof LogError &&
          (AT_ODDS.has(error.code) || outlivesDamage && error.code === "corrupt");
        this.#lacksTopic = isMissingTopic(error);
        // Of a position beyond the end of a log that has lost its end: a job that is opened again finds out.
        const isBeyond = error instanceof LogError && error.code === "beyond-end";
        if (!isAtOdds && !this.#lacksTopic && !isBeyond && !isTransient(error)) {
          logger.error("{name} failed: {reason}", { name, reason });
          throw error;
        }
        this.#failure = reason;
        this.#fault = isAtOdds ? `${name}: ${reason}` : undefined;
        if (signal.aborted) {
          logger.warn("{name} closed without its last commit: {reason}", { name, reason });
          return;
        }
        if (now() - begun > LONGEST_PAUSE_MS) pauseMs = firstPauseMs;
        if (isAtOdds) {
          logger.error("{name} stopped, trying again in {pauseMs} ms: {reason}", {
            name,
            pauseMs,
            reason,
          });
        } else logger.warn("{name} failed, restarting in {pauseMs} ms: {reason}", { name, pauseMs, reason });
        // When another process has taken the partition over, the group revokes it before the pause ends.
        await pause(pauseMs, signal);
        if (signal.aborted) return;
        pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS);
      }
    }
  }

  async #work(signal: AbortSignal): Promise<void> {
    const { open, now, thread } = this.#options;
    await using job = await open(signal);
    this.#job = job;
    this.#fault = this.#failure = undefined;
    this.#lacksTopic = false;
    try {
      while (!signal.aborted) {
        const begun = now();
        await job.step(signal).catch((error) => {
          if (!signal.aborted || error !== signal.reason) throw error;
        });
        this.#lastTurn = now();
        await thread.giveWay(this.#lastTurn - begun);
      }
      await job.finish?.();
    } finally {
      this.#job = undefined;
    }
  }
}
