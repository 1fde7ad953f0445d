/**
 * A log that reads some topics from another one and keeps everything else to itself: records can be processed again
 * without touching the original.
 *
 * @module
 */

import {
  type Bounds,
  type GroupHandlers,
  type Log,
  LogError,
  type Membership,
  type NewRecord,
  type ReadOptions,
  type ReadResult,
  type TopicIdentity,
  type TopicSpec,
  type Writer,
} from "../../streams/log/log.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";

/** See the module. Its own topics are in memory. */
export class OverlayLog implements Log {
  readonly #below: Log;
  readonly #shown: ReadonlySet<string>;
  readonly #own = new MemoryLog();
  readonly #goesOn: boolean;
  /** Ends of topics for readers of this log, where they differ from those of `below`. */
  readonly #ends = new Map<string, number>();

  /**
   * @param shown topics of `below` that are read from there
   * @param goesOn whether the positions of groups are those of `below`, instead of none
   */
  constructor(below: Log, shown: readonly string[], goesOn = false) {
    this.#below = below;
    this.#shown = new Set(shown);
    this.#goesOn = goesOn;
  }

  createTopics(topics: readonly TopicSpec[]): Promise<void> {
    return this.#own.createTopics(topics);
  }

  async topics(prefix?: string): Promise<ReadonlyMap<string, TopicSpec>> {
    const below = [...await this.#below.topics(prefix)].filter(([name]) => this.#shown.has(name));
    return new Map([...below, ...await this.#own.topics(prefix)]);
  }

  identify(topic: string): Promise<TopicIdentity | null> {
    return this.#of(topic).identify(topic);
  }

  append(records: readonly NewRecord[]): Promise<readonly number[]> {
    const shown = records.find(({ topic }) => this.#shown.has(topic));
    if (shown !== undefined) {
      throw new LogError("closed", `Cannot append to ${shown.topic}: it is shown, not ours`);
    }
    return this.#own.append(records);
  }

  /** Shows only the records of a topic's partitions below an offset, from now on. */
  showUpTo(topic: string, end: number): void {
    this.#ends.set(topic, end);
  }

  async read(topic: string, partition: number, from: number, options?: ReadOptions): Promise<ReadResult> {
    const read = await this.#of(topic).read(topic, partition, from, options);
    const { records, next } = read;
    const end = this.#ends.get(topic) ?? Infinity;
    return next <= end ? read : { records: records.filter(({ offset }) => offset < end), next: end };
  }

  bounds(topic: string, partition: number): Promise<Bounds> {
    return this.#of(topic).bounds(topic, partition);
  }

  committed(group: string, topic: string, partition: number): Promise<number | null> {
    return this.#goesOn ? this.#below.committed(group, topic, partition) : Promise.resolve(null);
  }

  async writer(id: string): Promise<Writer> {
    const writer = await this.#own.writer(id);
    return {
      id,
      // Positions in the topics shown may be anywhere: our own log would refuse them.
      commit: async ({ records, group, offsets }) => {
        const own = offsets.filter(({ topic }) => !this.#shown.has(topic));
        return await writer.commit({ records, group, offsets: own });
      },
      [Symbol.asyncDispose]: () => writer[Symbol.asyncDispose](),
    };
  }

  join(group: string, topics: readonly string[], handlers: GroupHandlers): Promise<Membership> {
    return this.#own.join(group, topics, handlers);
  }

  trim(topic: string, partition: number, before: number): Promise<void> {
    return this.#shown.has(topic) ? Promise.resolve() : this.#own.trim(topic, partition, before);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#own[Symbol.asyncDispose]();
  }

  #of(topic: string): Log {
    return this.#shown.has(topic) ? this.#below : this.#own;
  }
}
