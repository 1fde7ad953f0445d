/** Reads the other partitions of the topic `signals`, a little ahead and in the background. */

import { getLogger } from "@logtape/logtape";
import type { Log, LogRecord } from "../../log/log.ts";
import { readOn } from "../../log/reading.ts";

/** Approximate bytes to read ahead from all partitions together. */
const AHEAD_BYTES = 4 << 20;
/** Minimum number of bytes to request from a partition. */
const MIN_BYTES = 16 << 10;
/** How long a read waits before it is repeated. */
const WAIT_MS = 1000;

const logger = getLogger(["meander", "signals"]);

/** Records of a partition that were read, and the position after them. */
interface ReadAhead {
  readonly partition: number;
  readonly records: readonly LogRecord[];
  readonly next: number;
}

/** Reads the partitions of other tasks, each from its own position, a few records ahead. */
export class OthersReader implements AsyncDisposable {
  readonly #log: Pick<Log, "read">;
  readonly #topic: string;
  readonly #next: Map<number, number>;
  /** See `ReadResult.epoch`, of the last read of each partition. */
  readonly #epochs = new Map<number, number | undefined>();
  readonly #ahead = new Map<number, ReadAhead>();
  readonly #reading = new Map<number, Promise<void>>();
  readonly #closing = new AbortController();
  #failure: unknown;
  #hasMissed = false;
  /** The partition taken last. */
  #last = -1;

  private constructor(log: Pick<Log, "read">, topic: string, next: Map<number, number>) {
    this.#log = log;
    this.#topic = topic;
    this.#next = next;
  }

  /**
   * Starts at positions, or at the start of partitions without one. Dropped records are logged and skipped.
   *
   * @param own the partition that is not read
   */
  static async open(
    log: Pick<Log, "read" | "bounds">,
    topic: string,
    { own, partitions, positions }: {
      readonly own: number;
      readonly partitions: number;
      readonly positions: ReadonlyMap<number, number>;
    },
  ): Promise<OthersReader> {
    const others = Array.from({ length: partitions }, (_, partition) => partition).filter((p) => p !== own);
    let hasMissed = false;
    const next = await Promise.all(others.map(async (partition) => {
      const from = positions.get(partition);
      const { start, end } = await log.bounds(topic, partition);
      if (from === undefined || from >= start && from <= end) return [partition, from ?? start] as const;
      logger.warn(
        "task {own}: {topic}/{partition} no longer has offset {from}: resumes from {start}; its end is {end}",
        { own, topic, partition, from, start, end },
      );
      hasMissed = true;
      return [partition, start] as const;
    }));
    const reader = new OthersReader(log, topic, new Map(next));
    reader.#hasMissed = hasMissed;
    return reader;
  }

  /** Positions to read from next, by partition. */
  get positions(): ReadonlyMap<number, number> {
    return this.#next;
  }

  /** Whether there are records that were read but not taken. */
  get hasMore(): boolean {
    return this.#ahead.size > 0;
  }

  /** Whether the log has dropped unread records since the last call. */
  takeMissed(): boolean {
    const hasMissed = this.#hasMissed;
    this.#hasMissed = false;
    return hasMissed;
  }

  /**
   * Starts reads of partitions without records read ahead, without waiting.
   *
   * @throws the error of a read since the last call
   */
  begin(): void {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#closing.signal.aborted) return;
    const maxBytes = Math.max(MIN_BYTES, Math.floor(AHEAD_BYTES / this.#next.size));
    for (const partition of this.#next.keys()) {
      if (this.#ahead.has(partition) || this.#reading.has(partition)) continue;
      this.#reading.set(partition, this.#read(partition, maxBytes));
    }
  }

  /**
   * Takes records from the partitions in turn, beginning after the one that was last taken from.
   *
   * @param learn receives a record and the position after it, and returns whether to continue
   */
  take(learn: (record: LogRecord, next: number) => boolean): void {
    const partitions = [...this.#ahead.keys()].sort((a, b) => a - b);
    const turn = partitions.findIndex((partition) => partition > this.#last);
    for (
      const partition of turn < 0 ? partitions : [...partitions.slice(turn), ...partitions.slice(0, turn)]
    ) {
      const { records, next } = this.#ahead.get(partition)!;
      this.#last = partition;
      for (let at = 0; at < records.length; at++) {
        const isLast = at === records.length - 1;
        const behind = isLast ? next : records[at]!.offset + 1;
        this.#next.set(partition, behind);
        if (isLast) this.#ahead.delete(partition);
        if (learn(records[at]!, behind)) continue;
        if (!isLast) this.#ahead.set(partition, { partition, records: records.slice(at + 1), next });
        return;
      }
    }
  }

  /** Ends the reads. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    await Promise.all(this.#reading.values());
  }

  async #read(partition: number, maxBytes: number): Promise<void> {
    const { signal } = this.#closing;
    const from = this.#next.get(partition)!;
    try {
      const epoch = this.#epochs.get(partition);
      // Lost records may have named users, and the erasures of these may be lost, too.
      const goBack = () => this.#hasMissed = true;
      const options = { reader: "a task", from, epoch, goBack, maxBytes, waitMs: WAIT_MS, signal };
      const result = await readOn(this.#log, { topic: this.#topic, partition }, options);
      if (signal.aborted) return;
      this.#epochs.set(partition, result.epoch);
      if (result.dropped !== undefined) this.#miss(partition, from, from + result.dropped);
      if (result.records.length > 0) this.#ahead.set(partition, { partition, ...result });
      else this.#next.set(partition, result.next);
    } catch (error) {
      if (!signal.aborted) this.#failure = error;
    } finally {
      this.#reading.delete(partition);
    }
  }

  /** Notes that the log has dropped the next records. @param start the first offset that it still has */
  #miss(partition: number, from: number, start: number): void {
    this.#hasMissed = true;
    logger.warn("{topic}/{partition} has dropped offset {from}: resumes from {start}", {
      topic: this.#topic,
      partition,
      from,
      start,
    });
  }
}
