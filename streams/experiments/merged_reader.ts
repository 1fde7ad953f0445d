/**
 * Reading several partitions as one stream, in the order of their records' times.
 *
 * @module
 */

import { getLogger } from "@logtape/logtape";
import type { Log, LogRecord } from "../log/log.ts";

const logger = getLogger(["meander", "experiments"]);

/** Records to ask for at a time. */
const CHUNK = 256;

/** A partition of a topic. */
export interface Place {
  /** The topic. */
  readonly topic: string;
  /** The partition. */
  readonly partition: number;
}

interface Stream extends Place {
  /** Position behind the last record taken. */
  next: number;
  /** Records that were read, from `at` on not taken. */
  records: readonly LogRecord[];
  at: number;
  /** Position behind the records that were read. */
  read: number;
}

/**
 * Merges partitions by time, those of the same time by their order. On a log that does not grow, the order depends on
 * the positions alone: whoever begins at them anew takes what follows in the same order.
 */
export class MergedReader {
  /** Offsets that the log had dropped before they were read, but for those before the first record that there could be. */
  lost = 0;
  readonly #log: Log;
  readonly #streams: readonly Stream[];

  /** Begins at the start of the places, or at their positions. */
  constructor(log: Log, places: readonly Place[], positions: readonly number[] = []) {
    this.#log = log;
    this.#streams = places.map((place, at) => {
      const next = positions[at] ?? 0;
      return { ...place, next, records: [], at: 0, read: next };
    });
  }

  /** Position behind what was taken of each place. */
  get positions(): readonly number[] {
    return this.#streams.map(({ next }) => next);
  }

  /**
   * Takes records in order until there are no more, or so many were taken.
   *
   * @returns How many.
   */
  async take(max: number, take: (record: LogRecord, place: number) => void): Promise<number> {
    let count = 0;
    while (count < max) {
      for (const stream of this.#streams) if (stream.at === stream.records.length) await this.#fill(stream);
      const taken = this.#takeRead(max - count, take);
      if (taken === 0) return count;
      count += taken;
    }
    return count;
  }

  async #fill(stream: Stream): Promise<void> {
    const { records, next, dropped = 0 } = await this.#log.read(stream.topic, stream.partition, stream.read, {
      maxRecords: CHUNK,
    });
    if (dropped > 0 && stream.read > 0) this.#lose(stream, dropped);
    stream.records = records;
    stream.at = 0;
    stream.read = next;
    if (records.length === 0) stream.next = next;
  }

  #lose({ topic, partition, read: from }: Stream, dropped: number): void {
    this.lost += dropped;
    logger.error(
      "the monitor has lost {count} offsets of {topic}/{partition}, {from} to {last}: the log dropped them before they " +
        "were counted. It goes on behind them; figures of experiments that ran then lack them",
      { count: dropped, topic, partition, from, last: from + dropped - 1 },
    );
  }

  /** Takes what was read, until a stream of which there was something has no more. */
  #takeRead(max: number, take: (record: LogRecord, place: number) => void): number {
    for (let count = 0;; count++) {
      let first = -1;
      for (const [place, { records, at }] of this.#streams.entries()) {
        if (at === records.length) {
          if (at > 0) return count;
          continue;
        }
        const best = this.#streams[first];
        if (best === undefined || records[at]!.time < best.records[best.at]!.time) first = place;
      }
      const stream = this.#streams[first];
      if (stream === undefined || count === max) return count;
      const record = stream.records[stream.at++]!;
      stream.next = record.offset + 1;
      take(record, first);
    }
  }
}
