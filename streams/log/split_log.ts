/**
 * Shows each partition of a topic as several, by key, so that more tasks than it has partitions can share it.
 *
 * ```text
 *   events/0     a d b a c d        split in 3     events/0  a . . a . .      keys whose partition among 6 is 0
 *                                                  events/2  . d . . . d      ... is 2
 *                                                  events/4  . . b . c .      ... is 4; the rest are gaps
 * ```
 *
 * Partition t of n has those records of partition t mod m whose key is in partition t of n, where m divides n: a key
 * with hash h is in partition h mod n of n and in h mod m of m. Offsets stay the same; nothing is copied.
 */

import {
  type Log,
  LogError,
  type LogRecord,
  type NewRecord,
  type Place,
  type ReadOptions,
  type ReadResult,
  type TopicSpec,
  type Writer,
} from "./log.ts";
import { layered } from "./metered_log.ts";
import { partitionOf } from "./partitioner.ts";

/** Fewest records to read at once, however few the caller wants. */
const LEAST_RECORDS = 256;

export interface SplitOptions {
  readonly partitions: number;
  /** Number of parts that they are split into, a multiple of `partitions`. */
  readonly into: number;
  readonly isSplit: (topic: string) => boolean;
  /**
   * A topic with `into` partitions: positions in split topics are stored under it, and groups share its partitions
   * instead of those of a split topic.
   */
  readonly shared: string;
  /** Whether a record belongs to all parts of its partition. */
  readonly isForAll: (record: LogRecord) => boolean;
}

/** @throws LogError `topic-mismatch` when `into` is not a multiple of `partitions` */
export function checkSplit(partitions: number, into: number): void {
  if (into % partitions === 0) return;
  const below = Math.max(1, Math.floor(into / partitions)) * partitions;
  throw new LogError(
    "topic-mismatch",
    `Cannot have ${into} tasks share ${partitions} partitions of events: use a multiple, such as ${below} or ` +
      `${
        below + partitions
      }; any other number needs another --prefix, which follows events (docs/how-to/deploy-on-kafka.md)`,
  );
}

/**
 * Splits topics of a log. Records without a key are in the first part of their partition.
 *
 * @throws LogError `topic-mismatch` as {@linkcode checkSplit} does
 */
export function splitLog(log: Log, options: SplitOptions): Log {
  checkSplit(options.partitions, options.into);
  const split = new Split(log, options);
  const { latest, erase, refill, committedEpoch } = log;
  return layered(log, {
    read: (topic, part, from, limits) => split.read(topic, part, from, limits),
    trim: (topic, part, before) => split.trim(topic, part, before),
    append: (records) => log.append(split.placed(records)),
    bounds: (topic, part) => log.bounds(topic, split.placeOf(topic, part)),
    committed: (group, topic, part) => log.committed(group, split.positionsOf(topic), part),
    ...(committedEpoch && {
      committedEpoch: (group, at) =>
        committedEpoch.call(log, group, { ...at, topic: split.positionsOf(at.topic) }),
    }),
    join: (group, topics, handlers) =>
      log.join(group, topics.map((topic) => split.positionsOf(topic)), handlers),
    createTopics: (specs) => log.createTopics(specs.map((spec) => split.whole(spec))),
    topics: async (prefix) =>
      new Map([...await log.topics(prefix)].map(([name, spec]) => [name, split.parts(name, spec)])),
    async identify(topic) {
      const identity = await log.identify(topic);
      return identity && split.parts(topic, identity);
    },
    writer: (id, places) => split.writer(id, places),
    ...(latest && { latest: (topic, part, key) => latest.call(log, topic, split.placeOf(topic, part), key) }),
    ...(erase &&
      { erase: (topic, part, offsets) => erase.call(log, topic, split.placeOf(topic, part), offsets) }),
    ...(refill && { refill: () => Promise.reject(new TypeError("Cannot refill a log that is split")) }),
  });
}

/** Maps parts to the partitions of the underlying log. */
class Split {
  readonly #log: Log;
  readonly #options: SplitOptions;
  /** The offset before which a part needs nothing, by topic and part. */
  readonly #trimmed = new Map<string, number>();

  constructor(log: Log, options: SplitOptions) {
    this.#log = log;
    this.#options = options;
  }

  /** The partition that contains a part. */
  placeOf(topic: string, part: number): number {
    const { isSplit, partitions } = this.#options;
    return isSplit(topic) ? part % partitions : part;
  }

  /** The topic under which positions in a topic are stored: one with a partition for each part. */
  positionsOf(topic: string): string {
    const { isSplit, shared } = this.#options;
    return isSplit(topic) ? shared : topic;
  }

  placed(records: readonly NewRecord[]): NewRecord[] {
    return records.map((record) => {
      const { topic, partition } = record;
      return partition === undefined ? record : { ...record, partition: this.placeOf(topic, partition) };
    });
  }

  /** A topic as users of the split log see it; a topic that has gained partitions has more than `into` parts. */
  parts<T extends { readonly partitions: number }>(topic: string, of: T): T {
    const { isSplit, partitions, into } = this.#options;
    return isSplit(topic) ? { ...of, partitions: of.partitions * into / partitions } : of;
  }

  /** A topic as the underlying log has it. */
  whole(spec: TopicSpec): TopicSpec {
    const { isSplit, partitions, into } = this.#options;
    const whole = spec.partitions * partitions / into;
    return isSplit(spec.name) && Number.isInteger(whole) ? { ...spec, partitions: whole } : spec;
  }

  async read(topic: string, part: number, from: number, options: ReadOptions = {}): Promise<ReadResult> {
    if (!this.#options.isSplit(topic)) return await this.#log.read(topic, part, from, options);
    const { maxRecords = Infinity, waitMs = 0 } = options;
    const until = performance.now() + waitMs;
    // A reader of one record at a time would otherwise skip the records of other parts one by one.
    const atOnce = maxRecords < Infinity ? { maxRecords: Math.max(maxRecords, LEAST_RECORDS) } : {};
    let dropped = 0;
    let { epoch } = options;
    for (let next = from;;) {
      const leftMs = Math.max(0, until - performance.now());
      const limits = { ...options, ...atOnce, epoch, waitMs: leftMs };
      const result = await this.#log.read(topic, this.placeOf(topic, part), next, limits);
      dropped += result.dropped ?? 0;
      const own = result.records.filter((record) => this.#isIn(record, part));
      const records = own.slice(0, maxRecords).map((record) => ({ ...record, partition: part }));
      epoch = result.epoch;
      next = records.length < own.length ? records.at(-1)!.offset + 1 : result.next;
      if (records.length === 0 && result.records.length > 0) continue;
      return { records, next, ...(epoch !== undefined && { epoch }), ...(dropped > 0 && { dropped }) };
    }
  }

  #isIn(record: LogRecord, part: number): boolean {
    const { partitions, into, isForAll } = this.#options;
    const { key } = record;
    const own = key === null ? 0 : Math.floor(partitionOf(key, into) / partitions);
    return own === Math.floor(part / partitions) || isForAll(record);
  }

  /** Drops what no part of the partition needs. */
  async trim(topic: string, part: number, before: number): Promise<void> {
    const { isSplit, partitions, into } = this.#options;
    if (!isSplit(topic)) return await this.#log.trim(topic, part, before);
    this.#trimmed.set(`${topic}/${part}`, before);
    const place = this.placeOf(topic, part);
    let all = Infinity;
    for (let other = place; other < into; other += partitions) {
      all = Math.min(all, this.#trimmed.get(`${topic}/${other}`) ?? 0);
    }
    if (all > (await this.#log.bounds(topic, place)).start) await this.#log.trim(topic, place, all);
  }

  async writer(id: string, places?: readonly Place[]): Promise<Writer> {
    const writer = await this.#log.writer(
      id,
      places?.map(({ topic, partition }) => ({ topic, partition: this.placeOf(topic, partition) })),
    );
    return {
      id,
      commit: ({ records, group, offsets }) =>
        writer.commit({
          records: this.placed(records),
          group,
          offsets: offsets.map((at) => ({ ...at, topic: this.positionsOf(at.topic) })),
        }),
      [Symbol.asyncDispose]: () => writer[Symbol.asyncDispose](),
    };
  }
}
