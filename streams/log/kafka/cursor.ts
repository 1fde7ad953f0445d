/**
 * A place in a partition, with the records that follow it and a few that went before.
 *
 * ```text
 *        heldFrom        start                 position        stableEnd
 *   ────────┼──────────────┼──────────────────────┼────────────────┼──────>  offsets
 *           │  read, kept  │  held for the next   │ to be fetched  │
 * ```
 * Records that were read are kept for a while, because readers that stop in the middle of a batch come back for
 * the rest of it.
 *
 * @module
 */

import type { LogRecord, ReadResult } from "../log.ts";

/** Bytes of records behind the place that are kept, at least. */
const KEPT_BYTES = 256 << 10;
/** What a record takes beside its value, about. */
const RECORD_BYTES = 100;
/** Fewer records than these are added to the chunk before them. */
const SMALL_CHUNK = 512;

interface Chunk {
  readonly records: LogRecord[];
  bytes: number;
}

/** Holds records of one partition, from one place on. */
export class Cursor {
  readonly topic: string;
  readonly partition: number;
  /** Where the next fetch begins: behind everything that is held. */
  position: number;
  /** Where transactions that have not ended begin, when it was last asked; -1 before that. */
  stableEnd = -1;
  /** Id of the topic that it is of, once something was fetched; `null` where topics have none. */
  topicId: string | null | undefined;
  /** The node that led the partition at the last fetch. */
  node = -1;
  /** Reads that wait for it. */
  waiting = 0;
  /** Until when it is to be watched although no read waits, on the clock of `performance.now()`. */
  watchedUntil = 0;
  /** Whether a poll that is under way watches it. */
  polled = false;
  /** The fetch that is under way. */
  filling: Promise<void> | undefined;
  #heldFrom: number;
  #start: number;
  readonly #chunks: Chunk[] = [];
  /** Where `start` is: in this chunk, at this record. */
  #chunk = 0;
  #index = 0;
  readonly #listeners = new Set<() => void>();
  /** Offsets that the partition had dropped when they were asked for, oldest first. */
  #gaps: { readonly from: number; readonly to: number }[] = [];

  /** Stands at a position, with nothing held. */
  constructor(topic: string, partition: number, start: number) {
    this.topic = topic;
    this.partition = partition;
    this.position = start;
    this.#start = start;
    this.#heldFrom = start;
  }

  /** Calls when there is something to do for those who wait, or when {@linkcode Cursor.wake} is called. */
  listen(listener: () => void): void {
    this.#listeners.add(listener);
  }

  /** Ends what {@linkcode Cursor.listen} began. */
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

  /** Bytes of what is held for the next reads. */
  get bytesAhead(): number {
    let ahead = 0;
    for (let i = this.#chunk; i < this.#chunks.length; i++) ahead += this.#chunks[i]?.bytes ?? 0;
    const current = this.#chunks[this.#chunk];
    return current === undefined ? ahead : ahead - current.bytes * (this.#index / current.records.length);
  }

  /** Whether reading could go on at an offset without a fetch that begins elsewhere. */
  holds(offset: number): boolean {
    return this.#heldFrom <= offset && offset <= this.position;
  }

  /** Stands at an offset that it {@linkcode Cursor.holds}. */
  seek(offset: number): void {
    if (offset === this.#start) return;
    this.#start = offset;
    this.#chunk = this.#chunks.findIndex(({ records }) => (records.at(-1)?.offset ?? -1) >= offset);
    this.#index = 0;
    const chunk = this.#chunks[this.#chunk];
    if (chunk === undefined) this.#chunk = this.#chunks.length;
    else this.#index = lowerBound(chunk.records, offset);
  }

  /** Takes in records that were fetched from `position` on, and what the fetch told. */
  accept(records: LogRecord[], next: number, stableEnd: number): void {
    this.position = next;
    this.stableEnd = stableEnd;
    if (records.length > 0) this.#hold(records);
    if (records.length > 0 || this.isBehind) this.wake();
  }

  /** Passes over what the partition does not have any more, up to `start`, and takes in where it ends. */
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

  /** Takes records from where it stands; it then stands behind them and behind what is no record. */
  take(maxRecords: number, maxBytes: number): ReadResult {
    const from = this.#start;
    const gap = this.#gaps.find(({ to }) => to > from);
    const isGap = gap !== undefined && gap.from <= from;
    // A read that comes to a gap ends before it: so the next one begins with it.
    const until = gap === undefined || isGap ? Infinity : gap.from;
    const records: LogRecord[] = [];
    let bytes = 0;
    // One record at least, however few bytes are wanted: a read makes progress.
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
    const behind = this.isEmpty ? this.position : (records.at(-1)?.offset ?? from - 1) + 1;
    this.#start = isGap ? Math.max(behind, gap.to) : Math.min(behind, until);
    this.#forget();
    const result = { records, next: this.#start };
    return isGap ? { ...result, dropped: gap.to - from } : result;
  }

  /** Lets those go on who {@linkcode Cursor.listen}. */
  wake(): void {
    for (const listener of this.#listeners) listener();
  }

  /** Drops the chunks that were read, but for the last {@linkcode KEPT_BYTES}. */
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
