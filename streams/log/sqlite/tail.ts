/** The newest records of a partition in memory, so that readers that keep up do not read the file. */

import type { ReadLimits } from "../local_log.ts";
import type { LogRecord, NewRecord, ReadResult } from "../log.ts";

/** Maximum bytes of half a tail; the older half is dropped when the younger one is full or old. */
const HALF_BYTES = 1 << 20;
/**
 * Maximum age of half a tail, milliseconds: readers that keep up have already read older records. Records kept for
 * longer survive the young generation's garbage collections; they were half of what moved to the old generation.
 */
const HALF_MS = 100;
/** Approximate bytes that a record takes in addition to its value. */
const RECORD_BYTES = 200;

/**
 * The newest records of a partition whose offsets have no holes: at most some 3 MB, and 200 ms as of the last append. A
 * batch that is too large empties it.
 */
export class Tail {
  readonly #topic: string;
  readonly #partition: number;
  #older: LogRecord[] = [];
  #younger: LogRecord[] = [];
  #bytes = 0;
  readonly #now: () => number;
  /** When the younger half began. */
  #since = 0;

  /** Makes an empty tail. @param now a clock in milliseconds */
  constructor(topic: string, partition: number, now: () => number = () => performance.now()) {
    this.#topic = topic;
    this.#partition = partition;
    this.#now = now;
  }

  /**
   * Adds committed records. Copies their values, which belong to the caller.
   *
   * @param first offset of the first record
   */
  push(records: readonly NewRecord[], first: number): void {
    const size = records.reduce((sum, { value }) => sum + (value?.length ?? 0), 0);
    if (size > HALF_BYTES) {
      this.clear();
      return;
    }
    const now = this.#now();
    if (now - this.#since >= HALF_MS) this.#turn(now);
    const values = new Uint8Array(size);
    let at = 0;
    for (let i = 0; i < records.length; i++) {
      const { key, value, time, headers = {} } = records[i]!;
      if (value !== null) values.set(value, at);
      const length = value?.length ?? 0;
      const own = value === null ? null : values.subarray(at, at += length);
      if (this.#bytes >= HALF_BYTES) this.#turn(now);
      const [topic, partition, offset] = [this.#topic, this.#partition, first + i];
      this.#younger.push({ topic, partition, offset, key, value: own, time, headers });
      this.#bytes += length + RECORD_BYTES;
    }
  }

  /** Empties it, because there are now holes. */
  clear(): void {
    this.#older = [];
    this.#younger = [];
    this.#bytes = 0;
  }

  /** Drops the older half. */
  #turn(now: number): void {
    this.#older = this.#younger;
    this.#younger = [];
    this.#bytes = 0;
    this.#since = now;
  }

  /** Reads from an offset that is not above the end; `undefined` when some of the records are not in the tail. */
  read(from: number, { maxRecords, maxBytes }: ReadLimits): ReadResult | undefined {
    const older = this.#older;
    const younger = this.#younger;
    const start = (older[0] ?? younger[0])?.offset;
    if (start === undefined || from < start) return undefined;
    const records: LogRecord[] = [];
    let bytes = 0;
    for (let i = from - start; records.length < maxRecords; i++) {
      const record = i < older.length ? older[i] : younger[i - older.length];
      if (record === undefined) break;
      records.push(record);
      bytes += record.value?.length ?? 0;
      if (bytes >= maxBytes) break;
    }
    return { records, next: from + records.length };
  }
}
