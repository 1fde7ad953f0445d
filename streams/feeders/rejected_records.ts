/** Reads the topic of rejected records: all, counts by reason, or a single one. */

import { countOf, type Rejection } from "../../src/events/rejection.ts";
import type { Log, LogRecord } from "../log/log.ts";
import { readAll } from "../log/reading.ts";
import { isMended } from "../topics/arrival.ts";
import { feederPosition, type TopicPosition } from "../topics/feeder_position.ts";
import type { Topics } from "../topics/topics.ts";
import { feederId } from "./feeder.ts";

/** A rejection, and its place on the topic. */
export interface RejectedRecord {
  readonly partition: number;
  readonly offset: number;
  /** Time of the rejection, or of the rejected record; milliseconds since the epoch, 0 for a file. */
  readonly time: number;
  readonly key: string | null;
  readonly headers: Readonly<Record<string, string>>;
  /** The rejected record, and why. */
  readonly rejection: Rejection;
}

/** Selects rejected records by all the given fields. */
export interface RejectedFilter {
  /** Code of the reason. */
  readonly code?: string | undefined;
  /** Format or source that it was read with. */
  readonly source?: string | undefined;
  /** Topic or file of the rejected record. */
  readonly from?: string | undefined;
}

/** How many records, or entries of records, were rejected for one reason. */
export interface RejectedCount {
  /** Format or source; `null` = a topic of the deployment. */
  readonly source: string | null;
  /** Topic or file. */
  readonly from: string;
  /** Code of the reason. */
  readonly code: string;
  /** Rule of the source. */
  readonly rule: string | null;
  readonly count: number;
  /** How many of them were replayed, and rejected again. */
  readonly again: number;
  readonly newest: RejectedRecord;
}

/** Most reasons that are counted separately. */
const MAX_REASONS = 1000;

/** The name under which a source's rejected records are replayed. */
export function replayName(source: string): string {
  return `rejected:${source}`;
}

/** Name of the feeder that replays rejections that name no source, by their origin; whichever source takes them. */
export function replayNameFrom(place: string): string {
  return `rejected-from:${place}`;
}

/** Name of the feeder that replays a record. */
export function replayOf(rejection: Rejection): string {
  const { source } = rejection;
  return source === undefined ? replayNameFrom(placeName(rejection)) : replayName(source);
}

/**
 * Rejected records in the order of their partitions, without those that were replayed.
 *
 * @param newest most records that are read per partition, from its end
 */
export async function* readRejected(
  log: Log,
  topics: Topics,
  filter: RejectedFilter = {},
  newest = Infinity,
): AsyncGenerator<RejectedRecord> {
  const partitions = (await log.identify(topics.rejected))?.partitions ?? 0;
  const replayed = new Replayed(log, topics);
  for (let partition = 0; partition < partitions; partition++) {
    const { start, end } = await log.bounds(topics.rejected, partition);
    const from = Math.max(start, end - newest);
    for await (const record of readAll(log, topics.rejected, partition, from)) {
      const own = decodeRejected(record);
      if (own !== null && holds(filter, own.rejection) && !await replayed.has(own)) yield own;
    }
  }
}

/** Looks up which records were replayed, as of the first look-up of their source or place. */
export class Replayed {
  readonly #log: Log;
  readonly #topics: Topics;
  /** Offsets up to which rejected records were replayed, by name of the replay and partition. */
  readonly #next = new Map<string, readonly number[]>();

  /** Makes a look-up for a deployment. */
  constructor(log: Log, topics: Topics) {
    this.#log = log;
    this.#topics = topics;
  }

  /** Whether a record was replayed. */
  async has({ partition, offset, rejection }: RejectedRecord): Promise<boolean> {
    const name = replayOf(rejection);
    let next = this.#next.get(name);
    if (next === undefined) {
      const id = feederId(this.#topics, name);
      next = (await feederPosition<TopicPosition>(this.#log, this.#topics, id))?.next ?? [];
      this.#next.set(name, next);
    }
    return offset < (next[partition] ?? 0);
  }
}

/** Counts rejected records by source, place, code and rule, most frequent first. */
export async function countRejected(
  records: AsyncIterable<RejectedRecord> | Iterable<RejectedRecord>,
): Promise<readonly RejectedCount[]> {
  const counts = new Map<string, { count: number; again: number; newest: RejectedRecord }>();
  for await (const record of records) {
    const { source, rule, code } = record.rejection;
    const key = JSON.stringify([source, placeName(record.rejection), code, rule]);
    const known = counts.get(key);
    const count = countOf(record.rejection);
    const again = isMended(record) ? count : 0;
    if (known !== undefined) {
      known.count += count;
      known.again += again;
      known.newest = record;
    } else if (counts.size < MAX_REASONS) counts.set(key, { count, again, newest: record });
  }
  return Array.from(counts.values(), ({ count, again, newest }): RejectedCount => {
    const { source = null, rule = null, code } = newest.rejection;
    return { source, from: placeName(newest.rejection), code, rule, count, again, newest };
  }).toSorted((a, b) => b.count - a.count);
}

/** The rejection at a place of the topic; `null` if there is none. */
export async function rejectedAt(
  log: Log,
  topics: Topics,
  partition: number,
  offset: number,
): Promise<RejectedRecord | null> {
  const partitions = (await log.identify(topics.rejected))?.partitions ?? 0;
  if (partition >= partitions) return null;
  const { start, end } = await log.bounds(topics.rejected, partition);
  if (offset < start || offset >= end) return null;
  const { records } = await log.read(topics.rejected, partition, offset, { maxRecords: 1 });
  const [record] = records;
  return record?.offset === offset ? decodeRejected(record) : null;
}

/** The topic or file that had the record. */
function placeName(rejection: Rejection): string {
  return "file" in rejection ? rejection.file : rejection.topic;
}

/** Whether a filter selects a rejection. */
export function holds({ code, source, from }: RejectedFilter, rejection: Rejection): boolean {
  return (code === undefined || rejection.code === code) &&
    (source === undefined || rejection.source === source) &&
    (from === undefined || placeName(rejection) === from);
}

/** A record of the topic; `null` if another program wrote it. */
export function decodeRejected(
  { partition, offset, time, key, headers, value }: LogRecord,
): RejectedRecord | null {
  if (value === null) return null;
  try {
    const rejection = JSON.parse(new TextDecoder().decode(value));
    const { file, topic, code, bytes, entries = [], others = 0 } = rejection ?? {};
    const isPlaced = typeof file === "string" || typeof topic === "string";
    const isOfEntries = Array.isArray(entries) && entries.every((place) => typeof place === "string");
    const isRejection = isPlaced && isOfEntries && Number.isSafeInteger(others) &&
      typeof code === "string" && typeof bytes === "string";
    if (!isRejection) return null;
    Uint8Array.fromBase64(rejection.bytes); // throws for records of other programs
    return { partition, offset, time, key, headers, rejection };
  } catch {
    return null;
  }
}
