/**
 * When a task of a service commits.
 *
 * If answers wait for the commit, one is due an interval after the last: an event after a pause is committed at once,
 * events in quick succession together.
 *
 * If answers are sent before it, each partition commits at its own moments, so that tasks that receive events at the
 * same time do not all encode, compress and commit at once while answers wait:
 *
 * ```text
 *   partition 0   |─────── interval ──────|───────────────────────|
 *   partition 1         |───────────────────────|─────────────────────
 *   partition 2               |───────────────────────|───────────────
 * ```
 *
 * @module
 */

import type { RetrievalState } from "../../src/retrieval/retrieval_state.ts";
import type { Delivery } from "../topics/delivery.ts";

/** Time between two removals of names, as a multiple of what the last one took. */
const PAUSES = 20;

/** Times between commits, milliseconds. */
export interface CommitIntervals {
  /** See `StepOptions.commitIntervalMs`. */
  readonly commitIntervalMs: number;
  /** See `StepOptions.answerIntervalMs`. */
  readonly answerIntervalMs: number;
}

/** Options of a {@linkcode CommitPace}. */
export interface CommitPaceOptions {
  readonly delivery: Delivery;
  readonly partition: number;
  readonly partitions: number;
}

/** Decides when commits of a task are due, by the caller's clock. */
export class CommitPace {
  readonly #sendsEarly: boolean;
  /** When in an interval the partition commits, as a share of it, 0 ≤ phase < 1. */
  readonly #phase: number;
  /** When the first event after the last commit was applied. */
  #since = Infinity;
  #committedAt = -Infinity;

  /** Starts without a commit. */
  constructor({ delivery, partition, partitions }: CommitPaceOptions) {
    this.#sendsEarly = delivery === "at-least-once";
    this.#phase = partition / partitions;
  }

  /** To be called when an event was applied. */
  applied(now: number): void {
    this.#since = Math.min(this.#since, now);
  }

  /** To be called when everything applied is committed. */
  committed(now: number): void {
    this.#committedAt = now;
    this.#since = Infinity;
  }

  /** When the next commit is due. @param isAsked whether an answer waits for it */
  dueAt(isAsked: boolean, { commitIntervalMs, answerIntervalMs }: CommitIntervals): number {
    if (this.#sendsEarly && this.#since < Infinity) return this.latestAt(commitIntervalMs);
    return this.#committedAt + (isAsked ? answerIntervalMs : commitIntervalMs);
  }

  /** Latest time to commit applied events; ∞ without any. */
  latestAt(commitIntervalMs: number): number {
    const since = this.#since;
    if (!this.#sendsEarly || commitIntervalMs === 0 || since === Infinity) return since + commitIntervalMs;
    const phase = this.#phase * commitIntervalMs;
    return (Math.floor((since - phase) / commitIntervalMs) + 1) * commitIntervalMs + phase;
  }
}

/**
 * Decides when the names of a task's erased users leave its records.
 *
 * They stand in the journals of retrieval, which only a snapshot replaces. That may take a second, in which nothing is
 * answered, so users who are erased one after the other share one: the more it takes, the longer the next one waits.
 */
export class ErasedNames {
  readonly #state: Pick<RetrievalState, "namedFrom" | "dropNames">;
  #dueAt = -Infinity;

  /** @param state whose records have the names */
  constructor(state: Pick<RetrievalState, "namedFrom" | "dropNames">) {
    this.#state = state;
  }

  /** Whether a commit is due that removes names. @param now monotonic clock, milliseconds */
  isDue(now: () => number): boolean {
    return this.#state.namedFrom < Infinity && now() >= this.#dueAt;
  }

  /** Makes the next commit remove them. */
  drop(): void {
    if (this.#state.namedFrom < Infinity) this.#state.dropNames();
  }

  /** Commits, and removes the names if that is due. */
  async commit(now: () => number, commit: () => Promise<void>): Promise<void> {
    if (!this.isDue(now)) return await commit();
    const begun = now();
    this.drop();
    await commit();
    this.#dueAt = now() + PAUSES * (now() - begun);
  }
}
