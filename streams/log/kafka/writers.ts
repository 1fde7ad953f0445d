/**
 * The two ways to write to the Kafka log: commits of a writer, and appends.
 *
 * @module
 */

import { InTurn } from "../in_turn.ts";
import { type Commit, LogError, type Writer } from "../log.ts";
import { type BatchBytesOf, isFenced, isRefused, type Producer, sizeOf, type Written } from "./producer.ts";
import type { CompressionChoice } from "./protocol/codecs.ts";
import { encodeBatch } from "./protocol/record_batch.ts";
import type { PlacedRecord } from "./protocol/requests.ts";

/** Maximum bytes of a batch, unless the topic's limit is lower. A single record may be larger, up to that limit. */
export const BATCH_BYTES = 900_000;
/** Bytes of a batch in addition to its records. */
const BATCH_HEAD_BYTES = 64;
/** Factor by which compression may enlarge bytes that it cannot compress. */
const GROWTH = 1.02;

/** Bytes of records that are sure to fit in a message. @param message maximum bytes of a message */
export function fittingBytes(message: number): number {
  return Math.min(BATCH_BYTES, (message - BATCH_HEAD_BYTES) / GROWTH);
}

/** Indexes of records that are too large even when compressed. @param largestOf maximum bytes of a topic's messages */
export async function tooLarge(
  records: readonly PlacedRecord[],
  largestOf: (topic: string) => number,
  compression: CompressionChoice,
): Promise<number[]> {
  const found: number[] = [];
  for (const [index, placed] of records.entries()) {
    const { record } = placed;
    const largest = largestOf(record.topic);
    if (sizeOf([placed]) <= fittingBytes(largest) || largest === Infinity) continue;
    const batch = await encodeBatch([record], { id: 0, epoch: 0, transactional: false }, 0, compression);
    if (batch.length > largest) found.push(index);
  }
  return found;
}

/** A writer over a transactional producer. */
export class KafkaWriter implements Writer {
  /** See {@linkcode Writer.id}. */
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

  /** See {@linkcode Writer.commit}. */
  commit(commit: Commit): Promise<readonly number[]> {
    return this.#commits.run(() => this.#commit(commit));
  }

  async #commit(commit: Commit): Promise<readonly number[]> {
    const carryOut = await this.#prepare(commit);
    if (this.#failure !== undefined) throw this.#failure;
    try {
      return await carryOut();
    } catch (cause) {
      const message = `Cannot commit with writer ${this.id}`;
      if (isFenced(cause)) {
        this.#failure = new LogError("fenced", `${message}: another writer with its id was opened`, {
          cause,
        });
        throw this.#failure;
      }
      this.#failure = new LogError("closed", `${message}: an earlier commit has failed`, { cause });
      throw cause;
    }
  }

  /** Refuses every later commit. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#commits.run(() => Promise.resolve());
    this.#failure ??= new LogError("closed", `Cannot commit with writer ${this.id}: it is closed`);
    await this.#close();
  }
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

  /** The appends to send next. */
  #next(): PendingAppend[] {
    const apart = this.#apart.shift();
    if (apart !== undefined) return [apart];
    let filled = 0;
    const beyond = this.#pending.findIndex(({ share }, i) => (filled += share) > 1 && i > 0);
    return this.#pending.splice(0, beyond < 0 ? Infinity : beyond);
  }

  #settle(sent: readonly PendingAppend[], { offsets, failure }: Written): void {
    if (failure !== undefined) this.#producer = undefined; // a producer must not be used after a failure
    let start = 0;
    for (const one of sent) {
      const own = offsets.slice(start, start += one.records.length);
      if (own.length === one.records.length && own.every((offset) => offset >= 0)) one.resolve(own);
      else if (sent.length > 1 && isRefused(failure)) this.#apart.push(one);
      else one.reject(failure);
    }
  }
}
