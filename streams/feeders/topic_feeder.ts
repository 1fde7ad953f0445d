/**
 * Feeds a topic of another system into a deployment, resumably: records and the position in that topic are committed
 * together, so a restarted feeder skips exactly the records already appended. The topic may have any keys and may gain
 * partitions: each event goes to its user's partition.
 *
 * @module
 */

import { getLogger } from "@logtape/logtape";
import { reject, type Rejected } from "../../src/events/rejected.ts";
import { encodeRejection, type Rejection, rejectionKey, rejectionOf } from "../../src/events/rejection.ts";
import { MAX_TIME_MS, MIN_TIME_MS } from "../../src/events/limits.ts";
import { feederGroup, feederId } from "./feeder.ts";
import { EXPERIMENT } from "../experiments/record.ts";
import { feederPosition, positionRecord, type TopicPosition } from "../topics/feeder_position.ts";
import {
  type Bounds,
  type Log,
  LogError,
  type LogRecord,
  type NewRecord,
  type TopicIdentity,
  type Writer,
} from "../log/log.ts";
import { changeOf } from "../task/inputs/position.ts";
import { formatAdapter, type JsonFormat, type RecordAdapter } from "../sources/adapters.ts";
import { newRecord } from "../topics/own_records.ts";
import type { Topics } from "../topics/topics.ts";

/** Most bytes of what one record becomes: some of it may be in each of many events. */
const MAX_MAPPED_BYTES = 8 << 20;

/** Most characters of headers that are kept with a rejected record. */
const MAX_HEADER_CHARACTERS = 4096;

const logger = getLogger(["meander", "feeder"]);

/** The topic that a {@linkcode TopicFeeder} reads. */
export interface ForeignTopic {
  /** The log that holds it: the deployment's own or another. */
  readonly log: Log;
  /** Name of the topic. */
  readonly topic: string;
  /** Format of its records, or what makes events and items of them. */
  readonly format: JsonFormat | RecordAdapter;
}

/** Options of a {@linkcode TopicFeeder}. */
export interface TopicFeederOptions {
  /** Name under which the position is kept. @default {format and topic} */
  readonly name?: string;
  /** Records of the topic per commit. @default {1000} */
  readonly batch?: number;
  /** Where to start when no position is stored. @default {"earliest"} */
  readonly start?: "earliest" | "latest";
  /** Wall clock, milliseconds since the epoch. Record times are capped at it. @default {Date.now} */
  readonly now?: () => number;
}

/**
 * Appends a topic of any number of partitions to `events`, `items` and `rejected`.
 *
 * The order within a partition is kept. Across partitions, the record with the oldest time goes first, so that a
 * partition with a backlog does not make the others late.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { MemoryLog, topicNames } from "@meander/meander";
 * import { TopicFeeder, topicSpecs } from "@meander/meander/log";
 *
 * const topics = topicNames();
 * await using log = new MemoryLog();
 * await log.createTopics([...topicSpecs(topics, 1), { name: "clicks", partitions: 1, cleanup: "delete" }]);
 * const time = Date.now();
 * const click = { type: "interaction", user: "ann", item: "tent", action: "click", time };
 * const value = new TextEncoder().encode(JSON.stringify(click));
 * await log.append([{ topic: "clicks", key: null, value, time }]);
 *
 * await using feeder = await TopicFeeder.open(log, topics, { log, topic: "clicks", format: "meander" });
 * assert.equal(await feeder.feed(), 1);
 * assert.equal(feeder.events, 1);
 * ```
 */
export class TopicFeeder implements AsyncDisposable {
  readonly #source: ForeignTopic;
  readonly #adapter: RecordAdapter;
  readonly #log: Log;
  readonly #topics: Topics;
  readonly #writer: Writer;
  readonly #group: string;
  readonly #identity: TopicIdentity;
  readonly #batch: number;
  readonly #now: () => number;
  readonly #partitions: readonly SourcePartition[];
  #events = 0;
  #items = 0;
  #rejected = 0;
  #firstRejection: Rejection | undefined;

  private constructor(
    source: ForeignTopic,
    log: Log,
    topics: Topics,
    writer: Writer,
    group: string,
    identity: TopicIdentity,
    { batch = 1000, now = Date.now }: TopicFeederOptions,
    partitions: readonly SourcePartition[],
  ) {
    this.#source = source;
    this.#adapter = adapterOf(source);
    this.#log = log;
    this.#topics = topics;
    this.#writer = writer;
    this.#group = group;
    this.#identity = identity;
    this.#batch = batch;
    this.#now = now;
    this.#partitions = partitions;
  }

  /**
   * Opens a feeder that fences the previous one of this name and resumes from its position. Partitions added since are
   * fed from their start.
   *
   * @throws Error when the topic does not exist
   * @throws LogError `topic-mismatch` when it is not the topic that was fed before
   */
  static async open(
    log: Log,
    topics: Topics,
    source: ForeignTopic,
    options: TopicFeederOptions = {},
  ): Promise<TopicFeeder> {
    const { name = `${adapterOf(source).name}:${source.topic}`, start = "earliest" } = options;
    const identity = await source.log.identify(source.topic);
    if (identity === null) {
      throw new Error(`Cannot feed topic ${source.topic}: it does not exist, or is hidden from us`);
    }
    await using opened = new AsyncDisposableStack();
    const writer = opened.use(await log.writer(feederId(topics, name)));
    const own = await feederPosition<TopicPosition>(log, topics, writer.id);
    const change = own && changeOf(source.topic, { ...identity, id: own.id }, identity);
    if (change) throw anotherTopic(source.topic, name, change);
    const group = feederGroup(topics, name);
    const before = own?.next ?? await committedBefore(log, topics, source, group, identity.partitions);
    const partitions: SourcePartition[] = [];
    for (let partition = 0; partition < identity.partitions; partition++) {
      const bounds = await source.log.bounds(source.topic, partition);
      const first = start === "latest" && before.length === 0 ? bounds.end : bounds.start;
      const next = before[partition] ?? first;
      checkEnd(source.topic, partition, next, bounds);
      partitions.push(new SourcePartition(source, partition, next));
    }
    const feeder = new TopicFeeder(source, log, topics, writer, group, identity, options, partitions);
    // Otherwise a restart before the first record would start at a later end.
    if (start === "latest" && before.length === 0) await feeder.#commit([]);
    opened.move();
    return feeder;
  }

  /** Events appended by this feeder. */
  get events(): number {
    return this.#events;
  }

  /** Items appended by this feeder. */
  get items(): number {
    return this.#items;
  }

  /** Records rejected by this feeder. */
  get rejected(): number {
    return this.#rejected;
  }

  /** The first rejection. */
  get firstRejection(): Rejection | undefined {
    return this.#firstRejection;
  }

  /** Offsets that the topic dropped before they were fed. */
  get skipped(): number {
    return this.#partitions.reduce((sum, { skipped }) => sum + skipped, 0);
  }

  /**
   * Checks that the topic is still the one this feeder opened.
   *
   * @throws LogError `topic-mismatch` when it is not
   * @throws LogError `closed` when it has gained partitions: open a new feeder
   */
  async check(): Promise<void> {
    const { log, topic } = this.#source;
    const now = await log.identify(topic);
    const change = changeOf(topic, this.#identity, now);
    if (change === null) return;
    if (now === null || now.id !== this.#identity.id) throw anotherTopic(topic, this.#group, change);
    throw new LogError(
      "closed",
      `${topic} has ${now.partitions} partitions now, not ${this.#identity.partitions}`,
    );
  }

  /** Offsets of the topic not fed yet, including gaps. */
  async lag(): Promise<number> {
    const { log, topic } = this.#source;
    let lag = 0;
    for (const { partition, next } of this.#partitions) {
      lag += Math.max(0, (await log.bounds(topic, partition)).end - next);
    }
    return lag;
  }

  /**
   * Appends the next batch.
   *
   * @param options `waitMs`: how long to wait for a first record; `signal`: ends the wait, and the feed rejects
   * @returns Number of records read from the topic; 0 = none left for now.
   */
  async feed(options: { readonly waitMs?: number; readonly signal?: AbortSignal } = {}): Promise<number> {
    const { waitMs = 0, signal } = options;
    const batch: NewRecord[] = [];
    let taken = 0;
    await Promise.all(this.#partitions.map((partition) => partition.fill()));
    if (waitMs > 0 && this.#partitions.every(({ head }) => head === undefined)) {
      await this.#wait(waitMs, signal);
    }
    for (; taken < this.#batch; taken++) {
      const oldest = this.#oldest();
      const record = oldest?.head;
      if (oldest === undefined || record === undefined) break;
      const wait = record.value === null ? undefined : this.#adapter.ready?.(record.value);
      if (wait !== undefined) await wait;
      batch.push(...this.#adapt(record));
      oldest.take();
      if (oldest.head === undefined) await oldest.fill();
    }
    if (taken > 0) await this.#commit(batch);
    return taken;
  }

  /** Releases the name. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writer[Symbol.asyncDispose]();
  }

  #oldest(): SourcePartition | undefined {
    let oldest: SourcePartition | undefined;
    for (const partition of this.#partitions) {
      if (partition.head === undefined) continue;
      if (oldest?.head === undefined || partition.head.time < oldest.head.time) oldest = partition;
    }
    return oldest;
  }

  /** Waits until a partition has a record. */
  async #wait(waitMs: number, signal: AbortSignal | undefined): Promise<void> {
    const enough = new AbortController();
    const ends = signal === undefined ? enough.signal : AbortSignal.any([signal, enough.signal]);
    const waits = this.#partitions.map((partition) => partition.fill(waitMs, ends));
    try {
      await Promise.race(waits);
    } finally {
      enough.abort();
      await Promise.allSettled(waits);
    }
  }

  async #commit(records: readonly NewRecord[]): Promise<void> {
    const { log, topic } = this.#source;
    const next = this.#partitions.map((partition) => partition.next);
    // Lets tools show the lag when both topics are on the same log.
    const offsets = log === this.#log ? next.map((offset, partition) => ({ topic, partition, offset })) : [];
    const position = positionRecord(this.#topics, this.#writer.id, { id: this.#identity.id, next });
    await this.#writer.commit({ records: [...records, position], group: this.#group, offsets });
  }

  #adapt(record: LogRecord): readonly NewRecord[] {
    const { topic, key, value, time, headers } = record;
    if (value === null) return []; // a tombstone of a compacted topic
    // Experiment changes belong to the `events` of their own deployment only.
    if (this.#adapter.name === "meander" && headers[EXPERIMENT] !== undefined) return [];
    // Brokers reject a whole batch when one time is ahead of theirs.
    const came = Math.min(time < MIN_TIME_MS ? Infinity : time, this.#now());
    const adapted = this.#adapter.adapt(value, { topic, key, headers, time: clamp(time) });
    if (!adapted.ok) return [this.#reject(record, adapted, came)];
    const records: NewRecord[] = [];
    let size = 0;
    for (const own of adapted.records) {
      const ownTime = own.kind === "event" ? own.event.time : own.item.time;
      const one = newRecord(this.#topics, own, Math.min(ownTime, came));
      if ("ok" in one) return [this.#reject(record, one, came)];
      size += one.value?.length ?? 0;
      if (size > MAX_MAPPED_BYTES) return [this.#reject(record, rejectWide(adapted.records.length), came)];
      records.push(one);
    }
    const events = adapted.records.filter(({ kind }) => kind === "event").length;
    this.#events += events;
    this.#items += records.length - events;
    return records;
  }

  #reject(
    { topic, partition, offset, key, value, headers }: LogRecord,
    rejected: Rejected,
    time: number,
  ): NewRecord {
    const place = { topic, partition, offset, source: this.#adapter.name };
    const rejection = rejectionOf(place, rejected, value ?? new Uint8Array(0));
    if (this.#rejected++ === 0) this.#firstRejection = rejection;
    return {
      topic: this.#topics.rejected,
      partition: 0,
      key: rejectionKey(key),
      headers: sizeOf(headers) > MAX_HEADER_CHARACTERS ? {} : headers, // for a replay
      value: encodeRejection(rejection),
      time,
    };
  }
}

function sizeOf(headers: Readonly<Record<string, string>>): number {
  return Object.entries(headers).reduce((size, [name, value]) => size + name.length + value.length, 0);
}

function adapterOf({ format }: ForeignTopic): RecordAdapter {
  return typeof format === "string" ? formatAdapter(format) : format;
}

/** A record becomes so many events that each have so much of it. */
function rejectWide(records: number): Rejected {
  const wanted = `events and items of ${MAX_MAPPED_BYTES} bytes at most`;
  return reject("too-large", `Cannot map the record to ${wanted}: the ${records} that it has are larger`);
}

function anotherTopic(topic: string, name: string, { message }: LogError): LogError {
  const way = "feed the new one under another --name, or another --prefix";
  return new LogError("topic-mismatch", `Cannot feed ${topic} as ${name}: ${message.split("; ")[0]}; ${way}`);
}

/** @throws LogError `topic-mismatch` when a topic ends before the position of its feeder */
function checkEnd(topic: string, partition: number, next: number, { end }: Bounds): void {
  if (next <= end) return;
  throw new LogError(
    "topic-mismatch",
    `Cannot feed ${topic}/${partition} from ${next}, up to which it was fed: it ends at ${end}; it is another topic, or ` +
      "has lost its end: feed it under another --name",
  );
}

/** Offsets committed to the group, where earlier releases kept the position. */
async function committedBefore(
  log: Log,
  { events }: Topics,
  source: ForeignTopic,
  group: string,
  partitions: number,
): Promise<readonly number[]> {
  const topic = source.log === log ? source.topic : `${events}-from-${source.topic}`;
  const known = (await log.identify(topic))?.partitions ?? 0;
  const next: number[] = [];
  for (let partition = 0; partition < Math.min(known, partitions); partition++) {
    const committed = await log.committed(group, topic, partition);
    if (committed !== null) next[partition] = committed;
  }
  return next;
}

/** A partition of the foreign topic, read ahead. */
class SourcePartition {
  readonly partition: number;
  readonly #source: ForeignTopic;
  /** Records read; those from `#at` on are not taken yet. */
  #records: readonly LogRecord[] = [];
  #at = 0;
  /** Offset to read next from the log. */
  #readTo: number;
  /** Offset after the last record taken. */
  #next: number;
  #skipped = 0;

  constructor(source: ForeignTopic, partition: number, next: number) {
    this.#source = source;
    this.partition = partition;
    this.#readTo = this.#next = next;
  }

  /** Offset after the last record taken: the position to commit. */
  get next(): number {
    return this.#next;
  }

  /** Offsets that the topic dropped before they were read. */
  get skipped(): number {
    return this.#skipped;
  }

  /** The next record, if one is buffered. */
  get head(): LogRecord | undefined {
    return this.#records[this.#at];
  }

  /** Removes the head. */
  take(): void {
    const { head } = this;
    if (head === undefined) return;
    this.#at++;
    this.#next = this.head === undefined ? this.#readTo : head.offset + 1;
  }

  /** Reads more records when there is no head. */
  async fill(waitMs = 0, signal?: AbortSignal): Promise<void> {
    if (this.head !== undefined) return;
    const { log, topic } = this.#source;
    const options = { maxRecords: 1000, maxBytes: 1 << 20, waitMs, signal };
    const from = this.#readTo;
    const { records, next, dropped = 0 } = await log.read(topic, this.partition, from, options);
    if (dropped > 0) {
      this.#skipped += dropped;
      const last = from + dropped - 1;
      const values = { topic, partition: this.partition, count: dropped, from, last };
      logger.error(
        "{topic}/{partition} has dropped {count} offsets before they were fed, {from} to {last}",
        values,
      );
    }
    [this.#records, this.#at, this.#readTo] = [records, 0, next];
    if (records.length === 0) this.#next = next; // past a gap
  }
}

function clamp(time: number): number {
  return Math.min(Math.max(time, MIN_TIME_MS), MAX_TIME_MS - 1);
}
