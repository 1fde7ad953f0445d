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

/** Bytes of a batch, unless its topic takes less. A single record may be larger, up to what the topic takes. */
export const BATCH_BYTES = 900_000;
/** Bytes of a batch beside its records. */
const BATCH_HEAD_BYTES = 64;
/** What compression may add to bytes that it cannot make fewer. */
const GROWTH = 1.02;

/** Bytes of records that fit a message for certain. @param message most bytes of a message */
export function fittingBytes(message: number): number {
  return Math.min(BATCH_BYTES, (message - BATCH_HEAD_BYTES) / GROWTH);
}

/** The indexes of records that are larger than a message may be, compressed. @param largestOf bytes of a topic's message */
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
  /** How much of a batch it fills. */
  readonly share: number;
  readonly resolve: (offsets: number[]) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Appends with a producer that is opened on demand. Appends that arrive while one is in progress go together in the
 * next, up to a batch, so that what fits one batch stays one. If brokers refuse what has gone together, each goes alone:
 * a record that is too large harms no others.
 */
export class Appender {
  readonly #open: () => Promise<Producer>;
  readonly #batchBytesOf: BatchBytesOf;
  readonly #send: (producer: Producer, records: readonly PlacedRecord[]) => Promise<Written>;
  readonly #pending: PendingAppend[] = [];
  /** Those that go alone. */
  readonly #apart: PendingAppend[] = [];
  #producer: Promise<Producer> | undefined;
  #isSending = false;

  /**
   * @param open opens a producer: at first, and after a failure
   * @param send appends with it
   * @param batchBytesOf as of the producer
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
    if (failure !== undefined) this.#producer = undefined; // a producer is good until its first failure
    let start = 0;
    for (const one of sent) {
      const own = offsets.slice(start, start += one.records.length);
      if (own.length === one.records.length && own.every((offset) => offset >= 0)) one.resolve(own);
      else if (sent.length > 1 && isRefused(failure)) this.#apart.push(one);
      else one.reject(failure);
    }
  }
}
