/** A partition of a topic that is fed, read ahead by one read. */

import { getLogger } from "@logtape/logtape";
import { reasonOf } from "../../src/values/reason.ts";
import { type Log, LogError, type LogRecord, type ReadResult } from "../log/log.ts";
import { orAborted } from "../log/pause.ts";
import { readOn } from "../log/reading.ts";
import type { MergeHead, MergePartition } from "./merge.ts";
import { Stuck, type StuckSince } from "./stuck.ts";

const logger = getLogger(["meander", "feeder"]);

/** Most records of a read; slightly more are held. */
const MAX_RECORDS = 1000;

/**
 * Number of records after the next one that are compared with it: if most of them are older, the next one's clock is
 * ahead, and it must not hold them up. A few late ones among them do not matter.
 */
const LOOKED_AT = 7;

/** A record as the merge sees it. */
export interface HeldRecord extends MergeHead {
  readonly record: LogRecord;
  readonly read: ReadTime;
}

export interface SourcePartitionOptions<Head extends HeldRecord> {
  /** The log with the topic. */
  readonly log: Log;
  readonly topic: string;
  readonly partition: number;
  /** Where to begin. */
  readonly from: Pick<ReadResult, "next" | "epoch">;
  /** See `MergePartition.waitMs`. */
  readonly waitMs: number;
  /** Bytes to hold; one record may be larger. */
  readonly maxBytes: number;
  /** Wall clock, milliseconds since the epoch. */
  readonly now: () => number;
  /** A monotonic clock, milliseconds. */
  readonly clock: () => number;
  readonly headOf: (record: LogRecord, read: ReadTime) => Head | Promise<Head>;
  /** Since when it cannot go on, under a name of its own. */
  readonly stuck: { readonly since: StuckSince; readonly name: string };
}

/** When records were read, and {@linkcode ReadResult.epoch}. */
export interface ReadTime extends Pick<ReadResult, "epoch"> {
  /** By the monotonic clock. */
  readonly at: number;
  /** By the wall clock. */
  readonly time: number;
}

/** Turns the error of reading a changed topic into a transient one: a later check reports what happened to it. */
export function whileThere(error: unknown, place: string): unknown {
  const isGone = error instanceof LogError &&
    ["unknown-topic", "unknown-partition", "beyond-end"].includes(error.code);
  return isGone
    ? new LogError("closed", `Cannot read ${place} now: ${error.message}`, { cause: error })
    : error;
}

/** A partition of a topic that is fed. */
export class SourcePartition<Head extends HeldRecord> implements MergePartition {
  readonly partition: number;
  /** See `MergePartition.waitMs`. */
  readonly waitMs: number;
  readonly #options: SourcePartitionOptions<Head>;
  /** The next records, as the merge sees them, in order. */
  readonly #held: Head[] = [];
  /** The offset after the last record taken, and when that was read. */
  #taken: { readonly next: number; readonly read: ReadTime };
  /** Records that were read; those from `#at` on follow the held ones. */
  #read: readonly LogRecord[] = [];
  #at = 0;
  #readTime: ReadTime;
  #head: Head | undefined;
  /** Offset to read next from the log. */
  #readTo: number;
  #skipped = 0;
  #isAtEnd = false;
  #emptyAt = -Infinity;
  /** Why it could not read further, as last logged. */
  #failure: string | undefined;
  readonly #stuck: Stuck;
  /** Why others no longer wait for it. */
  #passedFor: string | undefined;

  /** Nothing is read yet. */
  constructor(options: SourcePartitionOptions<Head>) {
    this.#options = options;
    this.#stuck = new Stuck(options.stuck, options.clock);
    this.partition = options.partition;
    this.waitMs = options.waitMs;
    this.#readTo = options.from.next;
    this.#readTime = { at: -Infinity, time: -Infinity, epoch: options.from.epoch };
    this.#taken = { next: options.from.next, read: this.#readTime };
  }

  /** Offset after the last record taken: the position to commit. */
  get next(): number {
    return (this.#held[0]?.record ?? this.#read[this.#at])?.offset ?? this.#readTo;
  }

  /** See `ReadResult.epoch`, of that position: that of the record before it, which the next one may not share. */
  get epoch(): number | undefined {
    const isAllTaken = this.#held.length === 0 && this.#at === this.#read.length;
    const read = this.#held[0]?.read ?? this.#readTime;
    if (isAllTaken || read === this.#taken.read) return read.epoch;
    return this.#taken.next === this.next ? this.#taken.read.epoch : undefined;
  }

  /** Offsets that the topic dropped before they were read. */
  get skipped(): number {
    return this.#skipped;
  }

  /** The next record, if one is held; when most of the records after it are older, with their median time. */
  get head(): Head | undefined {
    return this.#head;
  }

  /** See `MergePartition.emptyAt`. */
  get emptyAt(): number {
    return this.#passedFor === undefined ? this.#emptyAt : Infinity;
  }

  /** Why others go ahead: its next record can be neither read nor decoded. */
  get passedFor(): string | undefined {
    return this.#passedFor;
  }

  /** How long it has been unable to give its next record, milliseconds. */
  get stuckMs(): number {
    return this.#stuck.ms;
  }

  /** Whether to read on before the next turn. */
  get isLow(): boolean {
    return this.#head === undefined || !this.#isAtEnd && this.#held.length <= LOOKED_AT;
  }

  /** Removes the head. */
  take(): void {
    if (this.#head === undefined) return;
    const { record, read } = this.#held.shift()!;
    this.#taken = { next: record.offset + 1, read };
    this.#look();
  }

  /** Reads on when few records are held, and sets `emptyAt` when there are no more. Waits only when none is held. */
  async fill(waitMs = 0, signal?: AbortSignal): Promise<void> {
    if (this.#passedFor !== undefined) return this.#stuck.tryAgain(() => this.#tryAgain(signal));
    try {
      await this.#fill(waitMs, signal);
    } catch (error) {
      if (this.#held.length === 0 && !this.#passes(error, signal)) throw error;
      if (!signal?.aborted) this.#tell(error); // it recurs once the held records are taken
    }
    this.#look();
  }

  async #fill(waitMs: number, signal: AbortSignal | undefined): Promise<void> {
    while (this.#held.length <= LOOKED_AT) {
      if (this.#at < this.#read.length) await this.#hold(signal);
      else if (!await this.#readOn(this.#held.length > 0 ? 0 : waitMs, signal)) break;
    }
    this.#failure = undefined;
    this.#stuck.ends();
  }

  /** Whether others go ahead from now on, after a failure without a record to take. */
  #passes(error: unknown, signal: AbortSignal | undefined): boolean {
    if (!(error instanceof LogError) || signal?.aborted || !this.#stuck.fails()) return false;
    const { topic, partition } = this.#options;
    this.#passedFor = reasonOf(error);
    logger.error(
      "{topic}/{partition} waits at {next}, and other sources go ahead: its records will come after theirs: {reason}",
      { topic, partition, next: this.next, reason: this.#passedFor },
    );
    return true;
  }

  /** Tries whether the next record can be given now. */
  async #tryAgain(signal: AbortSignal | undefined): Promise<void> {
    try {
      await this.#fill(0, signal);
    } catch (error) {
      if (this.#held.length === 0) throw error;
    }
    this.#passedFor = undefined;
    const { topic, partition } = this.#options;
    logger.info("{topic}/{partition} goes on", { topic, partition });
    this.#look();
  }

  /** Logs once why it continues with the records it holds. */
  #tell(error: unknown): void {
    const reason = reasonOf(error);
    if (reason === this.#failure) return;
    this.#failure = reason;
    const { topic, partition } = this.#options;
    const values = { topic, partition, held: this.#held.length, from: this.#readTo, reason };
    logger.warn("cannot read {topic}/{partition} beyond {held} records, before {from}: {reason}", values);
  }

  /** Reads the next records. @returns whether there were any */
  async #readOn(waitMs: number, signal: AbortSignal | undefined): Promise<boolean> {
    const { log, topic, partition, maxBytes, now, clock } = this.#options;
    const begun = clock();
    const from = this.#readTo;
    const { epoch: before } = this.#readTime;
    const options = {
      reader: "a source",
      from,
      epoch: before,
      maxRecords: MAX_RECORDS,
      maxBytes,
      waitMs,
      signal,
    };
    const read = await readOn(log, { topic, partition }, options).catch((error) => {
      throw whileThere(error, `${topic}/${partition} from ${from}`);
    });
    const { records, next, epoch, dropped = 0 } = read;
    if (dropped > 0) this.#skip(from, dropped);
    [this.#read, this.#at] = [records, 0];
    this.#readTo = next;
    this.#readTime = { at: clock(), time: now(), epoch };
    this.#isAtEnd = next === from;
    if (this.#isAtEnd) this.#emptyAt = begun;
    return !this.#isAtEnd;
  }

  /** Holds records that were read, as many as the merge compares. */
  async #hold(signal: AbortSignal | undefined): Promise<void> {
    while (this.#held.length <= LOOKED_AT) {
      const record = this.#read[this.#at];
      if (record === undefined) return;
      const head = this.#options.headOf(record, this.#readTime);
      this.#held.push(head instanceof Promise ? await orAborted(head, signal) : head);
      this.#at++;
    }
  }

  #look(): void {
    const [head, ...after] = this.#held;
    this.#head = head;
    if (head === undefined) return;
    let known = 0, older = 0;
    for (const { time } of after) {
      if (time === -Infinity) continue;
      known++;
      if (time < head.time) older++;
    }
    if (known < 3 || older <= known >> 1) return;
    const times = after.map(({ time }) => time).filter((time) => time > -Infinity).sort((a, b) => a - b);
    this.#head = { ...head, time: times[known >> 1] ?? head.time };
  }

  #skip(from: number, count: number): void {
    this.#skipped += count;
    const { topic, partition } = this.#options;
    const values = { topic, partition, count, from, last: from + count - 1 };
    logger.error(
      "{topic}/{partition} dropped {count} offsets before they were fed, {from} to {last}",
      values,
    );
  }
}
