/**
 * The log on Kafka.
 *
 * @module
 */

import { settle, type Settled } from "../../../src/options/option.ts";
import { reasonOf } from "../../../src/values/reason.ts";
import { KAFKA_OPTIONS, type KafkaLogOptions } from "./options.ts";
import { ignore } from "../ignore.ts";
import { checkOffset, checkPartition, checkTrim, coPartitions } from "../checks.ts";
import { about, clientsOf, isDenied, isUnknownTopic, type KafkaClient, logErrorOf } from "./client.ts";
import { decodeShare } from "./group/assigner.ts";
import { KafkaMember } from "./member.ts";
import { MemberNotes } from "./group/member_notes.ts";
import { isFenced, isTooLarge, Producer, type ProducerOptions } from "./producer.ts";
import { KafkaReader, OwnEnds, ownMissing } from "./reader.ts";
import type { Broker } from "./protocol/patch.ts";
import {
  endsOf,
  offsetSince,
  partitionBounds,
  type PlacedRecord,
  stableOffset,
} from "./protocol/requests.ts";
import { LONG_TRANSACTION_MS, refill } from "./refill.ts";
import { review } from "./review.ts";
import { KafkaTopics, LARGEST } from "./topics.ts";
import { Appender, fencedError, fittingBytes, KafkaWriter, RecordPlacer } from "./writers.ts";
import {
  type Bounds,
  type Commit,
  type GroupHandlers,
  type GroupMember,
  type Log,
  type LogAddress,
  LogError,
  type LogRecord,
  type LogRemark,
  type LogUse,
  type Membership,
  type NewRecord,
  type Place,
  type ReadOptions,
  type ReadResult,
  type TopicIdentity,
  type TopicSpec,
  type Writer,
} from "../log.ts";

/** How long an append to a topic that no broker knows waits: brokers know a new topic within a second. */
const UNKNOWN_MS = 5000;

/**
 * A {@linkcode Log} on a Kafka cluster (2.5 or newer).
 *
 * - **Reading** needs no group; sequential reads are served from memory (see `kafka/reader.ts`). Committed records
 *   only. Values are views of what was fetched: copy what you keep for a long time.
 * - **Own writes are visible**: once a commit of this log has resolved, its reads, bounds and committed offsets include
 *   it, although the brokers finish transactions a moment later.
 * - **Appending** to one partition is one idempotent write; to several, or more than a batch, one transaction. Appends
 *   to the same topics are sent together; those to other topics do not wait for them.
 * - **Writers and appends have their own connections**: a broker answers the requests of a connection in order, and a
 *   write must not wait for the replication of another.
 * - **A failed writer** refuses every later commit: open another with its id, if the id is still yours.
 * - **Groups** rebalance cooperatively: a partition is revoked only when it moves.
 * - Every operation waits for brokers that are away for less than `retryMs`.
 *
 * Resolves and rejects as the contract of the port requires (`tests/contracts/log_contract.ts`).
 *
 * @example
 * ```ts ignore
 * import { KafkaLog } from "@meander/meander/kafka";
 *
 * await using log = await KafkaLog.open({ brokers: ["127.0.0.1:9092"] });
 * await log.createTopics([{ name: "clicks", partitions: 4, cleanup: "delete" }]);
 * ```
 */
export class KafkaLog implements Log {
  /** See {@linkcode Log.address}. */
  readonly address: LogAddress;
  readonly #options:
    & Settled<typeof KAFKA_OPTIONS>
    & KafkaLogOptions
    & Required<Pick<KafkaLogOptions, "kafka" | "topicConfig">>;
  #onThrottled: ((ms: number) => void) | undefined;
  readonly #newClient: () => KafkaClient;
  readonly #client: KafkaClient;
  readonly #polls: KafkaClient;
  readonly #appends: KafkaClient;
  /** Connections of open writers. */
  readonly #writers = new Set<KafkaClient>();
  readonly #topics: KafkaTopics;
  readonly #reader: KafkaReader;
  readonly #placer: RecordPlacer;
  readonly #members = new Set<KafkaMember>();
  /** Writes in progress, which closing waits for. */
  readonly #writes = new Set<Promise<unknown>>();
  readonly #ownEnds = new OwnEnds();
  /** By the topics that they append to, so that none waits for another. */
  readonly #appenders = new Map<string, Appender>();
  readonly #batchBytesOf = (topic: string) => fittingBytes(this.#topics.largest(topic));
  #closing: Promise<void> | undefined;

  private constructor(options: KafkaLogOptions) {
    this.address = { kind: "kafka", options };
    const { brokers, membersFolder, kafka = {}, topicConfig = {} } = options;
    this.#options = { ...settle(KAFKA_OPTIONS, options), brokers, membersFolder, kafka, topicConfig };
    this.#newClient = clientsOf(this.#options, (ms) => this.#onThrottled?.(ms));
    this.#client = this.#newClient();
    this.#polls = this.#newClient();
    this.#appends = this.#newClient();
    const { replicationFactor } = this.#options;
    this.#topics = new KafkaTopics(this.#client, {
      replicationFactor,
      topicConfig: { [LARGEST]: `${8 << 20}`, "retention.ms": "-1", ...topicConfig },
    });
    this.#reader = new KafkaReader(this.#client, this.#polls, this.#options.retryMs);
    this.#placer = new RecordPlacer(this.#topics, this.#options.compression);
  }

  /** Connects. @throws Error when no broker can be reached within `retryMs`, accepts the login, or is new enough */
  static async open(options: KafkaLogOptions): Promise<KafkaLog> {
    const log = new KafkaLog(options);
    try {
      await Promise.all([log.#client, log.#polls, log.#appends].map((client) => client.connect()));
      return log;
    } catch (error) {
      await log[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** See {@linkcode Log.createTopics}. @throws LogError `unknown-topic` when we may not create missing topics */
  async createTopics(topics: readonly TopicSpec[]): Promise<void> {
    await this.#topics.create(topics);
  }

  /** See {@linkcode Log.topics}. Leaves out Kafka's internal topics. */
  async topics(): Promise<ReadonlyMap<string, TopicSpec>> {
    return await this.#topics.list();
  }

  /** See {@linkcode Log.identify}. Brokers before 2.8 give topics no ids. */
  async identify(topic: string): Promise<TopicIdentity | null> {
    this.#client.throwIfClosed();
    return await this.#topics.identify(topic);
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
        throw new LogError("unknown-topic", reasonOf(error), { cause: error });
      });
      this.#ownEnds.note(placed, offsets);
      return offsets;
    });
  }

  #appenderOf(placed: readonly PlacedRecord[], isPlain: boolean): Appender {
    const topics = new Set(placed.map(({ record }) => record.topic));
    const name = [isPlain ? "plain" : "atomic", ...[...topics].toSorted()].join(" ");
    const known = this.#appenders.get(name);
    if (known !== undefined) return known;
    const open = (id?: string) => this.#producer(this.#appends, { id, unknownMs: UNKNOWN_MS });
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

  /** See {@linkcode Log.read}. */
  async read(
    topic: string,
    partition: number,
    from: number,
    options: ReadOptions = {},
  ): Promise<ReadResult> {
    options.signal?.throwIfAborted();
    await this.#check(topic, partition);
    if (!Number.isSafeInteger(from)) {
      throw new RangeError(`Cannot read ${topic}/${partition} from ${from}: it is not an offset`);
    }
    const ownEnd = () => this.#ownEnds.get(topic, partition);
    try {
      return await this.#reader.read(topic, partition, from, ownEnd, options);
    } catch (error) {
      throw this.#translate(error, topic);
    }
  }

  /** See {@linkcode Log.bounds}. */
  async bounds(topic: string, partition: number): Promise<Bounds> {
    await this.#check(topic, partition);
    const until = performance.now() + this.#options.retryMs;
    for (;;) {
      const bounds = await this.#askLeader({ topic, partition }, partitionBounds);
      const ownEnd = this.#ownEnds.get(topic, partition);
      if (bounds.end >= ownEnd) return bounds;
      if (performance.now() >= until) throw ownMissing(topic, partition, ownEnd);
      await this.#client.pause(2);
    }
  }

  /** See {@linkcode Log.since}. */
  async since(topic: string, partition: number, time: number): Promise<number | null> {
    await this.#check(topic, partition);
    return await this.#askLeader({ topic, partition }, (leader, place) => offsetSince(leader, place, time));
  }

  /** Queries the leader of a partition; when the topic no longer exists, the error names it. */
  #askLeader<Answer>(place: Place, ask: (leader: Broker, place: Place) => Promise<Answer>): Promise<Answer> {
    const { topic, partition } = place;
    return this.#client.retry(async () => {
      const leader = await this.#client.leader(topic, partition);
      return await ask(leader, place).catch((error) => {
        throw isUnknownTopic(error) ? about(`find topic ${topic}`, error) : error;
      });
    });
  }

  /** See {@linkcode Log.committed}. Waits for the end of a transaction that moves it. */
  async committed(group: string, topic: string, partition: number): Promise<number | null> {
    await this.#check(topic, partition);
    return await this.#client.retry(async () =>
      stableOffset(await this.#client.coordinator("group", group), group, { topic, partition })
    );
  }

  /** See {@linkcode Log.writer}. The id is Kafka's `transactional.id`. */
  async writer(id: string, places: readonly Place[] = []): Promise<Writer> {
    this.#client.throwIfClosed();
    const client = this.#newClient();
    this.#writers.add(client);
    const close = async () => {
      this.#writers.delete(client);
      await client[Symbol.asyncDispose]();
    };
    try {
      await client.connect();
      const producer = await this.#producer(client, { id });
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
      this.#ownEnds.note(records, written);
    });
  }

  /** Checks a commit. @returns A function that carries it out */
  async #prepare(
    { records, group, offsets }: Commit,
    producer: Producer,
  ): Promise<() => Promise<readonly number[]>> {
    this.#client.throwIfClosed();
    const placed = await this.#placer.place(records);
    for (const offset of offsets) {
      await this.#check(offset.topic, offset.partition);
      checkOffset(group, offset);
    }
    return () =>
      this.#write(async () => {
        const written = await producer.commit(placed, group, offsets);
        this.#ownEnds.note(placed, written);
        return written;
      });
  }

  /** See {@linkcode Log.join}. */
  async join(group: string, topics: readonly string[], handlers: GroupHandlers): Promise<Membership> {
    if (this.#closing !== undefined) {
      throw new LogError("closed", `Cannot join group ${group}: the log is closing`);
    }
    const specs = await Promise.all(topics.map((topic) => this.#topics.spec(topic)));
    const partitions = coPartitions(group, specs);
    const { sessionMs, heartbeatMs, rebalanceMs, membersFolder } = this.#options;
    const notes = membersFolder === undefined ? undefined : new MemberNotes(membersFolder, group);
    const options = { group, topics, partitions, sessionMs, heartbeatMs, rebalanceMs, notes };
    return await KafkaMember.join(this.#newClient(), this.#client, options, handlers, (member) => {
      this.#members.add(member);
      ignore(member.ended, "the caller watches `ended`").finally(() => this.#members.delete(member));
    });
  }

  /** See {@linkcode Log.members}. */
  async members(group: string): Promise<readonly GroupMember[]> {
    const { groups: [found] } = await this.#client.retry(async () =>
      await (await this.#client.coordinator("group", group)).describeGroups({ groupIds: [group] })
    );
    return (found?.members ?? []).map(({ memberId, clientHost, memberAssignment }) => ({
      id: memberId,
      host: clientHost.replace(/^\//, ""),
      // Members have no shares while a group rebalances.
      partitions: memberAssignment.length === 0 ? [] : decodeShare(memberAssignment).partitions,
    }));
  }

  /** @internal See {@linkcode Log.review}. */
  async review(use: LogUse): Promise<readonly LogRemark[]> {
    return await review(this.#client, use, use.events && await this.#topics.timestampType(use.events));
  }

  /** @internal See {@linkcode Log.watchThrottling}. */
  watchThrottling(listener: (ms: number) => void): void {
    this.#onThrottled = listener;
  }

  /** See {@linkcode Log.keepMs}. */
  async keepMs(topic: string): Promise<number | null> {
    return await this.#topics.keepMs(topic);
  }

  /** See {@linkcode Log.trim}. */
  async trim(topic: string, partition: number, before: number): Promise<void> {
    const spec = await this.#check(topic, partition);
    const { start, end } = await this.bounds(topic, partition);
    checkTrim(spec, partition, before, end);
    if (before <= start) return;
    await this.#client.retry(async () => {
      const leader = await this.#client.leader(topic, partition);
      await leader.deleteRecords({ topics: [{ topic, partitions: [{ partition, offset: `${before}` }] }] });
    });
    this.#reader.forget(topic, partition);
  }

  /** @internal See {@linkcode Log.endsOf}. */
  async endsOf(places: readonly Place[], of: "readable" | "written"): Promise<readonly number[]> {
    return await this.#client.retry(async () => {
      const leaders = await Promise.all(
        places.map(({ topic, partition }) => this.#client.leaderId(topic, partition)),
      );
      const ends = new Map<string, number>();
      const perNode = Map.groupBy(
        places.map((place, i) => ({ place, node: leaders[i] ?? -1 })),
        (p) => p.node,
      );
      await Promise.all([...perNode].map(async ([node, own]) => {
        const asked = own.map(({ place }) => place);
        const found = await endsOf(await this.#client.node(node), asked, of === "readable");
        for (const { topic, partition, end } of found) ends.set(`${topic}/${partition}`, end);
      }));
      return places.map(({ topic, partition }) => ends.get(`${topic}/${partition}`) ?? NaN);
    });
  }

  /** @internal See {@linkcode Log.refill}. */
  async refill(
    topic: string,
    partition: number,
    records: AsyncIterable<LogRecord>,
    bounds: Bounds,
  ): Promise<void> {
    const { cleanup } = await this.#check(topic, partition);
    const client = this.#newClient();
    try {
      await client.connect();
      const [seen, unseen] = await Promise.all([
        this.#producer(client),
        this.#producer(client, {
          id: `refill-${crypto.randomUUID()}`,
          transactionTimeoutMs: LONG_TRANSACTION_MS,
        }),
      ]);
      const endsAt = async (offset: number) => {
        while (((await this.endsOf([{ topic, partition }], "readable"))[0] ?? NaN) < offset) {
          await client.pause(1);
        }
      };
      const isCompact = cleanup === "compact";
      await refill({ topic, partition, seen, unseen, endsAt, isCompact }, records, bounds);
    } finally {
      await client[Symbol.asyncDispose]();
    }
    if (cleanup === "delete" && bounds.start > 0) await this.trim(topic, partition, bounds.start);
  }

  /** Revokes what members hold, waits for writes, then closes every connection. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.#closing ??= this.#close();
  }

  async #close(): Promise<void> {
    try {
      const outcomes = await Promise.allSettled([...this.#members].map((member) => member.leave()));
      for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
    } finally {
      await Promise.allSettled(this.#writes);
      const clients = [this.#client, this.#polls, this.#appends, ...this.#writers];
      await Promise.all(clients.map((client) => client[Symbol.asyncDispose]()));
    }
  }

  #producer(
    client: KafkaClient,
    { id: transactionalId, ...own }: Pick<Partial<ProducerOptions>, "transactionTimeoutMs" | "unknownMs"> & {
      readonly id?: string | undefined;
    } = {},
  ): Promise<Producer> {
    const { compression, transactionTimeoutMs } = this.#options;
    const options = { transactionTimeoutMs, compression, batchBytesOf: this.#batchBytesOf, ...own };
    return Producer.open(client, transactionalId === undefined ? options : { ...options, transactionalId });
  }

  async #check(topic: string, partition: number): Promise<TopicSpec> {
    let spec = await this.#topics.spec(topic);
    if (partition >= spec.partitions) { // others may have added partitions
      this.#topics.forget(topic);
      spec = await this.#topics.spec(topic);
    }
    checkPartition(spec, partition);
    return spec;
  }

  /** Runs a write that closing waits for. */
  async #write<Result>(write: () => Promise<Result>): Promise<Result> {
    this.#client.throwIfClosed();
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

  #translate(error: unknown, topic: string): unknown {
    if (!isUnknownTopic(error)) return logErrorOf(error);
    this.#topics.forget(topic);
    const options = { cause: error };
    // A right may come back.
    if (isDenied(error)) {
      return new LogError("unreachable", `Cannot read ${topic}: ${reasonOf(error)}`, options);
    }
    return new LogError("unknown-topic", `Cannot find topic ${topic}: it was deleted`, options);
  }
}
