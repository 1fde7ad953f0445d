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
 */

import type { RetrievalState } from "../../../src/retrieval/retrieval_state.ts";
import type { Delivery } from "../../topics/delivery.ts";

/** Time between two pieces of a snapshot, as a multiple of what the last one took. */
const PAUSES = 20;

/** Times between commits, milliseconds. */
export interface CommitIntervals {
  /** See `StepOptions.commitIntervalMs`. */
  readonly commitIntervalMs: number;
  /** See `StepOptions.answerIntervalMs`. */
  readonly answerIntervalMs: number;
}

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

/** The state whose snapshots are paced. */
type Snapshots = Pick<RetrievalState, "isSnapshotUnderWay" | "namedFrom" | "dropNames">;

/**
 * Decides when a task writes pieces of a snapshot of what retrieval has learnt.
 *
 * While a piece is made and written, nothing is answered: they take a twentieth of the time. Names of erased users stand
 * in the journals until a snapshot has replaced them, so users who are erased one after the other share one.
 */
export class SnapshotPace {
  readonly #state: Snapshots;
  #dueAt = -Infinity;

  constructor(state: Snapshots) {
    this.#state = state;
  }

  /** Time until a commit is due for a piece, even without events; ∞ = none is. @param now monotonic clock, milliseconds */
  untilDue(now: () => number): number {
    const isWanted = this.#state.isSnapshotUnderWay || this.#state.namedFrom < Infinity;
    return isWanted ? Math.max(0, this.#dueAt - now()) : Infinity;
  }

  /** Makes a snapshot due that removes the names of the task's erased users. */
  dropNames(): void {
    if (this.#state.namedFrom < Infinity) this.#state.dropNames();
  }

  /** Commits, with a piece if that is due. */
  async commit(now: () => number, commit: (pieces: number) => Promise<void>): Promise<void> {
    if (now() < this.#dueAt) return await commit(0);
    const begun = now();
    this.dropNames();
    const wasUnderWay = this.#state.isSnapshotUnderWay;
    await commit(1);
    if (wasUnderWay || this.#state.isSnapshotUnderWay) this.#dueAt = now() + PAUSES * (now() - begun);
  }
}
