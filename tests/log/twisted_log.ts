/**
 * A log in memory whose records are read differently from how they were appended: as other programs may have written
 * them, and as our own log would not accept them.
 *
 * @module
 */

import type {
  Commit,
  LogRecord,
  NewRecord,
  ReadOptions,
  ReadResult,
  TopicIdentity,
  TopicSpec,
  Writer,
} from "../../streams/log/log.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";

/** The fields of a record that are read differently. */
export type Twist = Partial<Pick<LogRecord, "key" | "value" | "time" | "headers">>;

/** See the module. */
export class TwistedLog extends MemoryLog {
  readonly #twists = new Map<string, Twist>();
  /** What was done to it. */
  readonly #steps: ((log: MemoryLog) => Promise<unknown>)[] = [];

  /** Makes a record read differently from now on. */
  twist(topic: string, partition: number, offset: number, twist: Twist): void {
    this.#twists.set(`${topic}/${partition}@${offset}`, twist);
  }

  /** A log on which the same was done, without twists. */
  async copy(): Promise<TwistedLog> {
    const copy = new TwistedLog();
    for (const step of this.#steps) await step(copy);
    return copy;
  }

  override async createTopics(topics: readonly TopicSpec[]): Promise<void> {
    await super.createTopics(topics);
    this.#steps.push((log) => log.createTopics(topics));
  }

  /** Topics of copies are the same ones. */
  override async identify(topic: string): Promise<TopicIdentity | null> {
    const identity = await super.identify(topic);
    return identity && { ...identity, id: topic };
  }

  override async append(records: readonly NewRecord[]): Promise<readonly number[]> {
    const offsets = await super.append(records);
    this.#steps.push((log) => log.append(records));
    return offsets;
  }

  override async trim(topic: string, partition: number, before: number): Promise<void> {
    await super.trim(topic, partition, before);
    this.#steps.push((log) => log.trim(topic, partition, before));
  }

  override async writer(id: string): Promise<Writer> {
    const writer = await super.writer(id);
    return {
      id,
      commit: async (commit: Commit) => {
        const offsets = await writer.commit(commit);
        const records = commit.records.map((record) => ({ ...record, value: record.value?.slice() ?? null }));
        this.#steps.push(async (log) => {
          await using own = await log.writer(id);
          return await own.commit({ ...commit, records });
        });
        return offsets;
      },
      [Symbol.asyncDispose]: () => writer[Symbol.asyncDispose](),
    };
  }

  override async read(
    topic: string,
    partition: number,
    from: number,
    options?: ReadOptions,
  ): Promise<ReadResult> {
    const result = await super.read(topic, partition, from, options);
    return { ...result, records: result.records.map((record) => this.#twisted(record)) };
  }

  override async latest(topic: string, partition: number, key: string): Promise<LogRecord | null> {
    const record = await super.latest(topic, partition, key);
    return record === null ? null : this.#twisted(record);
  }

  #twisted(record: LogRecord): LogRecord {
    const { topic, partition, offset } = record;
    return { ...record, ...this.#twists.get(`${topic}/${partition}@${offset}`) };
  }
}
