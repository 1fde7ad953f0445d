/**
 * What a task learns from the tasks of other partitions, by the topic `signals`.
 *
 * ```text
 *   signals/0  ■■■■■■■│■■░░        │ = learnt and committed; ■ behind it = learnt since; ░ = read ahead, or not yet
 *   signals/1  (own: written in each commit, beside everything else)
 *   signals/2  ■■■■│■░░░░░░░░
 * ```
 *
 * Each record is the journal of a commit (`src/retrieval/signals/signal.ts`), with a note of what its task had learnt from the
 * others since the commit before, ahead of any event. With the events of a partition, the notes on it say all that
 * its task depends on: a replay that follows them is the same, byte for byte.
 *
 * @module
 */

import type { TaskState } from "../../src/engine/task_state.ts";
import type { Log, LogRecord } from "../log/log.ts";
import { unreadable } from "../log/unreadable.ts";
import { OthersReader } from "./inputs/others_reader.ts";
import type { TimeShare } from "./time_share.ts";

/** Header of a record: what was learnt from others, as `<partition>:<next position>` in that order, between spaces. */
export const OTHERS = "others";

/** Header of a task's own record: up to where it names nobody whom others have erased, as {@linkcode OTHERS} is written. */
export const CLEARED = "cleared";
/** Its value where nothing is learnt from others. */
export const NOTHING_SHARED = "none";

/** Least time from one snapshot that takes names away to the next: it costs 0.2 s. */
const ERASE_MS = 60_000;
/** How long what was learnt waits for a commit of own events, and how many bytes of it do. */
const COMMIT_MS = 5000;
const COMMIT_BYTES = 512 << 10;
/** The longest wait for an event while there may be something to learn. */
const WAIT_MS = 250;
const NOWHERE: ReadonlyMap<number, number> = new Map();

/** Positions behind what was learnt, in the order in which it was. */
export type OthersNote = readonly (readonly [partition: number, next: number])[];

/** Writes a note, for {@linkcode OTHERS}. */
export function encodeNote(note: OthersNote): string {
  return note.map(([partition, next]) => `${partition}:${next}`).join(" ");
}

/** Reads what {@linkcode encodeNote} wrote; nothing where nothing was noted. */
export function decodeNote(text = ""): OthersNote {
  return text.split(" ").filter((part) => part !== "").map((part) => {
    const [partition, next] = part.split(":").map(Number);
    return [partition ?? NaN, next ?? NaN];
  });
}

/** Options of {@linkcode Others.open}. */
export interface OthersOptions {
  /** The task's partition. */
  readonly partition: number;
  /** Number of partitions. */
  readonly partitions: number;
  /** Whether tasks share what they learn. With one partition there is nothing to share. */
  readonly shared: boolean;
  /** When there is time to learn. */
  readonly time: TimeShare;
  /** Whether the topic is another than the one that positions are of: it is read from its start. @default {false} */
  readonly anew?: boolean;
}

/** Learns from others, when there are any. */
export class Others implements AsyncDisposable {
  /** Signals and positives that were learnt since this process began. */
  learnt = 0;
  readonly #own: number;
  readonly #state: TaskState;
  readonly #reader: OthersReader | undefined;
  readonly #time: TimeShare;
  #note: (readonly [partition: number, next: number])[] = [];
  #committed: ReadonlyMap<number, number>;
  /** When the first of what is not committed was learnt, by the clock of steps. */
  #since = Infinity;
  /** When names were last taken away, by that clock. */
  #erasedAt = -Infinity;

  private constructor(state: TaskState, { partition, time }: OthersOptions, reader?: OthersReader) {
    this.#own = partition;
    this.#time = time;
    this.#state = state;
    this.#reader = reader;
    this.#committed = new Map(state.retrieval.state.others);
  }

  /** Goes on from where a restored state has learnt. */
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
      // An erasure may be among what the old one had.
      state.retrieval.state.forgetAll();
      for (const [other, next] of reader.positions) state.retrieval.state.passOthers(other, next);
    }
    return new Others(state, options, reader);
  }

  /** Where to read on, by partition. */
  get positions(): ReadonlyMap<number, number> {
    return this.#reader?.positions ?? NOWHERE;
  }

  /** Whether it learns from others. */
  get isShared(): boolean {
    return this.#reader !== undefined;
  }

  /** Where it reads on after a restart, by partition. */
  get committed(): ReadonlyMap<number, number> {
    return this.#committed;
  }

  /** What was learnt since the last commit. */
  get note(): OthersNote {
    return this.#note;
  }

  /** Whether something was learnt and not committed. */
  get isDirty(): boolean {
    return this.#since < Infinity;
  }

  /** How long to wait for an event, at most. */
  idleMs(waitMs: number): number {
    if (this.#reader === undefined) return waitMs;
    // What was read has to wait for its time: without a pause, the steps of an idle task would be all that is done.
    return Math.min(waitMs, this.#reader.hasMore ? this.#time.waitMs : WAIT_MS);
  }

  /** Takes away whom others have erased from what is written: with the next commit, which is due then. */
  eraseNames(now: number): void {
    const { state } = this.#state.retrieval;
    if (!state.namesForgotten || now - this.#erasedAt < ERASE_MS) return;
    state.dropNames();
    this.#erasedAt = now;
    this.#since = -Infinity;
  }

  /** Takes all names of others away: it will not learn any more who is erased. */
  #leave(): void {
    if (this.#state.retrieval.state.others.size === 0) return;
    this.#state.retrieval.state.forgetAll();
    this.#since = -Infinity;
  }

  /** Whether what was learnt has waited long enough for own events to be committed with it. */
  mustCommit(now: number): boolean {
    return now - this.#since >= COMMIT_MS || this.#state.retrieval.state.takenBytes >= COMMIT_BYTES;
  }

  /** Notes that what was learnt is committed. */
  keep(): void {
    this.#committed = new Map(this.#state.retrieval.state.others);
    this.#note = [];
    this.#since = Infinity;
  }

  /**
   * Learns while there is time, as far as others were read, and has more read. Only while no own event is to be
   * committed.
   *
   * @param isBehind whether own events wait: these come first
   */
  learnSome(now: () => number, isBehind: boolean): void {
    const reader = this.#reader;
    if (reader === undefined) return;
    // An erasure may be among what was missed.
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
   * Learns a record; one that cannot be read is said and left out.
   *
   * @param next where to read on behind it
   * @returns How many signals and positives it was.
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

  /** Ends what is being read. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#reader?.[Symbol.asyncDispose]();
  }
}
