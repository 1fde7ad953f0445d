/**
 * A position in a partition, with the records that follow it and a few that precede it.
 *
 * ```text
 *        heldFrom        start                 position        stableEnd
 *   ────────┼──────────────┼──────────────────────┼────────────────┼──────>  offsets
 *           │  read, kept  │  held for the next   │ to be fetched  │
 * ```
 * Records that were read are kept for a while, because a reader may stop in the middle of a batch and come back for
 * the rest.
 */

import type { LogRecord, ReadResult } from "../../log.ts";
import { type EpochRun, LeaderEpochs, UNKNOWN_EPOCH } from "../protocol/leader_epochs.ts";

/** Bytes of records to keep, at least, after they were read. */
const KEPT_BYTES = 256 << 10;
/** Approximate bytes that a record takes in addition to its value. */
const RECORD_BYTES = 100;
/** Chunks with at most this many records are merged. */
const SMALL_CHUNK = 512;

interface Chunk {
  readonly records: LogRecord[];
  bytes: number;
}

/** Holds records of one partition around a position. */
export class Cursor {
  readonly topic: string;
  readonly partition: number;
  /** Where the next fetch begins: after everything that is held. */
  position: number;
  /** Start of the oldest open transaction, or the end, as of the last fetch; -1 before that. */
  stableEnd = -1;
  /** Id of the topic, set by the first fetch; `null` if topics have none. */
  topicId: string | null | undefined;
  /** Node that led the partition at the last fetch. */
  node = -1;
  /** Number of reads that wait for records. */
  waiting = 0;
  /** Time until which it is polled although no read waits, by `performance.now()`. */
  watchedUntil = 0;
  /** Whether the poll in progress includes it. */
  polled = false;
  /** The fetch in progress. */
  filling: Promise<void> | undefined;
  /** Of what it holds, and of the record before that. */
  readonly epochs = new LeaderEpochs();
  #heldFrom: number;
  #start: number;
  readonly #chunks: Chunk[] = [];
  /** Where `start` is held: index of the chunk, and of the record in it. */
  #chunk = 0;
  #index = 0;
  readonly #listeners = new Set<() => void>();
  /** Ranges of offsets that the partition had already dropped when they were fetched, oldest first. */
  #gaps: { readonly from: number; readonly to: number }[] = [];

  /** Starts at a position, with nothing held. @param epoch of the record before it */
  constructor(topic: string, partition: number, start: number, epoch = UNKNOWN_EPOCH) {
    this.topic = topic;
    this.partition = partition;
    this.position = start;
    this.#start = start;
    this.#heldFrom = start;
    this.epochs.note({ from: start - 1, to: start, epoch });
  }

  /** Adds a listener, called when records arrive or something else may end a wait. */
  listen(listener: () => void): void {
    this.#listeners.add(listener);
  }

  unlisten(listener: () => void): void {
    this.#listeners.delete(listener);
  }

  /** Whether nothing is held for the next read. */
  get isEmpty(): boolean {
    return this.#chunk === this.#chunks.length;
  }

  /** Whether the broker is known to have more than is held. */
  get isBehind(): boolean {
    return this.position < this.stableEnd;
  }

  /** Bytes of all that is held. */
  get bytes(): number {
    return this.#chunks.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** Bytes held for the next reads. */
  get bytesAhead(): number {
    let ahead = 0;
    for (let i = this.#chunk; i < this.#chunks.length; i++) ahead += this.#chunks[i]?.bytes ?? 0;
    const current = this.#chunks[this.#chunk];
    return current === undefined ? ahead : ahead - current.bytes * (this.#index / current.records.length);
  }

  /**
   * Whether reading can continue at an offset without a fetch from elsewhere.
   *
   * @param epoch of the record that was read before it: another one may be there now
   */
  holds(offset: number, epoch = UNKNOWN_EPOCH): boolean {
    if (offset < this.#heldFrom || this.position < offset) return false;
    return epoch === UNKNOWN_EPOCH || epoch === this.epochs.before(offset);
  }

  /** Moves to an offset that it {@linkcode Cursor.holds}. */
  seek(offset: number): void {
    if (offset === this.#start) return;
    this.#start = offset;
    this.#chunk = this.#chunks.findIndex(({ records }) => (records.at(-1)?.offset ?? -1) >= offset);
    this.#index = 0;
    const chunk = this.#chunks[this.#chunk];
    if (chunk === undefined) this.#chunk = this.#chunks.length;
    else this.#index = lowerBound(chunk.records, offset);
  }

  /** Adds the records of a fetch from `position`, their epochs, and its end. */
  accept(records: LogRecord[], next: number, stableEnd: number, epochs: readonly EpochRun[] = []): void {
    for (const run of epochs) this.epochs.note(run);
    this.position = next;
    this.stableEnd = stableEnd;
    if (records.length > 0) this.#hold(records);
    if (records.length > 0 || this.isBehind) this.wake();
  }

  /** Skips the offsets that the partition has dropped, up to `start`. */
  skip(start: number, stableEnd: number): void {
    this.#gaps.push({ from: this.position, to: start });
    this.accept([], start, stableEnd);
  }

  #hold(records: LogRecord[]): void {
    const bytes = records.reduce((sum, { value }) => sum + RECORD_BYTES + (value?.length ?? 0), 0);
    const last = this.#chunks.at(-1);
    if (last === undefined || last.records.length > SMALL_CHUNK || records.length > SMALL_CHUNK) {
      this.#chunks.push({ records, bytes });
    } else {
      if (this.isEmpty) [this.#chunk, this.#index] = [this.#chunks.length - 1, last.records.length];
      last.records.push(...records);
      last.bytes += bytes;
    }
  }

  /** Takes records of one epoch from the current position, and moves past them and past offsets without a record. */
  take(maxRecords: number, maxBytes: number): ReadResult {
    const from = this.#start;
    const gap = this.#gaps.find(({ to }) => to > from);
    const isGap = gap !== undefined && gap.from <= from;
    // A read that reaches a gap ends before it, so the next one begins with it.
    const first = this.#chunks[this.#chunk]?.records[this.#index];
    const ends = first === undefined ? Infinity : this.epochs.endOf(first.offset);
    const until = Math.min(gap === undefined || isGap ? Infinity : gap.from, ends);
    const records = this.#collect(maxRecords, maxBytes, until);
    const behind = this.isEmpty ? this.position : (records.at(-1)?.offset ?? from - 1) + 1;
    this.#start = isGap ? Math.max(behind, gap.to) : Math.min(behind, until);
    this.#forget();
    const result = { records, next: this.#start };
    return isGap ? { ...result, dropped: gap.to - from } : result;
  }

  /** The next records below an offset. */
  #collect(maxRecords: number, maxBytes: number, until: number): LogRecord[] {
    const records: LogRecord[] = [];
    let bytes = 0;
    // At least one record, however low `maxBytes` is, so that every read makes progress.
    while (records.length < maxRecords && (records.length === 0 || bytes < maxBytes)) {
      const chunk = this.#chunks[this.#chunk];
      if (chunk === undefined) break;
      const record = chunk.records[this.#index];
      if (record !== undefined && record.offset >= until) break;
      this.#index++;
      if (record !== undefined) {
        records.push(record);
        bytes += record.value?.length ?? 0;
      }
      if (this.#index >= chunk.records.length) [this.#chunk, this.#index] = [this.#chunk + 1, 0];
    }
    return records;
  }

  /** Calls every listener. */
  wake(): void {
    for (const listener of this.#listeners) listener();
  }

  /** Drops chunks that were read, except the last {@linkcode KEPT_BYTES}. */
  #forget(): void {
    let kept = 0;
    let first = this.#chunk;
    while (first > 0 && kept < KEPT_BYTES) kept += this.#chunks[--first]?.bytes ?? 0;
    if (first === 0) return;
    this.#heldFrom = (this.#chunks[first - 1]?.records.at(-1)?.offset ?? -1) + 1;
    this.#gaps = this.#gaps.filter(({ to }) => to > this.#heldFrom);
    this.#chunks.splice(0, first);
    this.#chunk -= first;
  }
}

/** Index of the first record at or above an offset. */
function lowerBound(records: readonly LogRecord[], offset: number): number {
  let low = 0;
  let high = records.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((records[middle]?.offset ?? Infinity) < offset) low = middle + 1;
    else high = middle;
  }
  return low;
}
