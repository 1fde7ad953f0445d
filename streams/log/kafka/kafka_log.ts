/** The log on Kafka. */

import { settle } from "../../../src/options/option.ts";
import { reasonOf } from "../../../src/values/reason.ts";
import { KAFKA_OPTIONS, type KafkaLogOptions, type KafkaLogSettings } from "./options.ts";
import { ignore } from "../ignore.ts";
import { checkStart, checkTrim, coPartitions } from "../checks.ts";
import { clientsOf, type KafkaClient } from "./client.ts";
import { about, isDenied, isUnknownTopic, logErrorOf } from "./protocol/errors.ts";
import { membersOf } from "./group_session.ts";
import { KafkaMember } from "./member.ts";
import { MemberNotes } from "./group/member_notes.ts";
import { KafkaReader } from "./reader.ts";
import { ownMissing } from "./reading/own_ends.ts";
import { UNKNOWN_EPOCH } from "./protocol/leader_epochs.ts";
import type { Broker } from "./protocol/patch.ts";
import { endsOf, offsetSince, partitionBounds, stableOffset } from "./protocol/requests.ts";
import { LONG_TRANSACTION_MS, refill } from "./refill.ts";
import { review } from "./review.ts";
import { KafkaTopics, LARGEST } from "./topics.ts";
import { KafkaWrites } from "./kafka_writes.ts";
import {
  type Bounds,
  type GroupHandlers,
  type GroupMember,
  type GroupOffset,
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
 * - **A failed writer** refuses every later commit, unless records were `too-large`: open another with its id, if the id
 *   is still yours.
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
  readonly #options: KafkaLogSettings;
  #onThrottled: ((ms: number) => void) | undefined;
  readonly #newClient: () => KafkaClient;
  readonly #client: KafkaClient;
  readonly #polls: KafkaClient;
  readonly #topics: KafkaTopics;
  readonly #reader: KafkaReader;
  readonly #writes: KafkaWrites;
  readonly #members = new Set<KafkaMember>();
  #closing: Promise<void> | undefined;

  private constructor(options: KafkaLogOptions) {
    this.address = { kind: "kafka", options };
    const { brokers, membersFolder, kafka = {}, topicConfig = {} } = options;
    this.#options = { ...settle(KAFKA_OPTIONS, options), brokers, membersFolder, kafka, topicConfig };
    this.#newClient = clientsOf(this.#options, (ms) => this.#onThrottled?.(ms));
    this.#client = this.#newClient();
    this.#polls = this.#newClient();
    const { replicationFactor } = this.#options;
    this.#topics = new KafkaTopics(this.#client, {
      replicationFactor,
      topicConfig: { [LARGEST]: `${8 << 20}`, "retention.ms": "-1", ...topicConfig },
    });
    this.#reader = new KafkaReader(this.#client, this.#polls, this.#options.retryMs);
    this.#writes = new KafkaWrites(this.#newClient, this.#topics, this.#options);
  }

  /** Connects. @throws Error when no broker can be reached within `retryMs`, accepts the login, or is new enough */
  static async open(options: KafkaLogOptions): Promise<KafkaLog> {
    const log = new KafkaLog(options);
    try {
      await Promise.all([log.#client, log.#polls, log.#writes].map((one) => one.connect()));
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
  async topics(prefix = ""): Promise<ReadonlyMap<string, TopicSpec>> {
    return await this.#topics.list(prefix);
  }

  /** See {@linkcode Log.identify}. Brokers before 2.8 give topics no ids. */
  async identify(topic: string): Promise<TopicIdentity | null> {
    this.#client.throwIfClosed();
    return await this.#topics.identify(topic);
  }

  /** See {@linkcode Log.append}. */
  async append(records: readonly NewRecord[]): Promise<readonly number[]> {
    return await this.#writes.append(records);
  }

  /** See {@linkcode Log.writer}. The id is Kafka's `transactional.id`. */
  async writer(id: string, places: readonly Place[] = []): Promise<Writer> {
    return await this.#writes.writer(id, places);
  }

  /** See {@linkcode Log.read}. */
  async read(
    topic: string,
    partition: number,
    from: number,
    options: ReadOptions = {},
  ): Promise<ReadResult> {
    options.signal?.throwIfAborted();
    await this.#topics.check(topic, partition);
    checkStart({ topic, partition }, from, Infinity);
    this.#writes.ownEnds.confirm(topic, this.#topics.idOf(topic));
    const ownEnd = () => this.#writes.ownEnds.get(topic, partition);
    try {
      return await this.#reader.read(topic, partition, from, ownEnd, options);
    } catch (error) {
      throw this.#translate(error, topic);
    }
  }

  /** See {@linkcode Log.bounds}. */
  async bounds(topic: string, partition: number): Promise<Bounds> {
    await this.#topics.check(topic, partition);
    this.#writes.ownEnds.confirm(topic, this.#topics.idOf(topic));
    const until = performance.now() + this.#options.retryMs;
    for (;;) {
      const bounds = await this.#askLeader({ topic, partition }, partitionBounds);
      const ownEnd = this.#writes.ownEnds.get(topic, partition);
      if (bounds.end >= ownEnd) return bounds;
      if (performance.now() >= until) throw ownMissing(topic, partition, ownEnd);
      await this.#client.pause(2);
    }
  }

  /** See {@linkcode Log.since}. */
  async since(topic: string, partition: number, time: number): Promise<number | null> {
    await this.#topics.check(topic, partition);
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
    }).catch((error) => {
      throw this.#client.lasting(error, place);
    });
  }

  /** See {@linkcode Log.committed}. Waits for the end of a transaction that moves it. */
  async committed(group: string, topic: string, partition: number): Promise<number | null> {
    return (await this.#stored(group, { topic, partition }))?.offset ?? null;
  }

  /** @internal See {@linkcode Log.committedEpoch}. */
  async committedEpoch(group: string, at: GroupOffset): Promise<number | undefined> {
    const stored = await this.#stored(group, at);
    return stored?.offset === at.offset && stored.epoch !== UNKNOWN_EPOCH ? stored.epoch : undefined;
  }

  async #stored(group: string, place: Place): ReturnType<typeof stableOffset> {
    await this.#topics.check(place.topic, place.partition);
    return await this.#client.retry(async () =>
      stableOffset(await this.#client.coordinator("group", group), group, place)
    );
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
    return await this.#client.retry(() => membersOf(this.#client, group));
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
    const spec = await this.#topics.check(topic, partition);
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
    const { cleanup } = await this.#topics.check(topic, partition);
    const client = this.#newClient();
    try {
      await client.connect();
      const [seen, unseen] = await Promise.all([
        this.#writes.producer(client),
        this.#writes.producer(client, {
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
      await this.#writes.settled();
      const open = [this.#client, this.#polls, this.#writes];
      await Promise.all(open.map((one) => one[Symbol.asyncDispose]()));
    }
  }

  #translate(error: unknown, topic: string): unknown {
    if (error instanceof LogError && error.code === "topic-mismatch") {
      this.#topics.forget(topic);
      this.#writes.ownEnds.forget(topic);
    }
    if (!isUnknownTopic(error)) return logErrorOf(error);
    this.#topics.forget(topic);
    const options = { cause: error };
    // A right may come back.
    if (isDenied(error)) {
      return new LogError("unreachable", `Cannot read ${topic}: ${reasonOf(error)}`, options);
    }
    this.#writes.ownEnds.doubt(topic);
    return new LogError("unknown-topic", `Cannot find topic ${topic}: it was deleted`, options);
  }
}
