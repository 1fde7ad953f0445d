/**
 * How a task takes the catalogue in: read ahead, applied when its events have come so far.
 *
 * @module
 */

import type { Log, LogRecord } from "../log/log.ts";

/** Header of a catalogue record: it applies before the event at this offset of partition 0. */
export const BEFORE_EVENT = "before-event";

/** Reads the catalogue's topic. Positions are offsets of its only partition. */
export class CatalogueReader {
  readonly #log: Pick<Log, "read">;
  readonly #topic: string;
  readonly #apply: (record: LogRecord) => void;
  /** Records read ahead, applied up to `#at`. */
  #records: LogRecord[] = [];
  #at = 0;
  #read: number;
  #applied: number;

  /** Goes on from a position, applying records by `apply`. */
  constructor(log: Pick<Log, "read">, topic: string, from: number, apply: (record: LogRecord) => void) {
    this.#log = log;
    this.#topic = topic;
    this.#apply = apply;
    this.#read = this.#applied = from;
  }

  /** Position behind the last applied record. */
  get applied(): number {
    return this.#applied;
  }

  /** Reads all that is there, and applies what does not say when. */
  async read(): Promise<void> {
    for (;;) {
      const { records, next } = await this.#log.read(this.#topic, 0, this.#read);
      for (const record of records) this.#records.push(record);
      this.#read = next;
      // What does not say when must not pile up until an event comes.
      this.applyBefore(-1);
      if (records.length === 0) return;
    }
  }

  /** Applies what comes before the event at `offset`. */
  applyBefore(offset: number): void {
    for (; this.#at < this.#records.length; this.#at++) {
      const record = this.#records[this.#at]!;
      if (Number(record.headers[BEFORE_EVENT] ?? -1) > offset) return;
      this.#apply(record);
      this.#applied = record.offset + 1;
    }
    this.#records = [];
    this.#at = 0;
  }
}
