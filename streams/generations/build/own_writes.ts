/**
 * Keeps the records that a build has written to topics that it alone writes to, for the build to read: on Kafka, each
 * read would cost a request and wait for the end of the transaction.
 *
 * ```text
 *   samples.g2   ■■■■■■■■■■■│▪▪▪▪▪▪▪▪▪▪│      ■ read from the log   ▪ written here, and kept
 * ```
 */

import type { Log, LogRecord, NewRecord, ReadOptions, ReadResult } from "../../log/log.ts";
import { layered } from "../../log/metered_log.ts";

/** Approximate bytes of a record besides its key, value and headers. */
const RECORD_BYTES = 100;
const NO_HEADERS = {};

/** Keeps what the writers of a log write. */
export class OwnWrites {
  /** The log. A read of what is kept does not wait. */
  readonly log: Log;
  readonly #tails = new Map<string, Tail>();
  readonly #maxBytes: number;
  #bytes = 0;

  /**
   * @param topics to which only writers that are opened here write
   * @param maxBytes bytes that are kept of all partitions together; older records are read from the log
   */
  constructor(log: Log, topics: ReadonlySet<string>, maxBytes: number) {
    this.#maxBytes = maxBytes;
    const tails = this.#tails;
    this.log = layered(log, {
      writer: async (id, places) => {
        const writer = await log.writer(id, places);
        return {
          id,
          commit: async (commit) => {
            const offsets = await writer.commit(commit);
            for (const [n, record] of commit.records.entries()) {
              if (topics.has(record.topic)) this.#keep(record, offsets[n]!);
            }
            return offsets;
          },
          [Symbol.asyncDispose]: () => writer[Symbol.asyncDispose](),
        };
      },
      async read(topic, partition, from, options = {}) {
        const kept = tails.get(`${topic}/${partition}`)?.read(from, options);
        return kept ?? await log.read(topic, partition, from, options);
      },
      async bounds(topic, partition) {
        const tail = tails.get(`${topic}/${partition}`);
        if (tail === undefined) return await log.bounds(topic, partition);
        tail.start ??= (await log.bounds(topic, partition)).start;
        return { start: tail.start, end: tail.end };
      },
      async trim(topic, partition, before) {
        await log.trim(topic, partition, before);
        const tail = tails.get(`${topic}/${partition}`);
        if (tail !== undefined) tail.start = undefined;
      },
    });
  }

  #keep(record: NewRecord, offset: number): void {
    const place = `${record.topic}/${record.partition}`;
    const tail = this.#tails.get(place) ?? new Tail(offset);
    this.#tails.set(place, tail);
    this.#bytes += tail.add(record, offset, this.#maxBytes / 2);
    while (this.#bytes > this.#maxBytes) {
      const largest = [...this.#tails.values()].reduce((most, one) => one.bytes > most.bytes ? one : most);
      this.#bytes -= largest.drop(largest.bytes / 2); // half at a time, as everything left moves
    }
  }
}

/** The newest records of a partition. */
class Tail {
  /** Smallest offset that can be read, once it was looked up. */
  start: number | undefined;
  /** Offset after the last record. */
  end: number;
  /** Bytes of its records. */
  bytes = 0;
  /** Offset from which no record is missing. */
  #from: number;
  readonly #records: LogRecord[] = [];

  constructor(from: number) {
    this.#from = this.end = from;
  }

  /** Keeps a record; one with more than `most` bytes empties the tail. @returns the bytes gained, negative if it lost some */
  add(record: NewRecord, offset: number, most: number): number {
    const { topic, partition = 0, key, value, time, headers = NO_HEADERS } = record;
    const bytes = sizeOf(record);
    this.end = offset + 1;
    if (bytes > most) return -this.drop(0);
    const kept = value && value.slice(); // the writer may use its bytes again
    this.#records.push({ topic, partition, offset, key, value: kept, time, headers });
    this.bytes += bytes;
    return bytes;
  }

  /** Drops the oldest records, until at most this many bytes are left, and returns how many they had. */
  drop(left: number): number {
    const before = this.bytes;
    let dropped = 0;
    while (this.bytes > left) this.bytes -= sizeOf(this.#records[dropped++]!);
    this.#records.splice(0, dropped);
    this.#from = this.#records[0]?.offset ?? this.end;
    return before - this.bytes;
  }

  /** `undefined` = some of the records may be missing. */
  read(from: number, { maxRecords = Infinity, maxBytes = Infinity }: ReadOptions): ReadResult | undefined {
    if (from < this.#from) return undefined;
    const records: LogRecord[] = [];
    let bytes = 0;
    for (let at = this.#placeOf(from); at < this.#records.length; at++) {
      if (records.length >= maxRecords || records.length > 0 && bytes >= maxBytes) break;
      const record = this.#records[at]!;
      records.push(record);
      bytes += record.value?.length ?? 0;
    }
    return { records, next: (records.at(-1)?.offset ?? from - 1) + 1 };
  }

  /** Index of the first record at an offset or after it. */
  #placeOf(offset: number): number {
    let [low, high] = [0, this.#records.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#records[middle]!.offset < offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function sizeOf({ key, value, headers = NO_HEADERS }: Pick<NewRecord, "key" | "value" | "headers">): number {
  const texts = (key?.length ?? 0) + Object.entries(headers).flat().join("").length;
  return RECORD_BYTES + 2 * texts + (value?.length ?? 0);
}
