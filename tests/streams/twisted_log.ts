/**
 * A log in memory whose records are read otherwise than they were appended: as other programs may have written them,
 * and as no port of ours would take them.
 *
 * @module
 */

import type { LogRecord, ReadOptions, ReadResult } from "../../streams/log/log.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";

/** What of a record is another. */
export type Twist = Partial<Pick<LogRecord, "key" | "value" | "time" | "headers">>;

/** See the module. */
export class TwistedLog extends MemoryLog {
  readonly #twists = new Map<string, Twist>();

  /** Has a record be read otherwise from now on. */
  twist(topic: string, partition: number, offset: number, twist: Twist): void {
    this.#twists.set(`${topic}/${partition}@${offset}`, twist);
  }

  override async read(
    topic: string,
    partition: number,
    from: number,
    options?: ReadOptions,
  ): Promise<ReadResult> {
    const { records, next } = await super.read(topic, partition, from, options);
    return { records: records.map((record) => this.#twisted(record)), next };
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
