/**
 * What a task learns from the tasks of other partitions, over the topic `signals`.
 *
 * ```text
 *   signals/0  ■■■■■■■│■■░░        │ = learnt and committed up to here; ■ after it = learnt since; ░ = not learnt yet
 *   signals/1  (own: written in each commit, with everything else)
 *   signals/2  ■■■■│■░░░░░░░░
 * ```
 *
 * Each record is the journal of a commit (`src/retrieval/signals/signal.ts`), with a note of what its task had learnt
 * from the others since the previous commit, before any event. The events of a partition and these notes determine its
 * task completely: a replay that follows them is the same, byte for byte.
 */

import type { TaskState } from "../../src/engine/task_state.ts";
import type { Log, LogRecord } from "../log/log.ts";
import { unreadable } from "../log/unreadable.ts";
import { OthersReader } from "./inputs/others_reader.ts";
import type { TimeShare } from "./pace/time_share.ts";

/**
 * Header of a record: what was learnt from others, as `<partition>:<next position>` in that order, separated by spaces.
 */
export const OTHERS = "others";

/** Header of a task's own record: positions, as in {@linkcode OTHERS}, up to which it names no user erased by others. */
export const CLEARED = "cleared";
/** Value of {@linkcode CLEARED} for a task that learns nothing from others. */
export const NOTHING_SHARED = "none";

/** Shortest time between snapshots of retrieval that remove names, each of which costs 0.2 s. */
const ERASE_MS = 60_000;
/** Maximum time and bytes for which learnt signals wait to be committed with own events. */
const COMMIT_MS = 5000;
const COMMIT_BYTES = 512 << 10;
/** Longest wait for an event while there may be something to learn. */
const WAIT_MS = 250;
const NOWHERE: ReadonlyMap<number, number> = new Map();

/** Positions after what was learnt, in the order of learning. */
export type OthersNote = readonly (readonly [partition: number, next: number])[];

/** Encodes a note, for {@linkcode OTHERS}. */
export function encodeNote(note: OthersNote): string {
  return note.map(([partition, next]) => `${partition}:${next}`).join(" ");
}

/** Decodes a note of {@linkcode encodeNote}; empty without one. */
export function decodeNote(text = ""): OthersNote {
  return text.split(" ").filter((part) => part !== "").map((part) => {
    const [partition, next] = part.split(":").map(Number);
    return [partition ?? NaN, next ?? NaN];
  });
}

export interface OthersOptions {
  /** The task's partition. */
  readonly partition: number;
  readonly partitions: number;
  /** Whether tasks share what they learn. With one partition there is nothing to share. */
  readonly shared: boolean;
  /** Time budget for learning. */
  readonly time: TimeShare;
  /** Whether the topic was created again, so that it is read from its start. @default {false} */
  readonly anew?: boolean;
}

/** Learns from others, when there are any. */
export class Others implements AsyncDisposable {
  /** Number of signals and positives learnt since this process began. */
  learnt = 0;
  readonly #own: number;
  readonly #state: TaskState;
  readonly #reader: OthersReader | undefined;
  readonly #time: TimeShare;
  #note: (readonly [partition: number, next: number])[] = [];
  #committed: ReadonlyMap<number, number>;
  /** When the oldest uncommitted signal was learnt, by the clock of steps. */
  #since = Infinity;
  /** When names were last removed, by the same clock. */
  #erasedAt = -Infinity;

  private constructor(state: TaskState, { partition, time }: OthersOptions, reader?: OthersReader) {
    this.#own = partition;
    this.#time = time;
    this.#state = state;
    this.#reader = reader;
    this.#committed = new Map(state.retrieval.state.others);
  }

  /** Continues from the positions of a restored state. */
  static async open(
    log: Log,
    topic: string,
    state: TaskState,
    options: OthersOptions,
  ): Promise<Others> {
    const { partition, partitions, shared, anew = false } = options;
    if (!shared || partitions < 2) {
      const alone = new Others(state, options);
      alone.#leave();
      return alone;
    }
    state.retrieval.state.share();
    const positions = anew ? NOWHERE : state.retrieval.state.others;
    const reader = await OthersReader.open(log, topic, { own: partition, partitions, positions });
    if (anew) {
      // The old topic may have contained an erasure.
      state.retrieval.state.forgetAll();
      for (const [other, next] of reader.positions) state.retrieval.state.passOthers(other, next);
    }
    return new Others(state, options, reader);
  }

  /** Positions to read next, by partition. */
  get positions(): ReadonlyMap<number, number> {
    return this.#reader?.positions ?? NOWHERE;
  }

  /** Whether it learns from others. */
  get isShared(): boolean {
    return this.#reader !== undefined;
  }

  /** Positions to read next after a restart, by partition. */
  get committed(): ReadonlyMap<number, number> {
    return this.#committed;
  }

  /** What was learnt since the last commit. */
  get note(): OthersNote {
    return this.#note;
  }

  /** Whether something was learnt but not committed. */
  get isDirty(): boolean {
    return this.#since < Infinity;
  }

  /** Longest wait for an event. */
  idleMs(waitMs: number): number {
    if (this.#reader === undefined) return waitMs;
    // Records already read wait for time to be learnt; without a pause an idle task would spin.
    return Math.min(waitMs, this.#reader.hasMore ? this.#time.waitMs : WAIT_MS);
  }

  /** Makes a snapshot due that removes users whom others erased. */
  eraseNames(now: number): void {
    const { state } = this.#state.retrieval;
    if (!state.mayNameErased || now - this.#erasedAt < ERASE_MS) return;
    state.dropNames();
    this.#erasedAt = now;
  }

  /** Removes all names learnt from others, because it will no longer learn of their erasures. */
  #leave(): void {
    if (this.#state.retrieval.state.others.size === 0) return;
    this.#state.retrieval.state.forgetAll();
  }

  /** Whether learnt signals have waited long enough for own events, and have to be committed without any. */
  mustCommit(now: number): boolean {
    return now - this.#since >= COMMIT_MS || this.#state.retrieval.state.takenBytes >= COMMIT_BYTES;
  }

  /** To be called when everything learnt is committed. */
  keep(): void {
    this.#committed = new Map(this.#state.retrieval.state.others);
    this.#note = [];
    this.#since = Infinity;
  }

  /**
   * Learns from records already read while there is time, and reads more. Only while no own event waits for a commit.
   *
   * @param isBehind whether own events wait, which take precedence
   */
  learnSome(now: () => number, isBehind: boolean): void {
    const reader = this.#reader;
    if (reader === undefined) return;
    // The missed records may include an erasure.
    if (reader.takeMissed()) this.#state.retrieval.state.forgetAll();
    const begun = now();
    const leftMs = this.#time.left(begun, isBehind);
    if (leftMs > 0) {
      reader.take((record, next) => {
        if (this.learn(record, next) > 0 && this.#since === Infinity) this.#since = now();
        return now() - begun < leftMs && this.#state.retrieval.state.takenBytes < COMMIT_BYTES;
      });
      this.#time.spend(now() - begun);
    }
    reader.begin();
  }

  /**
   * Learns a record; one that cannot be read is logged and left out.
   *
   * @param next the position after it
   * @returns The number of signals and positives learnt.
   */
  learn({ topic, partition, offset, value }: LogRecord, next: number): number {
    let learnt = 0;
    try {
      if (value !== null && value.length > 0) {
        learnt = this.#state.learnOthers({ partition, journal: value, next });
      }
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      unreadable.leaveOut({ topic, partition, offset }, error, `task ${this.#own} does not learn from it`);
    }
    if (learnt === 0) this.#state.retrieval.state.passOthers(partition, next);
    if (this.#note.at(-1)?.[0] === partition) this.#note.pop();
    this.#note.push([partition, next]);
    this.learnt += learnt;
    return learnt;
  }

  /** Stops reading. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#reader?.[Symbol.asyncDispose]();
  }
}
