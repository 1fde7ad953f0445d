/** Reads several partitions as one stream, ordered by record time. */

import { getLogger } from "@logtape/logtape";
import type { Log, LogRecord } from "../log/log.ts";
import { readOn } from "../log/reading.ts";

const logger = getLogger(["meander", "experiments"]);

/** Records per read. */
const CHUNK = 256;

/** A partition of a topic. */
export interface Place {
  readonly topic: string;
  readonly partition: number;
}

interface Stream extends Place {
  /** Offset after the last record taken, and see `ReadResult.epoch`. */
  next: number;
  nextEpoch: number | undefined;
  /** Records read; those from `at` on are not taken yet. */
  records: readonly LogRecord[];
  at: number;
  /** Offset after the last record read, and its epoch. */
  read: number;
  epoch: number | undefined;
}

/**
 * Merges partitions by time, and by their order where times are equal. On a log that does not grow, the order depends
 * only on the positions, so a reader that resumes from them continues in the same order.
 */
export class MergedReader {
  /** Offsets that the log dropped before they were read, excluding those before the first possible record. */
  lost = 0;
  readonly #log: Log;
  readonly #streams: readonly Stream[];

  /** Makes a reader that starts at the given positions, or at the start. @param epochs of those positions */
  constructor(
    log: Log,
    places: readonly Place[],
    positions: readonly number[] = [],
    epochs: readonly (number | undefined)[] = [],
  ) {
    this.#log = log;
    this.#streams = places.map((place, at) => {
      const next = positions[at] ?? 0;
      const epoch = epochs[at];
      return { ...place, next, nextEpoch: epoch, records: [], at: 0, read: next, epoch };
    });
  }

  /** Offset after the last record taken, by place. */
  get positions(): readonly number[] {
    return this.#streams.map(({ next }) => next);
  }

  /** See `ReadResult.epoch`, of those positions. */
  get epochs(): readonly (number | undefined)[] {
    return this.#streams.map(({ nextEpoch }) => nextEpoch);
  }

  /**
   * Takes records in order, up to `max` or until there are none left.
   *
   * @returns Number of records taken.
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
    const { read: from, epoch: before } = stream;
    const goBack = (end: number) => void ([stream.next, stream.nextEpoch] = [end, undefined]);
    const options = { reader: "the monitor", from, epoch: before, goBack, maxRecords: CHUNK };
    const result = await readOn(this.#log, stream, options);
    const { records, next, epoch, dropped = 0 } = result;
    if (dropped > 0 && stream.read > 0) this.#lose(stream, dropped);
    stream.records = records;
    stream.at = 0;
    [stream.read, stream.epoch] = [next, epoch];
    if (records.length === 0) [stream.next, stream.nextEpoch] = [next, epoch];
  }

  #lose({ topic, partition, read: from }: Stream, dropped: number): void {
    this.lost += dropped;
    logger.error(
      "the monitor has lost {count} offsets of {topic}/{partition}, {from} to {last}: the log dropped them before they " +
        "were counted. It continues after them; experiments that ran then lack them",
      { count: dropped, topic, partition, from, last: from + dropped - 1 },
    );
  }

  /** Takes buffered records until the buffer of a stream runs empty. */
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
      stream.nextEpoch = stream.epoch;
      take(record, first);
    }
  }
}
