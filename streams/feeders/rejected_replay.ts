/**
 * Replays the rejected records of a source after its mapping was fixed.
 *
 * Each is replayed once: its events and the position on the topic of rejected records are one commit. If only entries
 * of a record were rejected, only these are replayed. If only the beginning of a record was kept, it is read again from
 * its topic, if it is still there. Each source has a position, and so has each topic or file whose records name no
 * source. A record that is rejected again is appended with the name of the source beyond the end of this replay, so
 * that the next one finds it.
 */

import { reject, type Rejected } from "../../src/events/rejected.ts";
import {
  encodeRejection,
  type FilePlace,
  type LogPlace,
  type Rejection,
  rejectionOf,
} from "../../src/events/rejection.ts";
import { makeEach, onlyEntries } from "../../src/mapping/entries.ts";
import { MAX_TIME_MS, MIN_TIME_MS } from "../../src/events/limits.ts";
import { type Log, LogError, type LogRecord, type NewRecord } from "../log/log.ts";
import { readAll } from "../log/reading.ts";
import { type RecordSource, take } from "../mapping/record_source.ts";
import { commitFitting, type Part, withoutBytes } from "../task/fitting.ts";
import {
  feederPosition,
  feederWriter,
  positionRecord,
  type TopicPosition,
} from "../topics/feeder_position.ts";
import { MENDED_HEADERS } from "../topics/arrival.ts";
import { newRecord } from "../topics/own_records.ts";
import type { Topics } from "../topics/topics.ts";
import { feederGroup, feederId } from "./feeder.ts";
import { decodeRejected, replayName, replayNameFrom, replayOf } from "./rejected_records.ts";

export interface Replayed {
  /** Rejected records of the source that were read. */
  readonly records: number;
  /** Events and items that they became. */
  readonly taken: number;
  /** Records that were rejected again, at least in part. */
  readonly rejected: number;
  /** Records that cannot be replayed, because only a sample of their kind was kept. */
  readonly leftOut: number;
  /** Records that cannot be mapped: only their beginning was kept, and their topic no longer has them. */
  readonly cut: number;
}

export interface ReplayRejectedOptions {
  /** Topic or file whose records are replayed, too, if they name no source, like those of earlier releases. */
  readonly from?: string | undefined;
  /** Records per commit. @default {1000} */
  readonly batch?: number | undefined;
  /** Wall clock, milliseconds since the epoch. @default {Date.now} */
  readonly now?: (() => number) | undefined;
}

/** Replays the rejected records of a source up to the current end of the topic. */
export async function replayRejected(
  log: Log,
  topics: Topics,
  source: RecordSource,
  options: ReplayRejectedOptions = {},
): Promise<Replayed> {
  const { from } = options;
  const names = [replayName(source.name), ...(from === undefined ? [] : [replayNameFrom(from)])];
  const all = { records: 0, taken: 0, rejected: 0, leftOut: 0, cut: 0 };
  for (const name of names) {
    const { records, taken, rejected, leftOut, cut } = await replayNamed(log, topics, source, {
      ...options,
      name,
    });
    all.records += records;
    all.taken += taken;
    all.rejected += rejected;
    all.leftOut += leftOut;
    all.cut += cut;
  }
  return all;
}

/** Replays the records that belong to a name, and moves its position. */
async function replayNamed(
  log: Log,
  topics: Topics,
  source: RecordSource,
  { name, batch = 1000, now = Date.now }: ReplayRejectedOptions & { readonly name: string },
): Promise<Replayed> {
  const identity = await log.identify(topics.rejected);
  if (identity === null) return { records: 0, taken: 0, rejected: 0, leftOut: 0, cut: 0 };
  await using writer = await feederWriter(log, topics, feederId(topics, name));
  const own = await feederPosition<TopicPosition>(log, topics, writer.id);
  if (own !== null && own.id !== identity.id) {
    throw new LogError(
      "topic-mismatch",
      `Cannot replay ${topics.rejected}: it is not the topic that was replayed before`,
    );
  }
  const next = Array.from({ length: identity.partitions }, (_, partition) => own?.next[partition] ?? 0);
  const ends = await Promise.all(next.map(async (_, p) => (await log.bounds(topics.rejected, p)).end));
  let records = 0, taken = 0, rejected = 0, leftOut = 0, cut = 0;
  let pending: Outcome[] = [];
  let read = 0;
  const commit = async () => {
    const position = positionRecord(topics, writer.id, { id: identity.id, next: [...next] });
    const rest = { records: [position], group: feederGroup(topics, name), offsets: [] };
    for (const outcome of (await commitFitting(writer, pending, rest, smaller)).parts) {
      if (outcome.isCut) cut++;
      leftOut += outcome.leftOut ?? 0;
      taken += outcome.taken;
      if (outcome.records.length > outcome.taken && !outcome.isCut) rejected++;
    }
    pending = [];
    read = 0;
  };
  for (const [partition, end] of ends.entries()) {
    const { start } = await log.bounds(topics.rejected, partition);
    for await (const record of readAll(log, topics.rejected, partition, Math.max(start, next[partition]!))) {
      if (record.offset >= end) break; // rejected again by this replay
      next[partition] = record.offset + 1;
      const outcome = await again(record, topics, source, { log, name, now: now() });
      if (outcome !== null) {
        records++;
        pending.push(outcome);
      }
      if (++read >= batch) await commit();
    }
    next[partition] = Math.max(next[partition]!, end);
  }
  await commit();
  return { records, taken, rejected, leftOut, cut };
}

interface Outcome extends Part {
  /** How many of the records, which come first, are events and items; the others are new rejections. */
  readonly taken: number;
  /** How many like it were left out before it. */
  readonly leftOut?: number | undefined;
  /** Whether only its beginning was kept. */
  readonly isCut?: true;
  /** Rejects all of it again, because its events and items are too large. */
  readonly refuse?: (why: Rejected) => Outcome;
}

function smaller({ refuse, ...outcome }: Outcome, reason: string): Outcome | null {
  const { taken } = outcome;
  const records = outcome.records.map((one, i) => i < taken ? one : withoutBytes(one) ?? one);
  if (records.some((one, i) => one !== outcome.records[i])) {
    return { ...outcome, ...(refuse && { refuse }), records };
  }
  return refuse === undefined ? null : refuse(reject("too-large", reason));
}

/** Maps a rejected record again; `null` if it belongs to another name. */
async function again(
  record: LogRecord,
  topics: Topics,
  source: RecordSource,
  { log, name, now }: { readonly log: Log; readonly name: string; readonly now: number },
): Promise<Outcome | null> {
  const rejected = decodeRejected(record);
  if (rejected === null) return null;
  const { rejection, time, key, headers } = rejected;
  if (replayOf(rejection) !== name) return null;
  const kept = {
    topic: topics.rejected,
    partition: 0,
    key,
    headers: { ...headers, ...MENDED_HEADERS },
    time,
  };
  const bytes = await wholeOf(log, rejection);
  if (bytes === null) {
    return { taken: 0, isCut: true, records: [{ ...kept, value: encodeRejection(rejection) }] };
  }
  await source.ready?.(bytes);
  const isOfFile = "file" in rejection;
  const meta = isOfFile ? {} : { topic: rejection.topic, key, headers };
  const recordTime = Math.min(Math.max(time, MIN_TIME_MS), MAX_TIME_MS - 1);
  const { entries, others: leftOut } = rejection;
  const adapted = onlyEntries(take(source, bytes, { ...meta, time: recordTime }), entries);
  const spot = { ...placeOf(rejection), source: source.name };
  const refused = (why: Rejected): NewRecord => ({
    ...kept,
    value: encodeRejection(rejectionOf(spot, why, bytes)),
  });
  const refuse = (why: Rejected): Outcome => ({
    taken: 0,
    leftOut,
    records: [refused({ ...why, ...(entries && { entries }) })],
  });
  if (!adapted.ok) return refuse(adapted);
  const mapped = makeEach(
    adapted,
    (own) => {
      const { time } = own.kind === "item" ? own.item : own.event;
      const made = newRecord(topics, own, Math.min(time, now));
      return "ok" in made ? made : { ...made, headers: MENDED_HEADERS };
    },
  );
  if ("ok" in mapped) return refuse(mapped);
  const { made } = mapped;
  return { taken: made.length, leftOut, records: [...made, ...mapped.rejected.map(refused)], refuse };
}

/** The bytes of a rejected record; `null` if only their beginning was kept, and this log no longer has them. */
async function wholeOf(log: Log, rejection: Rejection): Promise<Uint8Array | null> {
  const bytes = Uint8Array.fromBase64(rejection.bytes);
  if (!rejection.cut) return bytes;
  if ("file" in rejection) return null;
  const { topic, partition, offset } = rejection;
  if (partition >= ((await log.topics(topic)).get(topic)?.partitions ?? 0)) return null;
  const { start, end } = await log.bounds(topic, partition);
  if (offset < start || offset >= end) return null;
  const { records: [record] } = await log.read(topic, partition, offset, { maxRecords: 1 });
  const value = record?.offset === offset ? record.value : null;
  // The topic may have been created again, or have the same name on another log.
  const isSame = value !== null && bytes.length > 0 && bytes.every((byte, i) => byte === value[i]);
  return isSame ? value : null;
}

function placeOf(rejection: Rejection): LogPlace | FilePlace {
  if ("file" in rejection) return { file: rejection.file, line: rejection.line };
  const { topic, partition, offset } = rejection;
  return { topic, partition, offset };
}
