/**
 * Feeds topics of other systems into a deployment, resumably: records and the positions in those topics are committed
 * together, so a restarted feeder skips exactly the records already appended. The topics may have any keys and may gain
 * partitions: each event goes to its user's partition.
 */

import { getLogger } from "@logtape/logtape";
import type { Rejection } from "../../src/events/rejection.ts";
import { reasonOf } from "../../src/values/reason.ts";
import { type Log, LogError, type Writer } from "../log/log.ts";
import { pause } from "../log/pause.ts";
import { commitFitting } from "../task/fitting.ts";
import { feederWriter } from "../topics/feeder_position.ts";
import type { Topics } from "../topics/topics.ts";
import { feederGroup, feederId } from "./feeder.ts";
import { FollowedTopic, type SourceLag, type Taken } from "./followed_topic.ts";
import type { ForeignTopic } from "./resumed_position.ts";
import { turnOf } from "./merge.ts";
import { Stuck, type StuckSince } from "./stuck.ts";

/** Bytes of records to hold, for all topics together. */
const HELD_BYTES = 32 << 20;

/** Bytes after which a commit is full: of the records that were taken, and of those that they become. */
const COMMIT_BYTES = 8 << 20;

/** Work after which the thread is yielded. */
const SLICE_MS = 4;

const logger = getLogger(["meander", "feeder"]);

/** Options of a {@linkcode TopicFeeder}. */
export interface TopicFeederOptions {
  /** Its unique name, also that of the position if it has one topic. @default {that of its first topic} */
  readonly name?: string;
  /** Records of the topics per commit. @default {1000} */
  readonly batch?: number;
  /** Wall clock, milliseconds since the epoch. Record times are capped at it. @default {Date.now} */
  readonly now?: () => number;
  /** A monotonic clock, milliseconds. @default {performance.now} */
  readonly clock?: () => number;
  /** @internal Since when topics and partitions cannot go on, as earlier feeders of the name have noted. @default {empty} */
  readonly stuckSince?: StuckSince;
  /** Yields the thread; called with the time worked since the last call. @default {a batch is not interrupted} */
  readonly giveWay?: (workedMs: number) => Promise<void>;
}

/** A topic to open. */
interface Place {
  readonly source: string;
  readonly topic: string;
  readonly stuck: Stuck;
  readonly open: () => Promise<FollowedTopic>;
}

/**
 * Appends topics of any number of partitions to `events`, `items` and `rejected`.
 *
 * The order within a partition is kept. The partitions of all topics are merged by the times of the events and items
 * that their records become (`merge.ts`); a time after the arrival of its record counts as that arrival. After a crash
 * the merge resumes from the committed order on `events`.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { MemoryLog, topicNames } from "@meander/meander";
 * import { compileSource, TopicFeeder, topicSpecs } from "@meander/meander/log";
 *
 * const topics = topicNames();
 * await using log = new MemoryLog();
 * await log.createTopics([...topicSpecs(topics, 1), { name: "clicks", partitions: 1, cleanup: "delete" }]);
 * const time = Date.now();
 * const click = { type: "interaction", user: "ann", item: "tent", action: "click", time };
 * const value = new TextEncoder().encode(JSON.stringify(click));
 * await log.append([{ topic: "clicks", key: null, value, time }]);
 *
 * const format = compileSource("clicks", { follow: { topic: "clicks" } }); // events in our format
 * await using feeder = await TopicFeeder.open(log, topics, { log, topic: "clicks", format });
 * assert.equal(await feeder.feed(), 1);
 * assert.equal(feeder.events, 1);
 * ```
 */
export class TopicFeeder implements AsyncDisposable {
  readonly #topics: FollowedTopic[] = [];
  readonly #topicOf = new Map<FollowedPartition, FollowedTopic>();
  readonly #partitions: FollowedPartition[] = [];
  /** Topics that could not be opened for a minute, and why. */
  readonly #away = new Map<Place, string>();
  /** Topics that were away, and are followed from the next feed on. */
  readonly #back: (readonly [Place, FollowedTopic])[] = [];
  readonly #writer: Writer;
  readonly #group: string;
  readonly #batch: number;
  readonly #clock: () => number;
  readonly #giveWay: TopicFeederOptions["giveWay"];
  #isBroken = false;

  private constructor(
    writer: Writer,
    group: string,
    { batch = 1000, clock = defaultClock, giveWay }: TopicFeederOptions,
  ) {
    this.#giveWay = giveWay;
    this.#writer = writer;
    this.#group = group;
    this.#batch = batch;
    this.#clock = clock;
  }

  /**
   * Opens a feeder that fences the previous one of this name and resumes from its positions. Partitions added since are
   * fed from their start. Goes on without a topic that could not be opened for a minute, until it can.
   *
   * @throws LogError `topic-mismatch` when a topic does not exist, or is not the one that was fed before
   */
  static async open(
    log: Log,
    topics: Topics,
    source: ForeignTopic | readonly ForeignTopic[],
    options: TopicFeederOptions = {},
  ): Promise<TopicFeeder> {
    const sources = "topic" in source ? [source] : source;
    const { now = Date.now, clock = defaultClock, stuckSince = new Map() } = options;
    const names = sources.map(({ name, format, topic }) =>
      name ?? (sources.length === 1 ? options.name : undefined) ?? `${format.name}:${topic}`
    );
    const name = options.name ?? names[0];
    if (name === undefined) throw new RangeError("Cannot feed topics: there are none");
    await using opened = new AsyncDisposableStack();
    const writer = opened.use(await feederWriter(log, topics, feederId(topics, name)));
    const group = feederGroup(topics, name);
    const context = { log, topics, group, now, clock, stuckSince, maxBytes: HELD_BYTES / sources.length };
    const places = sources.map((one, i): Place => {
      const stuck = new Stuck({ since: stuckSince, name: feederId(topics, names[i] ?? name) }, clock);
      const open = async () => {
        const followed = await FollowedTopic.open(one, names[i] ?? name, context);
        stuck.ends(); // even if another topic cannot be opened, so that neither is followed
        return followed;
      };
      return { source: one.format.name, topic: one.topic, stuck, open };
    });
    const outcomes = await Promise.all(places.map(async (place) => {
      try {
        return { place, followed: await place.open() };
      } catch (error) {
        return { place, error, isPassed: error instanceof LogError && place.stuck.fails() };
      }
    }));
    const failed = outcomes.filter((one) => "error" in one);
    const fatal = failed.length === places.length ? failed[0] : failed.find(({ isPassed }) => !isPassed);
    if (fatal !== undefined) throw fatal.error;
    const feeder = new TopicFeeder(writer, group, options);
    for (const one of outcomes) {
      if ("error" in one) feeder.#pass(one.place, reasonOf(one.error));
      else await feeder.#follow(one.followed);
    }
    opened.move();
    return feeder;
  }

  /** Events appended by this feeder. */
  get events(): number {
    return this.#topics.reduce((sum, { counts }) => sum + counts.events, 0);
  }

  /** Items appended by this feeder. */
  get items(): number {
    return this.#topics.reduce((sum, { counts }) => sum + counts.items, 0);
  }

  /** Records rejected by this feeder. */
  get rejected(): number {
    return this.#topics.reduce((sum, { counts }) => sum + counts.rejected, 0);
  }

  /** The first rejection, of the first topic that has one. */
  get firstRejection(): Rejection | undefined {
    return this.#topics.find(({ counts }) => counts.rejected > 0)?.counts.firstRejection;
  }

  /** Offsets that the topics dropped before they were fed. */
  get skipped(): number {
    return this.#topics.reduce((sum, { skipped }) => sum + skipped, 0);
  }

  /** The topics and partitions without which others go ahead, for people. */
  get passed(): readonly string[] {
    const away = [...this.#away].map(([{ topic, stuck }, reason]) =>
      `${topic} cannot be followed for ${Math.round(stuck.ms / 1000)} s: ${reason}`
    );
    return [...away, ...this.#topics.flatMap(({ passed }) => passed)];
  }

  /**
   * Checks that the topics are still those this feeder opened.
   *
   * @throws LogError `topic-mismatch` when one is not
   * @throws LogError `closed` when one has gained partitions: open a new feeder
   */
  async check(): Promise<void> {
    for (const topic of this.#topics) await topic.check();
  }

  /** How far behind each partition is; of a topic that is away, only for how long. */
  async lags(): Promise<readonly SourceLag[]> {
    const away = [...this.#away.keys()].map(({ source, topic, stuck }) => (
      { source, topic, partition: 0, lag: 0, lagMs: stuck.ms, lost: 0 }
    ));
    return [...(await Promise.all(this.#topics.map((topic) => topic.lags()))).flat(), ...away];
  }

  /** Offsets of the topics not fed yet, including gaps. */
  async lag(): Promise<number> {
    return (await this.lags()).reduce((sum, { lag }) => sum + lag, 0);
  }

  /**
   * Appends the next batch.
   *
   * @param options `waitMs`: how long to wait for a first record; `signal`: ends every wait, and the feed rejects
   * @returns Number of records read from the topics; 0 = none can be appended for now.
   * @throws LogError `closed` after a commit that failed: open a new feeder
   */
  async feed(options: { readonly waitMs?: number; readonly signal?: AbortSignal } = {}): Promise<number> {
    if (this.#isBroken) {
      throw new LogError("closed", "Cannot continue after a failed commit: open a new feeder");
    }
    const { waitMs = 0, signal } = options;
    await this.#lookForAway();
    const until = this.#clock() + waitMs;
    const batch: Taken[] = [];
    let bytes = 0;
    let worked = this.#clock();
    try {
      await allOf(this.#partitions.map((partition) => partition.fill(0, signal)));
      while (batch.length < this.#batch && bytes < COMMIT_BYTES) {
        const turn = turnOf(this.#partitions);
        if (turn !== undefined && "partition" in turn) {
          const taken = this.#take(turn.partition);
          batch.push(...taken);
          for (const { head, records } of taken) bytes += bytesOf([head.record, ...records]);
          if (turn.partition.isLow) await turn.partition.fill(0, signal);
          worked = await this.#pause(worked);
          continue;
        }
        const now = this.#clock();
        if (turn !== undefined && turn.from <= now) {
          await allOf(turn.awaited.map((partition) => partition.fill(0, signal)));
          continue;
        }
        const leftMs = Math.min(until, turn?.from ?? until) - now;
        if (batch.length > 0 || leftMs <= 0) break;
        await this.#wait(leftMs, signal);
      }
    } catch (error) {
      if (batch.length === 0) throw error; // otherwise it recurs in the next feed
    }
    if (batch.length > 0) await this.#commit(batch);
    return batch.length;
  }

  /** Releases the name. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writer[Symbol.asyncDispose]();
  }

  /** Feeds a topic from now on. */
  async #follow(topic: FollowedTopic): Promise<void> {
    this.#topics.push(topic);
    for (const partition of topic.partitions) {
      this.#topicOf.set(partition, topic);
      this.#partitions.push(partition);
    }
    if (topic.isUnsaved) await this.#commit([]);
  }

  /** Goes ahead without a topic. */
  #pass(place: Place, reason: string): void {
    this.#away.set(place, reason);
    logger.error(
      "{topic} cannot be followed, and other sources go ahead: its records will come after theirs: {reason}",
      { topic: place.topic, reason },
    );
  }

  /** Follows topics that are back, and tries the others again in the background. */
  async #lookForAway(): Promise<void> {
    for (const [place, topic] of this.#back.splice(0)) {
      this.#away.delete(place);
      await this.#follow(topic);
      logger.info("{topic} is followed again", { topic: place.topic });
    }
    for (const place of this.#away.keys()) {
      place.stuck.tryAgain(async () => {
        try {
          this.#back.push([place, await place.open()]);
        } catch (error) {
          this.#away.set(place, reasonOf(error));
        }
      });
    }
  }

  /** Yields the thread after enough work since `begun`. @returns when the current work began */
  async #pause(begun: number): Promise<number> {
    const workedMs = this.#clock() - begun;
    if (this.#giveWay === undefined || workedMs < SLICE_MS) return begun;
    await this.#giveWay(workedMs);
    return this.#clock();
  }

  /** Takes the next record of a partition. */
  #take(partition: FollowedPartition): Taken[] {
    const { head } = partition;
    const topic = this.#topicOf.get(partition);
    partition.take();
    return head === undefined || topic === undefined ? [] : [topic.take(head)];
  }

  /** Waits until a partition that has no record gets one. */
  async #wait(waitMs: number, signal: AbortSignal | undefined): Promise<void> {
    const enough = new AbortController();
    const ends = signal === undefined ? enough.signal : AbortSignal.any([signal, enough.signal]);
    const empty = this.#partitions.filter(({ head, passedFor }) =>
      head === undefined && passedFor === undefined
    );
    const waits = empty.map((partition) => partition.fill(waitMs, ends));
    if (empty.length === 0) waits.push(pause(waitMs, ends));
    try {
      await Promise.race(waits);
    } finally {
      enough.abort();
      await Promise.allSettled(waits);
    }
  }

  async #commit(taken: readonly Taken[]): Promise<void> {
    this.#isBroken = true; // after a failure, the taken records would be skipped
    const { parts } = await commitFitting(this.#writer, taken, {
      records: this.#topics.map(({ position }) => position),
      group: this.#group,
      offsets: this.#topics.flatMap(({ offsets }) => offsets),
    }, (one, reason) => one.topic.smaller(one, reason));
    this.#isBroken = false;
    for (const one of parts) one.topic.count(one);
  }
}

function bytesOf(records: readonly { readonly value: Uint8Array | null }[]): number {
  return records.reduce((sum, { value }) => sum + (value?.length ?? 0), 0);
}

type FollowedPartition = FollowedTopic["partitions"][number];

const defaultClock = () => performance.now();

/** Like `Promise.all`, but nothing runs on after a failure: the next feed fills the same partitions. */
async function allOf(fills: readonly Promise<void>[]): Promise<void> {
  for (const outcome of await Promise.allSettled(fills)) {
    if (outcome.status === "rejected") throw outcome.reason;
  }
}
