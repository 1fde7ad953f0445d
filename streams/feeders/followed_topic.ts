/** A topic of another system that is taken in: maps its records, and reports how far behind it is. */

import { getLogger } from "@logtape/logtape";
import { MAX_TIME_MS, MIN_TIME_MS } from "../../src/events/limits.ts";
import { reject, type Rejected } from "../../src/events/rejected.ts";
import {
  countOf,
  encodeRejection,
  type Rejection,
  rejectionKey,
  rejectionOf,
} from "../../src/events/rejection.ts";
import { makeEach, type MappedRecords } from "../../src/mapping/entries.ts";
import { reasonOf } from "../../src/values/reason.ts";
import { EXPERIMENT } from "../experiments/record.ts";
import {
  type GroupOffset,
  LogError,
  type LogRecord,
  type NewRecord,
  type TopicIdentity,
} from "../log/log.ts";
import { endsOfTopic } from "../log/reading.ts";
import { take } from "../mapping/record_source.ts";
import { type Part, withoutBytes } from "../task/fitting.ts";
import { changeOf } from "../task/inputs/position.ts";
import { knownEpochs, positionRecord } from "../topics/feeder_position.ts";
import { FirstRejections } from "../topics/first_rejections.ts";
import { newRecord } from "../topics/own_records.ts";
import { Lateness } from "./lateness.ts";
import { RejectionAllowance } from "./rejection_allowance.ts";
import {
  anotherTopic,
  type FollowContext,
  type ForeignTopic,
  type OpenTopic,
  type ResumedPosition,
  resumedPosition,
} from "./resumed_position.ts";
import { type HeldRecord, type ReadTime, SourcePartition, whileThere } from "./source_partition.ts";

/** Most bytes of the events and items of one record: each of many may repeat a large part of it. */
const MAX_MAPPED_BYTES = 8 << 20;

/** Most characters of headers that are kept with a rejected record. */
const MAX_HEADER_CHARACTERS = 4096;

const logger = getLogger(["meander", "sources"]);

/** How far behind a partition of a source is. */
export interface SourceLag {
  /** Name of the source. */
  readonly source: string;
  /** Its topic. */
  readonly topic: string;
  /** The partition. */
  readonly partition: number;
  /** Records not fed yet, including gaps in the log. */
  readonly lag: number;
  /** How long ago the oldest of them arrived, milliseconds; 0 without one. */
  readonly lagMs: number;
  /** Offsets that the topic dropped before they were fed, since it was first followed. */
  readonly lost: number;
}

/** A record, and the events and items that it becomes. */
interface Head extends HeldRecord {
  /** When it arrived, milliseconds since the epoch: no later than it was read. */
  readonly came: number;
  /** `null` = it is skipped. */
  readonly adapted: MappedRecords | null;
}

/** A record that was taken, and what is appended for it. */
export interface Taken extends Part {
  readonly topic: FollowedTopic;
  readonly head: Head;
  /** Why the record, or entries of it, are rejected; not all of them may be written. */
  readonly rejections: readonly Rejection[];
  /** Whether nothing of it was taken. */
  readonly isRejected: boolean;
}

/** A topic that is fed. */
export class FollowedTopic {
  /** The key of its position. */
  readonly id: string;
  /** Whether its position must be saved before any record is taken. */
  readonly isUnsaved: boolean;
  readonly partitions: readonly SourcePartition<Head>[];
  readonly #source: OpenTopic;
  readonly #context: FollowContext;
  readonly #identity: TopicIdentity;
  readonly #lateness: Lateness | undefined;
  /** Offsets dropped before it was opened, by partition. */
  readonly #unfedBefore: readonly number[];
  #events = 0;
  #items = 0;
  #rejectedCount = 0;
  #firstRejection: Rejection | undefined;
  readonly #allowance: RejectionAllowance;
  readonly #first: FirstRejections;
  #isSampling = false;

  private constructor(
    source: OpenTopic,
    context: FollowContext,
    { id, identity, clock: reached, allowance, nexts, epochs, unfed, isUnsaved }: ResumedPosition,
  ) {
    this.id = id;
    this.#unfedBefore = unfed;
    this.isUnsaved = isUnsaved;
    this.#source = source;
    this.#context = context;
    this.#identity = identity;
    this.#allowance = new RejectionAllowance(allowance);
    this.#first = new FirstRejections(logger, source.format.name);
    const { log, topic, waitMs = 0, lateMs = Infinity } = source;
    if (lateMs < Infinity) this.#lateness = new Lateness(lateMs, reached);
    const { now, clock, stuckSince: since } = context;
    const maxBytes = Math.min(Math.max(Math.floor(context.maxBytes / nexts.length), 64 << 10), 1 << 20);
    const headOf = (record: LogRecord, read: ReadTime) => this.#headOf(record, read);
    this.partitions = nexts.map((next, partition) =>
      new SourcePartition({
        log,
        topic,
        partition,
        from: { next, epoch: epochs[partition] ?? undefined },
        waitMs,
        maxBytes,
        now,
        clock,
        headOf,
        stuck: { since, name: `${id}/${partition}` },
      })
    );
  }

  /**
   * Resumes a topic where it was left. Partitions added since are read from their start.
   *
   * @param name under which its position is kept
   * @throws LogError `topic-mismatch` when it does not exist, or is not the topic that was fed before
   */
  static async open(source: ForeignTopic, name: string, context: FollowContext): Promise<FollowedTopic> {
    const log = typeof source.log === "function" ? await source.log() : source.log;
    const opened = { ...source, log };
    return new FollowedTopic(opened, context, await resumedPosition(opened, name, context));
  }

  /** Events, items and rejected records so far, and the first of these. */
  get counts(): {
    readonly events: number;
    readonly items: number;
    readonly rejected: number;
    readonly firstRejection: Rejection | undefined;
  } {
    const [events, items, rejected] = [this.#events, this.#items, this.#rejectedCount];
    return { events, items, rejected, firstRejection: this.#firstRejection };
  }

  /** Offsets that the topic dropped before they were fed, since this was opened. */
  get skipped(): number {
    return this.partitions.reduce((sum, { skipped }) => sum + skipped, 0);
  }

  /** Its position, to be committed with the taken records. */
  get position(): NewRecord {
    const next = this.partitions.map((partition) => partition.next);
    const { topics } = this.#context;
    const { id } = this.#identity;
    const unfed = this.partitions.map((partition) => this.#lostOf(partition));
    const allowance = this.#allowance.state;
    return positionRecord(topics, this.id, {
      id,
      next,
      ...knownEpochs(this.partitions.map((partition) => partition.epoch)),
      ...(unfed.some((count) => count > 0) ? { unfed } : {}),
      ...(this.#lateness === undefined ? {} : { clock: this.#lateness.toString() }),
      ...(allowance && { allowance }),
    });
  }

  /** Its position as offsets, which let tools show the lag; none when the topic is on another log. */
  get offsets(): readonly GroupOffset[] {
    const { log, topic } = this.#source;
    if (log !== this.#context.log) return [];
    return this.partitions.map(({ partition, next: offset }) => ({ topic, partition, offset }));
  }

  /** Its partitions without which others go ahead, for people. */
  get passed(): readonly string[] {
    const { topic } = this.#source;
    return this.partitions.flatMap(({ passedFor, partition, next, stuckMs }) =>
      passedFor === undefined
        ? []
        : [`${topic}/${partition} waits at ${next} for ${Math.round(stuckMs / 1000)} s: ${passedFor}`]
    );
  }

  /** See `TopicFeeder.check`. */
  async check(): Promise<void> {
    const { log, topic } = this.#source;
    const now = await log.identify(topic);
    const change = changeOf(topic, this.#identity, now);
    if (change === null) return;
    if (now === null || now.id !== this.#identity.id) throw anotherTopic(topic, this.id, change);
    throw new LogError(
      "closed",
      `${topic} has ${now.partitions} partitions now, not ${this.#identity.partitions}`,
    );
  }

  /** How far behind each partition is. */
  async lags(): Promise<readonly SourceLag[]> {
    const { log, topic } = this.#source;
    const ends = await endsOfTopic(log, topic, this.partitions.length).catch((error) => {
      throw whileThere(error, topic);
    });
    return this.partitions.map((one) => {
      const { partition, next, head, stuckMs } = one;
      const lag = Math.max(0, (ends[partition] ?? 0) - next);
      const lagMs = head === undefined ? stuckMs : Math.max(0, this.#context.now() - head.came);
      return { source: this.#source.format.name, topic, partition, lag, lagMs, lost: this.#lostOf(one) };
    });
  }

  #lostOf({ partition, skipped }: SourcePartition<Head>): number {
    return (this.#unfedBefore[partition] ?? 0) + skipped;
  }

  /** Converts a held record into the records to append. */
  take(head: Head): Taken {
    const { came, adapted } = head;
    if (adapted === null) return { topic: this, head, records: [], rejections: [], isRejected: false };
    if (!adapted.ok) return this.#reject(head, adapted);
    const events = adapted.records.flatMap((own) => own.kind === "event" ? own.event : []);
    const lateMs = this.#lateness?.see(events, came) ?? null;
    if (lateMs !== null) return this.#reject(head, rejectLate(lateMs, this.#source.lateMs ?? 0));
    let size = 0;
    const made = makeEach(adapted, (own) => {
      if (size > MAX_MAPPED_BYTES) return rejectWide(adapted.records.length);
      const one = newRecord(this.#context.topics, own, Math.min(timeOf(own), came));
      if (!("ok" in one)) size += one.value?.length ?? 0;
      return one;
    });
    if ("ok" in made) return this.#reject(head, made);
    if (size > MAX_MAPPED_BYTES) return this.#reject(head, rejectWide(adapted.records.length));
    this.#allowance.take(size);
    const rejections = made.rejected.map((one) => this.#rejectionOf(head, one));
    const records = [...made.made, ...this.#recordsOf(head, rejections)];
    return { topic: this, head, records, rejections, isRejected: false };
  }

  /** The records to append in place of one that is too large for its topic; `null` = none. */
  smaller(taken: Taken, reason: string): Taken | null {
    const { rejected } = this.#context.topics;
    const records = taken.records.map((one) => one.topic === rejected ? withoutBytes(one) ?? one : one);
    if (records.some((one, i) => one !== taken.records[i])) return { ...taken, records };
    if (taken.isRejected) return null;
    const rejection = this.#rejectionOf(taken.head, reject("too-large", reason));
    return {
      ...taken,
      records: [this.#record(taken.head, rejection)],
      rejections: [rejection],
      isRejected: true,
    };
  }

  /** Counts what was appended. Logs the first rejection of each code and rule, without what the record contains. */
  count({ records, rejections }: Taken): void {
    this.#firstRejection ??= rejections[0];
    for (const rejection of rejections) {
      this.#rejectedCount += countOf(rejection);
      this.#first.tell(rejection);
    }
    const { events, items } = this.#context.topics;
    for (const { topic } of records) {
      if (topic === events) this.#events++;
      else if (topic === items) this.#items++;
    }
  }

  #headOf(record: LogRecord, read: ReadTime): Head | Promise<Head> {
    const { topic, partition, offset, value } = record;
    const wait = value === null ? undefined : this.#source.format.ready?.(value);
    if (wait === undefined) return this.#head(record, read);
    return wait.then(() => this.#head(record, read), (cause) => {
      const message = `Cannot read ${topic}/${partition} at ${offset}: ${reasonOf(cause)}`;
      throw new LogError("unreachable", message, { cause });
    });
  }

  #head(record: LogRecord, read: ReadTime): Head {
    const { topic, key, headers, value } = record;
    // A record arrives before it is read; brokers reject a whole batch when one time is ahead of theirs.
    const came = Math.min(record.time < MIN_TIME_MS ? Infinity : record.time, read.time);
    const cameAt = read.at - (read.time - came);
    // Experiment changes belong to the `events` of their own deployment only.
    const isPassed = this.#source.format.isOwn === true && headers[EXPERIMENT] !== undefined;
    const meta = { topic, key, headers, time: clamp(record.time) };
    const adapted = isPassed ? null : take(this.#source.format, value, meta);
    // A record without events and items has no time, and is taken as soon as it is the first of its partition.
    const times = adapted?.ok ? adapted.records.map(timeOf) : [];
    const time = times.length === 0 ? -Infinity : times.reduce((least, each) => Math.min(least, each), came);
    return { record, read, came, cameAt, adapted, time };
  }

  #reject(head: Head, why: Rejected): Taken {
    const rejections = [this.#rejectionOf(head, why)];
    return { topic: this, head, records: this.#recordsOf(head, rejections), rejections, isRejected: true };
  }

  #rejectionOf({ record: { topic, partition, offset, value } }: Head, why: Rejected): Rejection {
    const place = { topic, partition, offset, source: this.#source.format.name };
    return rejectionOf(place, why, value ?? new Uint8Array(0));
  }

  /** The records of rejections, as far as they are allowed. */
  #recordsOf(head: Head, rejections: readonly Rejection[]): readonly NewRecord[] {
    const kept = rejections.flatMap((rejection) => this.#allowance.keep(rejection) ?? []);
    if (kept.length < rejections.length) this.#tellSampling();
    return kept.map((rejection) => this.#record(head, rejection));
  }

  #record({ record: { key, headers }, came: time }: Head, rejection: Rejection): NewRecord {
    return {
      topic: this.#context.topics.rejected,
      partition: 0,
      key: rejectionKey(key),
      headers: sizeOf(headers) > MAX_HEADER_CHARACTERS ? {} : headers, // for a replay
      value: encodeRejection(rejection),
      time,
    };
  }

  /** Logs once that not all rejections are kept. */
  #tellSampling(): void {
    if (this.#isSampling) return;
    this.#isSampling = true;
    logger.error(
      "{source}: most of {topic} is rejected, so only a sample of that is kept: correct the mapping or the " +
        "producer, then follow the topic again as another source",
      { source: this.#source.format.name, topic: this.#source.topic },
    );
  }
}

type Own = Extract<MappedRecords, { readonly ok: true }>["records"][number];

function timeOf(own: Own): number {
  return own.kind === "event" ? own.event.time : own.item.time;
}

function sizeOf(headers: Readonly<Record<string, string>>): number {
  return Object.entries(headers).reduce((size, [name, value]) => size + name.length + value.length, 0);
}

/** The rejection of a record whose many events each repeat a large part of it. */
function rejectWide(records: number): Rejected {
  const wanted = `events and items of ${MAX_MAPPED_BYTES} bytes at most`;
  return reject("too-large", `Cannot map the record to ${wanted}: the ${records} that it becomes are larger`);
}

function rejectLate(ms: number, lateMs: number): Rejected {
  const wanted = `events of its source that are at most ${lateMs} ms older than the newest`;
  return reject("too-late", `Cannot take the record among ${wanted}: it is ${ms} ms older`);
}

function clamp(time: number): number {
  return Math.min(Math.max(time, MIN_TIME_MS), MAX_TIME_MS - 1);
}
