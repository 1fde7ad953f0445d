/** What a log on Kafka writes: appends and commits, each over connections of its own. */

import { reasonOf } from "../../../src/values/reason.ts";
import { checkOffset } from "../checks.ts";
import { type Commit, LogError, type NewRecord, type Place, type Writer } from "../log.ts";
import type { KafkaClient } from "./client.ts";
import { isDenied, isUnknownTopic, logErrorOf } from "./protocol/errors.ts";
import type { KafkaLogSettings } from "./options.ts";
import { isFenced, isTooLarge, Producer, type ProducerOptions } from "./producer.ts";
import type { PlacedRecord } from "./protocol/requests.ts";
import { OwnEnds } from "./reading/own_ends.ts";
import type { KafkaTopics } from "./topics.ts";
import { Appender, fencedError, fittingBytes, KafkaWriter, RecordPlacer } from "./writers.ts";

/** How long an append to a topic that no broker knows waits: brokers know a new topic within a second. */
const UNKNOWN_MS = 5000;

export class KafkaWrites implements AsyncDisposable {
  /** How far our own writes reach. */
  readonly ownEnds: OwnEnds = new OwnEnds();
  readonly #newClient: () => KafkaClient;
  readonly #topics: KafkaTopics;
  readonly #options: KafkaLogSettings;
  readonly #placer: RecordPlacer;
  readonly #appends: KafkaClient;
  /** Connections of open writers. */
  readonly #writers = new Set<KafkaClient>();
  /** Writes in progress. */
  readonly #writes = new Set<Promise<unknown>>();
  /** By the topics that they append to, so that none waits for another. */
  readonly #appenders = new Map<string, Appender>();
  readonly #batchBytesOf = (topic: string) => fittingBytes(this.#topics.largest(topic));

  constructor(newClient: () => KafkaClient, topics: KafkaTopics, options: KafkaLogSettings) {
    this.#newClient = newClient;
    this.#topics = topics;
    this.#options = options;
    this.#placer = new RecordPlacer(topics, options.compression);
    this.#appends = newClient();
  }

  /** Connects for appends. */
  async connect(): Promise<void> {
    await this.#appends.connect();
  }

  /** Waits for the writes in progress. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#writes);
  }

  /** Closes all connections. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#appends, ...this.#writers].map((client) => client[Symbol.asyncDispose]()));
  }

  /** See {@linkcode Log.append}. */
  async append(records: readonly NewRecord[]): Promise<readonly number[]> {
    const placed = await this.#placer.place(records);
    try {
      return await this.#append(placed, Producer.isOneBatch(placed, this.#batchBytesOf));
    } catch (error) {
      if (!isTooLarge(error)) throw error;
      // The topic's limit is hidden from us, or has been lowered since we read it.
      const again = await this.#placer.place(records);
      if (error.records.length > 0) throw error;
      return await this.#append(again, false);
    }
  }

  /** @param isPlain whether they are one batch, to be written without a transaction */
  async #append(placed: readonly PlacedRecord[], isPlain: boolean): Promise<readonly number[]> {
    return await this.#write(async () => {
      const offsets = await this.#appenderOf(placed, isPlain).append(placed).catch((error) => {
        if (!isUnknownTopic(error)) throw error;
        this.#topics.forgetAll();
        const options = { cause: error };
        if (isDenied(error)) throw new LogError("unreachable", reasonOf(error), options); // a right may come back
        for (const { record } of placed) this.ownEnds.doubt(record.topic);
        throw new LogError("unknown-topic", reasonOf(error), options);
      });
      this.#note(placed, offsets);
      return offsets;
    });
  }

  #appenderOf(placed: readonly PlacedRecord[], isPlain: boolean): Appender {
    const topics = new Set(placed.map(({ record }) => record.topic));
    const name = [isPlain ? "plain" : "atomic", ...[...topics].toSorted()].join(" ");
    const known = this.#appenders.get(name);
    if (known !== undefined) return known;
    const open = (id?: string) => this.producer(this.#appends, { id, unknownMs: UNKNOWN_MS });
    const appender = isPlain
      ? new Appender(open, (producer, records) => producer.tryWrite(records), this.#batchBytesOf)
      : new Appender(
        () => open(`append-${crypto.randomUUID()}`),
        async (producer, records) => ({ offsets: await producer.commit(records, "", []) }),
        this.#batchBytesOf,
      );
    this.#appenders.set(name, appender);
    return appender;
  }

  /** See {@linkcode Log.writer}. The id is Kafka's `transactional.id`. */
  async writer(id: string, places: readonly Place[]): Promise<Writer> {
    this.#appends.throwIfClosed();
    const client = this.#newClient();
    this.#writers.add(client);
    const close = async () => {
      this.#writers.delete(client);
      await client[Symbol.asyncDispose]();
    };
    try {
      await client.connect();
      const producer = await this.producer(client, { id });
      if (places.length > 0) await this.#overtake(producer, places);
      return new KafkaWriter(id, (commit) => this.#prepare(commit, producer), close);
    } catch (error) {
      await close();
      throw isFenced(error) ? fencedError(`Cannot open writer ${id}`, error) : error;
    }
  }

  /**
   * Writes records that no reader will see. Only a leader with in-sync followers accepts them, and after everything
   * that was committed; reads then have to reach at least that far.
   */
  async #overtake(producer: Producer, places: readonly Place[]): Promise<void> {
    const time = Date.now();
    const records = places.map(({ topic, partition }) => {
      return { record: { topic, partition, key: "", value: null, time }, partition };
    });
    await this.#write(async () => {
      const written = await producer.writeUnseen(records);
      await producer.abort();
      this.#note(records, written);
    });
  }

  /** Checks a commit. @returns A function that carries it out */
  async #prepare(
    { records, group, offsets }: Commit,
    producer: Producer,
  ): Promise<() => Promise<readonly number[]>> {
    this.#appends.throwIfClosed();
    const placed = await this.#placer.place(records);
    for (const offset of offsets) {
      await this.#topics.check(offset.topic, offset.partition);
      checkOffset(group, offset);
    }
    return () =>
      this.#write(async () => {
        const written = await producer.commit(placed, group, offsets);
        this.#note(placed, written);
        return written;
      });
  }

  /** Opens a producer over a connection. Without an `id`, its `transactional.id`, it has no transactions. */
  producer(
    client: KafkaClient,
    { id: transactionalId, ...own }: Pick<Partial<ProducerOptions>, "transactionTimeoutMs" | "unknownMs"> & {
      readonly id?: string | undefined;
    } = {},
  ): Promise<Producer> {
    const { compression, transactionTimeoutMs } = this.#options;
    const options = { transactionTimeoutMs, compression, batchBytesOf: this.#batchBytesOf, ...own };
    return Producer.open(client, transactionalId === undefined ? options : { ...options, transactionalId });
  }

  #note(records: readonly PlacedRecord[], offsets: readonly number[]): void {
    this.ownEnds.note(records, offsets, (topic) => this.#topics.idOf(topic));
  }

  /** Runs a write that closing waits for. */
  async #write<Result>(write: () => Promise<Result>): Promise<Result> {
    this.#appends.throwIfClosed();
    const writing = write();
    this.#writes.add(writing);
    try {
      return await writing;
    } catch (error) {
      if (isTooLarge(error)) this.#topics.forgetAll();
      throw logErrorOf(error);
    } finally {
      this.#writes.delete(writing);
    }
  }
}
