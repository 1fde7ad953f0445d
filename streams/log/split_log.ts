/**
 * A log on which more tasks than a topic has partitions share it: each partition appears as several, by key.
 *
 * ```text
 *   events/0     a d b a c d        split in 3     events/0  a . . a . .      keys whose partition among 6 is 0
 *                                                  events/2  . d . . . d      ... is 2
 *                                                  events/4  . . b . c .      ... is 4: what is left out are gaps
 * ```
 *
 * Partition t of n is what the records of partition t mod m have there, where m divides n: a key that is in partition
 * h mod n of n is in h mod m of m. Offsets stay what they are; nothing is copied.
 *
 * @module
 */

import {
  type Log,
  LogError,
  type LogRecord,
  type NewRecord,
  type ReadOptions,
  type ReadResult,
} from "./log.ts";
import { layered } from "./metered_log.ts";
import { partitionOf } from "./partitioner.ts";

/** Records that are read at once, however few of a part are wanted. */
const LEAST_RECORDS = 256;

/** How a log is split. */
export interface SplitOptions {
  /** Partitions that the topics have. */
  readonly partitions: number;
  /** Into how many they are split; a multiple. */
  readonly into: number;
  /** Whether a topic is split. */
  readonly isSplit: (topic: string) => boolean;
  /**
   * A topic that has as many partitions: positions in topics that are split stand there, and groups share its partitions
   * in their place.
   */
  readonly shared: string;
  /** Whether a record is in all parts of its partition. */
  readonly isForAll: (record: LogRecord) => boolean;
}

/** @throws LogError `topic-mismatch` when partitions cannot be split into so many */
export function checkSplit(partitions: number, into: number): void {
  if (into % partitions === 0) return;
  const below = Math.max(1, Math.floor(into / partitions)) * partitions;
  throw new LogError(
    "topic-mismatch",
    `Cannot have ${into} tasks share ${partitions} partitions of events: wanted is a multiple, such as ${below} or ` +
      `${below + partitions}; for any other number take another --prefix with --rekey-from`,
  );
}

/**
 * Splits topics of a log. Records without a key are in the first part of their partition.
 *
 * @throws LogError `topic-mismatch` when it cannot be split so
 */
export function splitLog(log: Log, options: SplitOptions): Log {
  const { partitions, into, isSplit, shared, isForAll } = options;
  checkSplit(partitions, into);
  const trimmed = new Map<string, number>();
  const placeOf = (topic: string, part: number) => isSplit(topic) ? part % partitions : part;
  const isIn = (record: LogRecord, part: number) => {
    const { key } = record;
    const own = key === null ? 0 : Math.floor(partitionOf(key, into) / partitions);
    return own === Math.floor(part / partitions) || isForAll(record);
  };
  const placed = <R extends NewRecord>(records: readonly R[]): R[] =>
    records.map((record) =>
      record.partition === undefined
        ? record
        : { ...record, partition: placeOf(record.topic, record.partition) }
    );

  async function read(
    topic: string,
    part: number,
    from: number,
    read: ReadOptions = {},
  ): Promise<ReadResult> {
    if (!isSplit(topic)) return await log.read(topic, part, from, read);
    const until = performance.now() + (read.waitMs ?? 0);
    const most = read.maxRecords ?? Infinity;
    // Of one record at a time, a part that has few would be looked for record by record.
    const bounds = read.maxRecords === undefined ? {} : { maxRecords: Math.max(most, LEAST_RECORDS) };
    let dropped = 0;
    for (let next = from;;) {
      const waitMs = Math.max(0, until - performance.now());
      const result = await log.read(topic, part % partitions, next, { ...read, ...bounds, waitMs });
      dropped += result.dropped ?? 0;
      const own = result.records.flatMap((record) =>
        isIn(record, part) ? [{ ...record, partition: part }] : []
      );
      const records = own.slice(0, most);
      const isAtEnd = result.next === next && result.records.length === 0;
      next = records.length < own.length ? records.at(-1)!.offset + 1 : result.next;
      if (records.length > 0 || isAtEnd || result.records.length === 0) {
        return { records, next, ...(dropped > 0 && { dropped }) };
      }
    }
  }

  async function trim(topic: string, part: number, before: number): Promise<void> {
    if (!isSplit(topic)) return await log.trim(topic, part, before);
    trimmed.set(`${topic}/${part}`, before);
    const place = part % partitions;
    let all = Infinity;
    for (let other = place; other < into; other += partitions) {
      all = Math.min(all, trimmed.get(`${topic}/${other}`) ?? 0);
    }
    if (all > (await log.bounds(topic, place)).start) await log.trim(topic, place, all);
  }

  const { latest, erase, refill } = log;
  return layered(log, {
    read,
    trim,
    append: (records) => log.append(placed(records)),
    bounds: (topic, part) => log.bounds(topic, placeOf(topic, part)),
    committed: (group, topic, part) => log.committed(group, isSplit(topic) ? shared : topic, part),
    join: (group, topics, handlers) =>
      log.join(group, topics.map((topic) => isSplit(topic) ? shared : topic), handlers),
    async createTopics(specs) {
      await log.createTopics(
        specs.map((spec) => isSplit(spec.name) && spec.partitions === into ? { ...spec, partitions } : spec),
      );
    },
    async topics() {
      return new Map([...await log.topics()].map(([name, spec]) => [name, withParts(name, spec)]));
    },
    async identify(topic) {
      const identity = await log.identify(topic);
      return identity === null ? null : withParts(topic, identity);
    },
    async writer(id, places) {
      const writer = await log.writer(
        id,
        places?.map(({ topic, partition }) => ({ topic, partition: placeOf(topic, partition) })),
      );
      return {
        id,
        commit: ({ records, group, offsets }) =>
          writer.commit({
            records: placed(records),
            group,
            offsets: offsets.map((at) => isSplit(at.topic) ? { ...at, topic: shared } : at),
          }),
        [Symbol.asyncDispose]: () => writer[Symbol.asyncDispose](),
      };
    },
    ...(latest && { latest: (topic, part, key) => latest.call(log, topic, placeOf(topic, part), key) }),
    ...(erase && { erase: (topic, part, offsets) => erase.call(log, topic, placeOf(topic, part), offsets) }),
    ...(refill && { refill: () => Promise.reject(new TypeError("Cannot refill a log that is split")) }),
  });

  /** What a topic that is split says of itself: one that has got more partitions has more than it is split into. */
  function withParts<T extends { readonly partitions: number }>(topic: string, of: T): T {
    return isSplit(topic) ? { ...of, partitions: of.partitions * into / partitions } : of;
  }
}
