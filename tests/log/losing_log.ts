/** A partition whose leaders are elected without records that were read. */

import { beyondEnd, replaced } from "../../streams/log/checks.ts";
import type { Bounds, LogRecord, ReadOptions, ReadResult } from "../../streams/log/log.ts";

/** See the module. Every topic has the same partition. */
export class LosingLog {
  #records: (LogRecord & { readonly epoch: number })[] = [];
  /** Where each epoch ends, as leaders were elected without the rest. */
  readonly #ends: number[] = [];

  /** Appends tombstones. */
  append(...keys: readonly string[]): void {
    for (const key of keys) {
      const epoch = this.#ends.length;
      const offset = this.#records.length;
      this.#records.push({ topic: "", partition: 0, offset, key, value: null, time: 1, headers: {}, epoch });
    }
  }

  /** Elects a leader that lacks the records from an offset on. */
  lose(from: number): void {
    this.#records = this.#records.slice(0, from);
    this.#ends.push(from);
  }

  bounds(): Promise<Bounds> {
    return Promise.resolve({ start: 0, end: this.#records.length });
  }

  /** Reads records of one epoch. */
  read(
    topic: string,
    partition: number,
    from: number,
    { epoch, maxRecords = Infinity }: ReadOptions = {},
  ): Promise<ReadResult> {
    const place = { topic, partition };
    const kept = Math.min(...this.#ends.slice(epoch ?? Infinity));
    const end = this.#records.length;
    if (from > end) return Promise.reject(beyondEnd(place, from, Math.min(end, kept)));
    if (from > kept) return Promise.reject(replaced(place, from, kept));
    const [first] = this.#records.slice(from);
    if (first === undefined) return Promise.resolve({ records: [], next: from, epoch });
    const own = this.#records.slice(from).filter((record) => record.epoch === first.epoch)
      .slice(0, maxRecords);
    return Promise.resolve({
      records: own.map(({ epoch: _, ...record }) => ({ ...record, topic, partition })),
      next: from + own.length,
      epoch: first.epoch,
    });
  }
}
