/** Reads the newest rejected records at a bounded cost, without blocking its thread for long. */

import { setTimeout as delay } from "node:timers/promises";
import type { Log, LogRecord } from "../log/log.ts";
import type { Topics } from "../topics/topics.ts";
import {
  countRejected,
  decodeRejected,
  holds,
  type RejectedCount,
  type RejectedFilter,
  type RejectedRecord,
  Replayed,
} from "./rejected_records.ts";

/** Limits of a look, for all partitions together. */
export interface LookLimits {
  /** Most offsets. */
  readonly records: number;
  /** Bytes of values after which a look ends; at most one portion more is read. */
  readonly bytes: number;
}

export interface RejectedLook {
  /** Reasons, most frequent first. */
  readonly reasons: readonly RejectedCount[];
  /** The records, newest first. */
  readonly records: readonly RejectedRecord[];
  /** Whether nothing on the topic was left out. */
  readonly isAll: boolean;
  /** Offsets of the topic, including records that were replayed. */
  readonly offsets: number;
}

/** Bounds of a portion, offsets: at most some milliseconds of work, after which the thread is yielded. */
const LEAST = 16, MOST = 512;

/** Reads the newest records of each partition, in equal shares, without those that were replayed. */
export async function lookAtRejected(
  log: Log,
  topics: Topics,
  filter: RejectedFilter,
  limits: LookLimits,
): Promise<RejectedLook> {
  const partitions = (await log.identify(topics.rejected))?.partitions ?? 0;
  const replayed = new Replayed(log, topics);
  const found: RejectedRecord[] = [];
  let isAll = true, offsets = 0;
  for (let partition = 0; partition < partitions; partition++) {
    const { start, end } = await log.bounds(topics.rejected, partition);
    offsets += end - start;
    const least = Math.max(start, end - Math.ceil(limits.records / partitions));
    let left = limits.bytes / partitions, to = end, size = LEAST;
    while (to > least && left > 0) {
      const from = Math.max(least, to - size);
      const records = await between(log, topics.rejected, partition, { from, to });
      const bytes = records.reduce((sum, { value }) => sum + (value?.length ?? 0), 0);
      for (const record of records.toReversed()) {
        const own = decodeRejected(record);
        if (own !== null && holds(filter, own.rejection) && !await replayed.has(own)) found.push(own);
      }
      left -= bytes;
      size = Math.floor(Math.min(MOST, Math.max(LEAST, left * (to - from) / Math.max(bytes, 1))));
      to = from;
      await delay(0);
    }
    if (to > start) isAll = false;
  }
  found.sort((a, b) => b.time - a.time || b.offset - a.offset);
  return { reasons: await countRejected(found.toReversed()), records: found, isAll, offsets };
}

async function between(
  log: Log,
  topic: string,
  partition: number,
  { from, to }: { readonly from: number; readonly to: number },
): Promise<readonly LogRecord[]> {
  const all: LogRecord[] = [];
  for (let at = from; at < to;) {
    const { records, next } = await log.read(topic, partition, at, { maxRecords: to - at });
    all.push(...records.filter(({ offset }) => offset < to));
    if (next <= at) break;
    at = next;
  }
  return all;
}
