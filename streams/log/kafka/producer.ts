/**
 * Writes records so that none is lost or repeated: by themselves (idempotent), or together with group offsets, all or
 * nothing (transactional).
 *
 * A producer must not be used after its first failure other than `too-large`. It aborts its transaction then, if brokers
 * can be reached: to go on, it would have to reopen its transactional id, which could fence a rightful new owner. The owner of the id
 * opens another producer instead.
 */

import { ignore } from "../ignore.ts";
import { type GroupOffset, LogError } from "../log.ts";
import type { KafkaClient } from "./client.ts";
import { isPassing, isPassingForPartitions, kafkaType } from "./protocol/errors.ts";
import type { CompressionChoice } from "./protocol/codecs.ts";
import { protocolError } from "./protocol/patch.ts";
import { encodeBatch } from "./protocol/record_batch.ts";
import { type PlacedRecord, type Produce, produce, type Produced } from "./protocol/requests.ts";
import { LARGEST } from "./topics.ts";
import { openTransactions, type Transactions } from "./transactions.ts";

/** Maximum bytes of a batch for a topic, as {@linkcode sizeOf} counts. */
export type BatchBytesOf = (topic: string) => number;

/** Options of {@linkcode Producer.open}. */
export interface ProducerOptions {
  /** Makes it transactional, and fences any other with this id. @default {none} */
  readonly transactionalId?: string;
  /** Time after which the broker aborts the transaction of a dead owner, milliseconds. */
  readonly transactionTimeoutMs: number;
  /** How to compress. */
  readonly compression: CompressionChoice;
  /** Maximum size of a batch, unless a single record is larger. */
  readonly batchBytesOf: BatchBytesOf;
  /** How long to retry while a broker does not know a (new) topic, milliseconds. @default {as after other errors} */
  readonly unknownMs?: number;
}

const MAX_SEQUENCE = 2 ** 31;
const FENCED: ReadonlySet<string> = new Set([
  "INVALID_PRODUCER_EPOCH",
  "PRODUCER_FENCED",
  "INVALID_PRODUCER_ID_MAPPING",
]);

/** Whether a failure means that another producer with our transactional id was opened. */
export function isFenced(error: unknown): boolean {
  return FENCED.has(kafkaType(error) ?? "");
}

/** Records of one partition, with their indexes in the call. */
interface Part {
  readonly topic: string;
  readonly partition: number;
  readonly records: PlacedRecord[];
  readonly places: number[];
  bytes: number;
}

/** The outcome of a write. */
export interface Written {
  /** Offsets of the records; -1 for those that were not, or may not have been, written. */
  readonly offsets: readonly number[];
  /** Why some were not. */
  readonly failure?: unknown;
}

/** Identifies a producer to brokers. */
interface Identity {
  readonly producerId: string;
  readonly producerEpoch: number;
}

/**
 * Writes records; one call at a time. Of the failures, only a {@linkcode LogError} `too-large` leaves it usable.
 *
 * A batch that brokers refuse as too large is halved until the records that are too large by themselves are known: the
 * limit of a topic may be hidden from us, or have been lowered. Without a transaction a batch stays whole.
 */
export class Producer {
  readonly #client: KafkaClient;
  readonly #options: ProducerOptions;
  readonly #identity: () => Identity;
  /** Set when it has a transactional id. */
  readonly #transactions: Transactions | undefined;
  /** Records written to each partition, modulo 2^31. */
  readonly #sequences = new Map<string, number>();

  private constructor(
    client: KafkaClient,
    options: ProducerOptions,
    identity: () => Identity,
    transactions?: Transactions,
  ) {
    this.#client = client;
    this.#options = options;
    this.#identity = identity;
    this.#transactions = transactions;
  }

  /** Opens a producer; resolves once every earlier transaction of its id is over. */
  static async open(client: KafkaClient, options: ProducerOptions): Promise<Producer> {
    const { transactionalId, transactionTimeoutMs: transactionTimeout } = options;
    if (transactionalId !== undefined) {
      const transactions = await openTransactions(client, transactionalId, transactionTimeout);
      return new Producer(client, options, () => transactions.owner, transactions);
    }
    const identity = await client.retry(async () => {
      const broker = await client.any();
      return await broker.initProducerId({ transactionalId, transactionTimeout });
    });
    return new Producer(client, options, () => identity);
  }

  /** Appends records without a transaction and returns their offsets. Each batch is written all or nothing. */
  async write(records: readonly PlacedRecord[]): Promise<number[]> {
    return await this.#write(split(records, this.#options.batchBytesOf), records.length);
  }

  /** Like {@linkcode Producer.write}, but on a failure returns what was written: all other offsets are -1. */
  async tryWrite(records: readonly PlacedRecord[]): Promise<Written> {
    const offsets = new Array<number>(records.length).fill(-1);
    try {
      await this.#write(split(records, this.#options.batchBytesOf), records.length, offsets);
      return { offsets };
    } catch (failure) {
      return { offsets, failure };
    }
  }

  /** Whether {@linkcode Producer.write} writes these records all or nothing, because they fit in one batch. */
  static isOneBatch(records: readonly PlacedRecord[], batchBytesOf: BatchBytesOf): boolean {
    return split(records, batchBytesOf).length <= 1;
  }

  /**
   * Appends records and stores group offsets in one transaction; returns the records' offsets.
   *
   * @throws the brokers' errors; see {@linkcode isFenced}
   */
  async commit(
    records: readonly PlacedRecord[],
    group: string,
    offsets: readonly GroupOffset[],
  ): Promise<number[]> {
    const transactions = this.#transactions;
    if (transactions === undefined) throw new TypeError("Cannot commit: the producer is not transactional");
    if (records.length === 0 && offsets.length === 0) return [];
    try {
      const parts = split(records, this.#options.batchBytesOf);
      const write = async () => {
        await transactions.begin(parts, this.#passes());
        return await this.#write(parts, records.length);
      };
      // Both must end before an abort: a late arrival would begin another transaction.
      const [written, stored] = await Promise.allSettled([
        write(),
        offsets.length > 0 ? transactions.storeOffsets(group, offsets) : undefined,
      ]);
      if (stored.status === "rejected") throw stored.reason;
      if (written.status === "rejected") throw written.reason;
      await this.#client.retry(() => transactions.end(true));
      if (transactions.countsAnew) this.#sequences.clear();
      return written.value;
    } catch (error) {
      // Unblocks readers, which otherwise have to wait for the transaction's timeout.
      if (isTooLarge(error)) await this.abort();
      else if (!isFenced(error)) {
        await ignore(this.#client.once(() => transactions.end(false)), "the failure is thrown");
      }
      throw error;
    }
  }

  /** Writes records that no reader of committed records will see, and leaves the transaction open. */
  async writeUnseen(records: readonly PlacedRecord[]): Promise<number[]> {
    const parts = split(records, this.#options.batchBytesOf);
    await this.#transactions?.begin(parts, this.#passes());
    return await this.#write(parts, records.length);
  }

  /** Aborts the transaction of {@linkcode Producer.writeUnseen}. Its marker takes an offset in each partition. */
  async abort(): Promise<void> {
    const transactions = this.#transactions;
    if (transactions === undefined) throw new TypeError("Cannot abort: the producer is not transactional");
    await this.#client.retry(() => transactions.end(false));
    if (transactions.countsAnew) this.#sequences.clear();
  }

  /**
   * Writes the parts of a partition in order, and partitions in parallel.
   *
   * @param offsets receives written offsets
   * @throws LogError `too-large` naming the records that are, unless they are in a batch that must stay whole
   */
  async #write(
    parts: readonly Part[],
    count: number,
    offsets = new Array<number>(count).fill(-1),
  ): Promise<number[]> {
    const waiting = Map.groupBy(parts, placeOfPart);
    const refused: Part[] = [];
    for (;;) {
      const now = [...waiting.values()].flatMap((parts) => parts.shift() ?? []);
      if (now.length === 0) break;
      const batches = await Promise.all(now.map((part) => this.#encode(part)));
      const bases = new Map<string, number>();
      try {
        await this.#send(batches, bases);
      } finally {
        for (const part of now) this.#note(part, bases.get(placeOfPart(part)), offsets);
      }
      for (const part of now.filter((part) => !bases.has(placeOfPart(part)))) {
        if (this.#transactions === undefined || part.records.length === 1) refused.push(part);
        else waiting.get(placeOfPart(part))?.unshift(...halvesOf(part));
      }
    }
    if (refused.length > 0) throw refusedAsTooLarge(refused);
    return offsets;
  }

  /** Notes that a part was written. @param base offset of its first record; `undefined` = it was not */
  #note(part: Part, base: number | undefined, offsets: number[]): void {
    if (base === undefined) return;
    for (const [i, place] of part.places.entries()) offsets[place] = base + i;
    const key = placeOfPart(part);
    this.#sequences.set(key, ((this.#sequences.get(key) ?? 0) + part.records.length) % MAX_SEQUENCE);
  }

  async #encode(part: Part): Promise<Produce> {
    const { topic, partition, records } = part;
    const { producerId, producerEpoch } = this.#identity();
    const batch = await encodeBatch(
      records.map(({ record }) => record),
      { id: Number(producerId), epoch: producerEpoch, transactional: this.#transactions !== undefined },
      this.#sequences.get(placeOfPart(part)) ?? 0,
      this.#options.compression,
    );
    return { topic, partition, batch };
  }

  /** A test of whether a failure may be temporary; the time for unknown topics begins now. */
  #passes(): (error: unknown) => boolean {
    const until = performance.now() + (this.#options.unknownMs ?? Infinity);
    return (error) => isPassing(error) || isPassingForPartitions(error) && performance.now() < until;
  }

  /**
   * Sends each batch to its leader until it is written, or refused as too large; brokers drop repeats.
   *
   * @param bases receives the first offsets of those that were written
   */
  async #send(batches: readonly Produce[], bases: Map<string, number>): Promise<void> {
    let left = batches;
    const refused = new Set<string>();
    const passes = this.#passes();
    await this.#client.retry(async () => {
      const failures = await this.#sendOnce(left, bases, refused);
      left = left.filter((batch) => !bases.has(placeOfPart(batch)) && !refused.has(placeOfPart(batch)));
      const lasting = failures.find((error) => !passes(error));
      if (failures.length > 0) throw lasting ?? failures[0];
    }, passes);
  }

  /** Sends each batch to its leader. @returns failures other than refusals as too large */
  async #sendOnce(
    batches: readonly Produce[],
    bases: Map<string, number>,
    refused: Set<string>,
  ): Promise<readonly unknown[]> {
    const leaders = await Promise.all(
      batches.map(({ topic, partition }) => this.#client.leaderId(topic, partition)),
    );
    const perNode = Map.groupBy(
      batches.map((batch, i) => ({ batch, node: leaders[i] ?? -1 })),
      (b) => b.node,
    );
    const results = await Promise.allSettled([...perNode].map(async ([node, sent]) => {
      const broker = await this.#client.node(node);
      const parts = sent.map(({ batch }) => batch);
      return await (this.#transactions?.produce(broker, parts) ?? produce(broker, null, parts));
    }));
    const failures: unknown[] = [];
    const note = (part: Produced) => {
      const { topic, partition, errorCode, offset } = part;
      if (errorCode === 0) bases.set(placeOfPart(part), offset);
      else if (TOO_LARGE.has(kafkaType(protocolError(errorCode)) ?? "")) refused.add(placeOfPart(part));
      else failures.push(producedError(errorCode, topic, partition));
    };
    for (const result of results) {
      if (result.status === "rejected") failures.push(result.reason);
      else result.value.forEach(note);
    }
    return failures;
  }
}

const TOO_LARGE: ReadonlySet<string> = new Set(["MESSAGE_TOO_LARGE", "RECORD_LIST_TOO_LARGE"]);

/** Errors that another producer would get as well. A time ahead of the broker's and a missing right may pass. */
const LASTING: ReadonlySet<string> = new Set([
  ...TOO_LARGE,
  "UNSUPPORTED_FOR_MESSAGE_FORMAT",
  "POLICY_VIOLATION",
  "UNSUPPORTED_COMPRESSION_TYPE",
  "INVALID_RECORD",
]);

/** Whether brokers refuse the records themselves, whoever writes them. */
export function isRefused(error: unknown): boolean {
  return isTooLarge(error) || LASTING.has(kafkaType(error) ?? "");
}

/** Whether records are larger than their topic takes. */
export function isTooLarge(error: unknown): error is LogError {
  return error instanceof LogError && error.code === "too-large";
}

/** The error for parts that brokers refuse; names their records if each is alone. */
function refusedAsTooLarge(parts: readonly Part[]): LogError {
  const records = parts.every(({ places }) => places.length === 1)
    ? parts.flatMap(({ places }) => places)
    : [];
  const message = `Cannot append to ${parts[0]?.topic}: brokers refuse records as large as that (${LARGEST})`;
  return new LogError("too-large", message, { records: records.toSorted((a, b) => a - b) });
}

/** The error for a rejected batch; has kafkajs' name if brokers may accept the batch from another producer. */
export function producedError(code: number, topic: string, partition: number): Error {
  const cause = protocolError(code);
  const message = `Cannot append to ${topic}/${partition}: ${cause.message}`;
  const error = new Error(message, { cause });
  if (!LASTING.has(kafkaType(cause) ?? "")) error.name = cause.name;
  return error;
}

/** Splits records by partition and then into batches, in order. */
function split(records: readonly PlacedRecord[], batchBytesOf: BatchBytesOf): Part[] {
  const parts: Part[] = [];
  const open = new Map<string, Part>();
  for (const [place, placed] of records.entries()) {
    const { record: { topic }, partition } = placed;
    const bytes = sizeOf([placed]);
    const key = placeOfPart({ topic, partition });
    let part = open.get(key);
    if (part === undefined || part.bytes + bytes > batchBytesOf(topic)) {
      part = { topic, partition, records: [], places: [], bytes: 0 };
      open.set(key, part);
      parts.push(part);
    }
    part.records.push(placed);
    part.places.push(place);
    part.bytes += bytes;
  }
  return parts;
}

function placeOfPart({ topic, partition }: Pick<Part, "topic" | "partition">): string {
  return `${topic}/${partition}`;
}

function halvesOf(part: Part): Part[] {
  const half = part.records.length >> 1;
  return [[0, half], [half, part.records.length]].map(([from, to]) => {
    const records = part.records.slice(from, to);
    return { ...part, records, places: part.places.slice(from, to), bytes: sizeOf(records) };
  });
}

/** Maximum bytes that a UTF-16 unit of a text takes. */
const CHARACTER_BYTES = 3;

/** An upper bound of the bytes that records take. */
export function sizeOf(records: readonly PlacedRecord[]): number {
  let bytes = 0;
  for (const { record: { key, value, headers } } of records) {
    bytes += 32 + CHARACTER_BYTES * (key?.length ?? 0) + (value?.length ?? 0);
    for (const name in headers) bytes += CHARACTER_BYTES * (name.length + (headers[name]?.length ?? 0)) + 8;
  }
  return bytes;
}
