/**
 * A partition of a topic that is fed, read ahead by what one read gives.
 *
 * @module
 */

import { getLogger } from "@logtape/logtape";
import type { Log, LogRecord } from "../log/log.ts";
import type { MergeHead, MergePartition } from "./merge.ts";

const logger = getLogger(["meander", "feeder"]);

/** Most records that are held of a partition. */
const MAX_RECORDS = 1000;

/** Options of a {@linkcode SourcePartition}. */
export interface SourcePartitionOptions<Head extends MergeHead> {
  /** Where the topic is. */
  readonly log: Log;
  /** Name of the topic. */
  readonly topic: string;
  /** Number of the partition. */
  readonly partition: number;
  /** Offset to begin at. */
  readonly next: number;
  /** See `MergePartition.waitMs`. */
  readonly waitMs: number;
  /** Bytes to hold; one record may be larger. */
  readonly maxBytes: number;
  /** Wall clock, milliseconds since the epoch. */
  readonly now: () => number;
  /** A clock in milliseconds that never goes back. */
  readonly clock: () => number;
  /** What a record is to the merge. */
  readonly headOf: (record: LogRecord, read: ReadTime) => Head | Promise<Head>;
}

/** When records were read. */
export interface ReadTime {
  /** By the clock that never goes back. */
  readonly at: number;
  /** By the wall clock. */
  readonly time: number;
}

/** A partition of a topic that is fed. */
export class SourcePartition<Head extends MergeHead> implements MergePartition {
  /** Number of the partition. */
  readonly partition: number;
  /** See `MergePartition.waitMs`. */
  readonly waitMs: number;
  readonly #options: SourcePartitionOptions<Head>;
  /** Records read; those from `#at` on are not taken yet. */
  #records: readonly LogRecord[] = [];
  #at = 0;
  #read: ReadTime = { at: -Infinity, time: -Infinity };
  #head: Head | undefined;
  /** Offset to read next from the log. */
  #readTo: number;
  #next: number;
  #skipped = 0;
  #emptyAt = -Infinity;

  /** Nothing is read yet. */
  constructor(options: SourcePartitionOptions<Head>) {
    this.#options = options;
    this.partition = options.partition;
    this.waitMs = options.waitMs;
    this.#readTo = this.#next = options.next;
  }

  /** Offset after the last record taken: the position to commit. */
  get next(): number {
    return this.#next;
  }

  /** Offsets that the topic dropped before they were read. */
  get skipped(): number {
    return this.#skipped;
  }

  /** The next record, if one is held. */
  get head(): Head | undefined {
    return this.#head;
  }

  /** See `MergePartition.emptyAt`. */
  get emptyAt(): number {
    return this.#emptyAt;
  }

  /** Removes the head. */
  async take(): Promise<void> {
    if (this.#head === undefined) return;
    this.#at++;
    this.#head = undefined;
    this.#next = this.#records[this.#at]?.offset ?? this.#readTo;
    await this.#look();
  }

  /** Reads more records when none is held; `emptyAt` tells when there were none. */
  async fill(waitMs = 0, signal?: AbortSignal): Promise<void> {
    const { log, topic, partition, maxBytes, now, clock } = this.#options;
    while (this.#records[this.#at] === undefined) {
      const begun = clock();
      const from = this.#readTo;
      const options = { maxRecords: MAX_RECORDS, maxBytes, waitMs, signal };
      const { records, next, dropped = 0 } = await log.read(topic, partition, from, options);
      if (dropped > 0) this.#skip(from, dropped);
      [this.#records, this.#at, this.#readTo] = [records, 0, next];
      this.#read = { at: clock(), time: now() };
      if (records.length > 0) break;
      this.#next = next; // past a gap
      if (next > from) continue;
      this.#emptyAt = begun;
      return;
    }
    await this.#look();
  }

  async #look(): Promise<void> {
    const record = this.#records[this.#at];
    if (record === undefined || this.#head !== undefined) return;
    const head = this.#options.headOf(record, this.#read);
    this.#head = head instanceof Promise ? await head : head;
  }

  #skip(from: number, count: number): void {
    this.#skipped += count;
    const { topic, partition } = this.#options;
    const values = { topic, partition, count, from, last: from + count - 1 };
    logger.error(
      "{topic}/{partition} has dropped {count} offsets before they were fed, {from} to {last}",
      values,
    );
  }
}
