/** Reads the records of a topic, all partitions in one order, up to its current end. */

import { indexesKeys } from "../log/capabilities.ts";
import type { CopyProgress } from "../log/kind.ts";
import type { ReadableLog } from "../log/log.ts";
import { readPages } from "../log/reading.ts";
import type { Content, ExportedLine } from "./contents.ts";

/** Limits of a read of one partition; memory holds one such read per partition. */
const READ = { maxRecords: 500, maxBytes: 1 << 20 };

export interface Choice {
  /** Earliest event time, milliseconds since the epoch. @default {all} */
  readonly from?: number | undefined;
  /** End of the event times, exclusive, milliseconds since the epoch. @default {all} */
  readonly until?: number | undefined;
  /** User of the records. @default {all users} */
  readonly user?: string | undefined;
}

/** The next line of a partition. */
interface Head extends ExportedLine {
  readonly offset: number;
  /** Offsets between the previous line and this one that the log had dropped. */
  readonly lost: number;
}

/** Reads lines of one topic, partitions merged by time. */
export class TopicLines {
  /** Offset of the next record, by partition. */
  readonly next: number[];
  /** Records of another kind, or unreadable ones. */
  leftOut = 0;
  /** Offsets that the log had dropped before they were read, up to {@linkcode TopicLines.next}. */
  lost = 0;
  /** Receives the number of offsets read, and their total. */
  tell: CopyProgress = () => {};
  /** Dropped offsets after the last line of each partition. */
  #lostLast = 0;
  /** Offsets read, and offsets to read. */
  #read = 0;
  readonly #all: number;
  readonly #log: ReadableLog;
  readonly #topic: string;
  readonly #content: Content;
  readonly #choice: Choice;
  readonly #ends: readonly number[];
  /** Offset of the newest record of each key, for a compacted topic: older ones were replaced or deleted. */
  readonly #newest: ReadonlyMap<string, number> | undefined;

  private constructor(
    log: ReadableLog,
    topic: string,
    content: Content,
    choice: Choice,
    { next, ends, newest }: {
      readonly next: readonly number[];
      readonly ends: readonly number[];
      readonly newest: ReadonlyMap<string, number> | undefined;
    },
  ) {
    this.#log = log;
    this.#topic = topic;
    this.#content = content;
    this.#choice = choice;
    this.next = [...next];
    this.#ends = ends;
    this.#all = ends.reduce((sum, end, partition) => sum + end - (next[partition] ?? 0), 0);
    this.#newest = newest;
  }

  /**
   * Opens a topic, to be read up to its current end.
   *
   * @param next where to begin, by partition; others begin at their start
   * @throws RangeError when the topic ends before that
   */
  static async open(
    log: ReadableLog,
    topic: string,
    content: Content,
    choice: Choice,
    next: readonly number[] = [],
  ): Promise<TopicLines> {
    const spec = (await log.topics(topic)).get(topic);
    if (spec === undefined) {
      throw new RangeError(`Cannot export ${topic}: there is no such topic; check --prefix`);
    }
    const bounds = await Promise.all(
      Array.from({ length: spec.partitions }, (_, partition) => log.bounds(topic, partition)),
    );
    for (const [partition, { end }] of bounds.entries()) {
      const from = next[partition] ?? 0;
      if (from > end) {
        throw new RangeError(
          `Cannot export ${topic}/${partition} from ${from}: it ends at ${end}, so it is not what was exported before, ` +
            "or is an older copy of it; name another file",
        );
      }
    }
    const from = bounds.map(({ start }, partition) => next[partition] ?? start);
    const ends = bounds.map(({ end }) => end);
    // A log with an index of keys has one record of each.
    const newest = spec.cleanup === "compact" && !indexesKeys(log)
      ? await newestOf(log, topic, ends)
      : undefined;
    return new TopicLines(log, topic, content, choice, { next: from, ends, newest });
  }

  /** Yields the lines by time, then by partition. {@linkcode TopicLines.next} is after those that were yielded. */
  async *[Symbol.asyncIterator](): AsyncGenerator<string> {
    const sources = this.#ends.map((_, partition) => this.#partition(partition));
    const heads: (Head | undefined)[] = [];
    for (const [partition, source] of sources.entries()) heads[partition] = (await source.next()).value;
    for (;;) {
      let first = -1;
      for (const [partition, head] of heads.entries()) {
        if (head !== undefined && (first < 0 || head.time < heads[first]!.time)) first = partition;
      }
      if (first < 0) break;
      const { json, offset, lost } = heads[first]!;
      this.next[first] = offset + 1;
      this.lost += lost;
      yield json;
      heads[first] = (await sources[first]!.next()).value;
    }
    for (const [partition, end] of this.#ends.entries()) this.next[partition] = end;
    this.lost += this.#lostLast;
  }

  async *#partition(partition: number): AsyncGenerator<Head, undefined> {
    const end = this.#ends[partition]!;
    let position = this.next[partition]!;
    let lost = 0;
    const range = { from: position, to: end, ...READ };
    for await (const { records, next, dropped = 0 } of readPages(this.#log, this.#topic, partition, range)) {
      lost += Math.min(dropped, end - position);
      this.#read += Math.min(next, end) - position;
      this.tell(this.#read, this.#all);
      position = next;
      for (const record of records) {
        const newest = this.#newest?.get(record.key ?? "") ?? record.offset;
        if (record.offset >= end || record.offset !== newest) continue;
        if (this.#choice.user !== undefined && record.key !== this.#choice.user) continue;
        const line = this.#content.read(record);
        if (line === null) this.leftOut++;
        else if (this.#isChosen(line)) {
          yield { ...line, offset: record.offset, lost };
          lost = 0;
        }
      }
    }
    this.#lostLast += lost;
  }

  #isChosen({ time }: ExportedLine): boolean {
    const { from = -Infinity, until = Infinity } = this.#choice;
    return time >= from && time < until;
  }
}

/** Offset of the newest record of each key. Holds all keys of the topic, as every process with tasks does. */
async function newestOf(
  log: ReadableLog,
  topic: string,
  ends: readonly number[],
): Promise<Map<string, number>> {
  const newest = new Map<string, number>();
  for (const [partition, end] of ends.entries()) {
    for await (const { records } of readPages(log, topic, partition, { from: 0, to: end, ...READ })) {
      for (const { key, offset } of records) if (offset < end) newest.set(key ?? "", offset);
    }
  }
  return newest;
}
