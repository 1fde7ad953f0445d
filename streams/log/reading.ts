/** Reading a log: a partition to its end, the newest record of a key, how far a reader is behind. */

import { getLogger } from "@logtape/logtape";
import {
  type Bounds,
  type GroupOffset,
  type Log,
  LogError,
  type LogRecord,
  type Place,
  type ReadableLog,
  type ReadOptions,
  type ReadResult,
  type TopicSpec,
} from "./log.ts";

const logger = getLogger(["meander", "log"]);

/**
 * Yields what reads of [from, to) return; the last may have records behind.
 *
 * @throws LogError `closed` when the log ends before that
 */
export async function* readPages(
  log: Pick<Log, "read">,
  topic: string,
  partition: number,
  { from, to, ...options }: ReadOptions & { readonly from: number; readonly to: number },
): AsyncGenerator<ReadResult> {
  let { epoch } = options;
  for (let next = from; next < to;) {
    const page = await log.read(topic, partition, next, { ...options, epoch });
    yield page;
    if (page.next === next) throw endsEarly(topic, partition, next, to);
    ({ next, epoch } = page);
  }
}

/**
 * Yields every record of a partition from `from` to the end it had when reading began.
 *
 * @throws LogError `closed` when the log now ends before that
 */
export async function* readAll(
  log: Pick<Log, "bounds" | "read">,
  topic: string,
  partition: number,
  from = 0,
): AsyncGenerator<LogRecord> {
  const { end } = await log.bounds(topic, partition);
  for await (const { records } of readPages(log, topic, partition, { from, to: end })) yield* records;
}

/**
 * Up to where a log has what was read before a position: the position itself, unless it has lost records. One look at
 * its bounds would not do: a leader that was replaced, and has not noticed, may answer that; a read is certain.
 */
export async function keptUntil(
  log: Pick<Log, "read">,
  { topic, partition, offset, epoch }: GroupOffset,
): Promise<number> {
  try {
    await log.read(topic, partition, offset, { maxRecords: 1, epoch });
    return offset;
  } catch (error) {
    return Math.min(offset, keptOf(error));
  }
}

/** Up to where a log has what a read had before, by the error of that read. @throws any other error */
export function keptOf(error: unknown): number {
  if (error instanceof LogError && error.code === "beyond-end" && error.end !== undefined) return error.end;
  throw error;
}

/** Who reads on, and from where. */
export interface ReadOnOptions extends ReadOptions {
  readonly from: number;
  /** For people. */
  readonly reader: string;
  /** Is told where it goes back to. @default {nobody is told} */
  readonly goBack?: (end: number) => void;
}

/**
 * Reads on from a position. If the log has lost what was read before it, and may have other records there, logs that,
 * and reads from where it begins.
 */
export async function readOn(
  log: Pick<Log, "read">,
  { topic, partition }: Place,
  { from, reader, goBack, ...options }: ReadOnOptions,
): Promise<ReadResult> {
  try {
    return await log.read(topic, partition, from, options);
  } catch (error) {
    const end = Math.min(from, keptOf(error));
    logger.error(
      "{topic}/{partition} has lost what {reader} had read from {end} on (was a leader elected without it?): what came of " +
        "that stays, and what is there now is read",
      { topic, partition, reader, end },
    );
    goBack?.(end);
    return await log.read(topic, partition, end, { ...options, epoch: undefined });
  }
}

/** The number of partitions of a topic. @throws LogError `unknown-topic` when it is missing */
export async function partitionsOf(log: Pick<Log, "topics">, topic: string): Promise<number> {
  const spec = (await log.topics(topic)).get(topic);
  if (spec !== undefined) return spec.partitions;
  throw new LogError("unknown-topic", `Cannot find topic ${topic}: it does not exist, or we may not see it`);
}

/** The error when a log ends before the end that it reported: another broker, which lags behind, answers now. */
export function endsEarly(topic: string, partition: number, next: number, end: number): LogError {
  return new LogError(
    "closed",
    `Cannot read ${topic}/${partition} to its end at ${end}: it now ends at ${next}`,
  );
}

/**
 * The newest record of a key, which may be a tombstone, or `null`. A log without an index is searched from the end:
 * cheap for keys that are written often.
 */
export async function newestOf(
  log: Pick<Log, "latest" | "read" | "bounds">,
  topic: string,
  partition: number,
  key: string,
): Promise<LogRecord | null> {
  if (log.latest !== undefined) return await log.latest(topic, partition, key);
  const { start, end } = await log.bounds(topic, partition);
  // Two offsets at first, because the last may be a hole, such as the marker that ends a transaction.
  for (let back = 2;; back *= 4) {
    const from = Math.max(start, end - back);
    let last: LogRecord | null = null;
    for await (const record of readAll(log, topic, partition, from)) {
      if (record.key === key) last = record;
    }
    if (last !== null || from === start) return last;
  }
}

/**
 * The first offset of a partition whose record has a time of `time` or later, milliseconds since the epoch; its end when
 * there is none. A log without an index of times is read from its start.
 */
export async function offsetSince(
  log: Pick<Log, "bounds" | "read" | "since">,
  topic: string,
  partition: number,
  time: number,
): Promise<number> {
  const { start, end } = await log.bounds(topic, partition);
  if (log.since !== undefined) return await log.since(topic, partition, time) ?? end;
  for await (const record of readAll(log, topic, partition, start)) {
    if (record.time >= time) return record.offset;
  }
  return end;
}

/** Ends of the first `partitions` partitions of a topic: in one request per broker if the log supports that. */
export async function endsOfTopic(
  log: Pick<Log, "bounds" | "endsOf">,
  topic: string,
  partitions: number,
): Promise<readonly number[]> {
  const places = Array.from({ length: partitions }, (_, partition) => ({ topic, partition }));
  if (log.endsOf !== undefined) return await log.endsOf(places, "readable");
  const bounds = await Promise.all(places.map(({ partition }) => log.bounds(topic, partition)));
  return bounds.map(({ end }) => end);
}

/** Number of offsets at or above a reader's positions, of which there is one per partition; includes holes. */
export async function lagOf(
  log: Pick<Log, "bounds">,
  topic: string,
  positions: readonly number[],
): Promise<number> {
  const ends = await Promise.all(positions.map((_, partition) => log.bounds(topic, partition)));
  return ends.reduce((sum, { end }, partition) => sum + Math.max(0, end - (positions[partition] ?? 0)), 0);
}

/** A topic, with its readable ranges. */
export interface TopicExtent extends TopicSpec {
  /** See `TopicIdentity.id`. */
  readonly id: string | null;
  /** The range of each partition. */
  readonly bounds: readonly Bounds[];
}

/** The topics whose names have a prefix, in the order of their names. */
export async function extentsOf(
  log: Pick<ReadableLog, "topics" | "identify" | "bounds">,
  prefix = "",
): Promise<TopicExtent[]> {
  const specs = [...(await log.topics(prefix)).values()];
  specs.sort((a, b) => a.name < b.name ? -1 : 1);
  return await Promise.all(specs.map(async (spec) => {
    const bounds = Array.from({ length: spec.partitions }, (_, p) => log.bounds(spec.name, p));
    return { ...spec, id: (await log.identify(spec.name))?.id ?? null, bounds: await Promise.all(bounds) };
  }));
}
