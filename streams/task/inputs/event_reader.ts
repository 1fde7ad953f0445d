/**
 * Reads a task's events in batches and decodes them; events that the task has not applied yet wait here.
 *
 * ```text
 *   events/p   ■■■■■■■■│▪▪▪▪ · ▪▪ ·│░░░░    ■ passed   ▪ waits   · no record, a gap   ░ not read
 *   events/p   ■■■■■■■■│×××××│▪▪▪           × dropped by the log before it was read: lost
 * ```
 */

import type { DecodedEvent } from "../../../src/events/check.ts";
import { decodeEvent } from "../../../src/events/codec.ts";
import { type Log, LogError, type LogRecord, type ReadOptions, type ReadResult } from "../../log/log.ts";

export interface EventRead {
  readonly record: LogRecord;
  /** The decoded event, or why it cannot be decoded. */
  readonly decoded: DecodedEvent;
}

export interface OffsetRange {
  /** The first offset. */
  readonly from: number;
  /** The offset after the last. */
  readonly to: number;
}

export class EventReader {
  readonly #log: Pick<Log, "read">;
  readonly #topic: string;
  readonly #partition: number;
  #next: number;
  /** The batch that was read last, of which events before `#at` are passed, and its end. */
  #batch: readonly EventRead[] = [];
  #at = 0;
  #readTo: number;
  /** See `ReadResult.epoch`: of the batch, and of the last event that was passed. */
  #batchEpoch: number | undefined;
  #epoch: number | undefined;
  #lost: OffsetRange | undefined;

  /** Starts at a position. */
  constructor(
    log: Pick<Log, "read">,
    topic: string,
    partition: number,
    { next, epoch }: Pick<ReadResult, "next" | "epoch">,
  ) {
    this.#log = log;
    this.#topic = topic;
    this.#partition = partition;
    this.#next = this.#readTo = next;
    this.#epoch = this.#batchEpoch = epoch;
  }

  /** Offset after the last event that was passed. */
  get next(): number {
    return this.#next;
  }

  /** See `ReadResult.epoch`, of that event. */
  get epoch(): number | undefined {
    return this.#epoch;
  }

  /** The first event that waits. */
  get first(): EventRead | undefined {
    return this.#batch[this.#at];
  }

  /** Records of the events that wait. */
  get records(): readonly LogRecord[] {
    return this.#batch.slice(this.#at).map(({ record }) => record);
  }

  /** Users of the events that wait, in their order. */
  get users(): readonly string[] {
    const users: string[] = [];
    for (let at = this.#at; at < this.#batch.length; at++) {
      const { decoded } = this.#batch[at]!;
      if (decoded.ok) users.push(decoded.event.user);
    }
    return users;
  }

  /** The newest event time of the events that wait; −∞ without any. */
  get newestTime(): number {
    let newest = -Infinity;
    for (let at = this.#at; at < this.#batch.length; at++) {
      const { decoded } = this.#batch[at]!;
      if (decoded.ok) newest = Math.max(newest, decoded.event.time);
    }
    return newest;
  }

  /** Whether a waiting event is a `merge`. */
  get hasMerge(): boolean {
    return this.#batch.some(({ decoded }, n) =>
      n >= this.#at && decoded.ok && decoded.event.type === "merge"
    );
  }

  /**
   * Reads events, unless some wait.
   *
   * @returns Whether there may be more: events were waiting, or as many were read as requested.
   * @throws LogError `corrupt` when the log goes backwards, because requests would be answered again
   */
  async read(options: ReadOptions & { readonly maxRecords: number }): Promise<boolean> {
    if (this.first !== undefined) return true;
    const from = this.#next;
    const { records, next, epoch, dropped = 0 } = await this.#log.read(this.#topic, this.#partition, from, {
      ...options,
      epoch: this.#epoch,
    });
    if (next < from) {
      const place = `${this.#topic}/${this.#partition}`;
      throw new LogError("corrupt", `Cannot read ${place} from ${from} on: the log goes back to ${next}`);
    }
    if (dropped > 0) {
      this.#lost = { from: this.#lost?.from ?? from, to: from + dropped };
      [this.#next, this.#epoch] = [from + dropped, undefined];
    }
    this.#batch = records.map((record) => ({
      record,
      decoded: decodeEvent(record.value ?? new Uint8Array(0)),
    }));
    this.#at = 0;
    [this.#readTo, this.#batchEpoch] = [next, epoch];
    return records.length >= options.maxRecords;
  }

  /** Offsets that the log had dropped before they were read, since the last call; the position is after them. */
  takeLost(): OffsetRange | undefined {
    const lost = this.#lost;
    this.#lost = undefined;
    return lost;
  }

  /** Passes the first event. @throws RangeError when none waits */
  pass(): void {
    const first = this.#batch[this.#at++];
    if (first === undefined) throw new RangeError(`Cannot pass an event: none waits at ${this.#next}`);
    this.#next = first.record.offset + 1;
    this.#epoch = this.#batchEpoch;
    // So that no events of an erased user stay in memory.
    if (this.#at === this.#batch.length) this.#batch = [];
  }

  /** Passes offsets without a record, up to the end of what was read, if no event waits. */
  passGap(): void {
    if (this.first === undefined) [this.#next, this.#epoch] = [this.#readTo, this.#batchEpoch];
  }
}
