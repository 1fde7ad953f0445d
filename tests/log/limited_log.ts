/**
 * A log in memory whose topics take no record above a size, as those of brokers do.
 *
 * @module
 */

import { type Commit, LogError, type NewRecord, type Writer } from "../../streams/log/log.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";

/** See the module. */
export class LimitedLog extends MemoryLog {
  /** Most bytes of a value, by topic. */
  readonly largest: Record<string, number>;

  constructor(largest: Record<string, number>) {
    super();
    this.largest = largest;
  }

  override async append(records: readonly NewRecord[]): Promise<readonly number[]> {
    this.#check(records);
    return await super.append(records);
  }

  override async writer(id: string): Promise<Writer> {
    const writer = await super.writer(id);
    return {
      id,
      commit: async (commit: Commit) => {
        this.#check(commit.records);
        return await writer.commit(commit);
      },
      [Symbol.asyncDispose]: () => writer[Symbol.asyncDispose](),
    };
  }

  #check(all: readonly NewRecord[]): void {
    const isLarge = ({ topic, value }: NewRecord) => (value?.length ?? 0) > (this.largest[topic] ?? Infinity);
    const records = all.flatMap((record, i) => isLarge(record) ? [i] : []);
    const topic = all[records[0] ?? -1]?.topic;
    if (topic === undefined) return;
    throw new LogError("too-large", `Cannot append to ${topic}: at most ${this.largest[topic]} bytes`, {
      records,
    });
  }
}
