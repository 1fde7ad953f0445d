/** The two ways to write to the Kafka log, commits and appends, and where their records are placed. */

import { InTurn } from "../in_turn.ts";
import { placeOf } from "../checks.ts";
import { type Commit, LogError, type NewRecord, type TopicSpec, type Writer } from "../log.ts";
import {
  type BatchBytesOf,
  isFenced,
  isRefused,
  isTooLarge,
  type Producer,
  sizeOf,
  type Written,
} from "./producer.ts";
import type { CompressionChoice } from "./protocol/codecs.ts";
import { encodeBatch } from "./protocol/record_batch.ts";
import type { PlacedRecord } from "./protocol/requests.ts";
import { type KafkaTopics, LARGEST } from "./topics.ts";

/** Maximum bytes of a batch, unless the topic's limit is lower. A single record may be larger, up to that limit. */
export const BATCH_BYTES = 900_000;
/** Bytes of a batch in addition to its records. */
const BATCH_HEAD_BYTES = 64;
/** Factor by which compression may enlarge bytes that it cannot compress. */
const GROWTH = 1.02;

/**
 * How far ahead of our clock a record's time may be: brokers refuse a write with a time more than an hour ahead of
 * theirs, today and after every restart.
 */
const MAX_AHEAD_MS = 3_300_000;

/** Bytes of records that are sure to fit in a message. @param message maximum bytes of a message */
export function fittingBytes(message: number): number {
  return Math.min(BATCH_BYTES, (message - BATCH_HEAD_BYTES) / GROWTH);
}

/** Assigns partitions to new records, and refuses records that are too large for their topics. */
export class RecordPlacer {
  readonly #topics: KafkaTopics;
  readonly #compression: CompressionChoice;

  constructor(topics: KafkaTopics, compression: CompressionChoice) {
    this.#topics = topics;
    this.#compression = compression;
  }

  /** @throws LogError `too-large` naming the records that are larger than their topics' current limits */
  async place(records: readonly NewRecord[]): Promise<PlacedRecord[]> {
    const placed = await this.#placed(records);
    const [first] = await this.#tooLarge(placed);
    if (first === undefined) return placed;
    const topics = new Set(records.map(({ topic }) => topic));
    for (const topic of topics) this.#topics.forget(topic);
    for (const topic of topics) await this.#topics.spec(topic);
    const large = await this.#tooLarge(placed);
    const topic = records[large[0] ?? -1]?.topic;
    if (topic === undefined) return placed;
    throw new LogError(
      "too-large",
      `Cannot append to ${topic}: records are limited to ${this.#topics.largest(topic)} bytes (${LARGEST})`,
      { records: large },
    );
  }

  async #placed(records: readonly NewRecord[]): Promise<PlacedRecord[]> {
    const specs = new Map<string, TopicSpec>();
    for (const { topic } of records) {
      if (!specs.has(topic)) specs.set(topic, await this.#topics.spec(topic));
    }
    const latest = Date.now() + MAX_AHEAD_MS;
    return records.flatMap((record) => {
      const spec = specs.get(record.topic);
      if (spec === undefined) return [];
      const partition = placeOf(record, spec);
      return { record: record.time > latest ? { ...record, time: latest } : record, partition };
    });
  }

  /** Indexes of records that are too large even when compressed. */
  async #tooLarge(records: readonly PlacedRecord[]): Promise<number[]> {
    const found: number[] = [];
    for (const [index, placed] of records.entries()) {
      const { record } = placed;
      const largest = this.#topics.largest(record.topic);
      if (sizeOf([placed]) <= fittingBytes(largest) || largest === Infinity) continue;
      const none = { id: 0, epoch: 0, transactional: false };
      const batch = await encodeBatch([record], none, 0, this.#compression);
      if (batch.length > largest) found.push(index);
    }
    return found;
  }
}

/** A writer over a transactional producer. */
export class KafkaWriter implements Writer {
  readonly id: string;
  readonly #prepare: (commit: Commit) => Promise<() => Promise<readonly number[]>>;
  readonly #close: () => Promise<void>;
  /** Why it no longer commits. */
  #failure: LogError | undefined;
  readonly #commits = new InTurn();

  /**
   * @param prepare checks a commit and returns a function that carries it out
   * @param close closes its connections
   */
  constructor(
    id: string,
    prepare: (commit: Commit) => Promise<() => Promise<readonly number[]>>,
    close: () => Promise<void>,
  ) {
    this.id = id;
    this.#prepare = prepare;
    this.#close = close;
  }

  commit(commit: Commit): Promise<readonly number[]> {
    return this.#commits.run(() => this.#commit(commit));
  }

  async #commit(commit: Commit): Promise<readonly number[]> {
    const carryOut = await this.#prepare(commit);
    if (this.#failure !== undefined) throw this.#failure;
    try {
      return await carryOut();
    } catch (cause) {
      if (isTooLarge(cause)) throw cause;
      const message = `Cannot commit with writer ${this.id}`;
      if (isFenced(cause)) throw this.#failure = fencedError(message, cause);
      this.#failure = new LogError("closed", `${message}: an earlier commit has failed`, { cause });
      throw cause instanceof LogError
        ? new LogError(cause.code, `${message}: ${cause.message}`, { cause })
        : cause;
    }
  }

  /** Refuses every later commit. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#commits.run(() => Promise.resolve());
    this.#failure ??= new LogError("closed", `Cannot commit with writer ${this.id}: it is closed`);
    await this.#close();
  }
}

/** The error of a fenced owner, from the failure of its producer. */
export function fencedError(message: string, cause: unknown): LogError {
  const why =
    "another writer with its id was opened, or a transaction outlasted transactionTimeoutMs and was aborted";
  return new LogError("fenced", `${message}: ${why}`, { cause });
}

/** An append that waits for its turn. */
interface PendingAppend {
  readonly records: readonly PlacedRecord[];
  /** Share of a batch that it fills. */
  readonly share: number;
  readonly resolve: (offsets: number[]) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Appends with a producer that is opened on demand. Appends that arrive while one is in progress are sent together
 * next, up to a full batch, so that what fits in one batch stays in one. If brokers refuse appends that were sent
 * together, each is sent again alone, so that a record that is too large harms no others.
 */
export class Appender {
  readonly #open: () => Promise<Producer>;
  readonly #batchBytesOf: BatchBytesOf;
  readonly #send: (producer: Producer, records: readonly PlacedRecord[]) => Promise<Written>;
  readonly #pending: PendingAppend[] = [];
  /** Appends to send again alone. */
  readonly #apart: PendingAppend[] = [];
  #producer: Promise<Producer> | undefined;
  #isSending = false;

  /**
   * @param open opens a producer: at first, and after each failure
   * @param send appends with a producer
   * @param batchBytesOf the same as the producer's
   */
  constructor(
    open: () => Promise<Producer>,
    send: (producer: Producer, records: readonly PlacedRecord[]) => Promise<Written>,
    batchBytesOf: BatchBytesOf,
  ) {
    this.#open = open;
    this.#batchBytesOf = batchBytesOf;
    this.#send = send;
  }

  /** Appends records and returns their offsets. */
  append(records: readonly PlacedRecord[]): Promise<number[]> {
    const { promise, resolve, reject } = Promise.withResolvers<number[]>();
    const share = records.reduce((sum, one) => sum + sizeOf([one]) / this.#batchBytesOf(one.record.topic), 0);
    this.#pending.push({ records, share, resolve, reject });
    if (!this.#isSending) this.#sendAll();
    return promise;
  }

  async #sendAll(): Promise<void> {
    this.#isSending = true;
    for (let sent = this.#next(); sent.length > 0; sent = this.#next()) {
      const records = sent.flatMap(({ records }) => records);
      let written: Written;
      try {
        written = await this.#send(await (this.#producer ??= this.#open()), records);
      } catch (failure) {
        written = { offsets: [], failure };
      }
      this.#settle(sent, written);
    }
    this.#isSending = false;
  }

  #next(): PendingAppend[] {
    const apart = this.#apart.shift();
    if (apart !== undefined) return [apart];
    let filled = 0;
    const beyond = this.#pending.findIndex(({ share }, i) => (filled += share) > 1 && i > 0);
    return this.#pending.splice(0, beyond < 0 ? Infinity : beyond);
  }

  #settle(sent: readonly PendingAppend[], { offsets, failure }: Written): void {
    if (failure !== undefined && !isTooLarge(failure)) this.#producer = undefined; // it must not be used any more
    let start = 0;
    for (const one of sent) {
      const own = offsets.slice(start, start += one.records.length);
      if (own.length === one.records.length && own.every((offset) => offset >= 0)) one.resolve(own);
      else if (sent.length > 1 && isRefused(failure)) this.#apart.push(one);
      else one.reject(failure);
    }
  }
}
