/**
 * Feeds a source (a file, a data set) into the log, resumably: the records and the position in the source are
 * committed together, so a restarted feeder skips exactly what is already there.
 *
 * @module
 */

import { encodeEvent, encodeItem } from "../src/events/codec.ts";
import { encodeRejection } from "../src/events/rejection.ts";
import type { Log, NewRecord, Writer } from "./log/log.ts";
import type { SourceRecord } from "./sources/source.ts";
import { BEFORE_EVENT } from "./task.ts";
import type { Topics } from "./topics.ts";

/** Options of a {@linkcode Feeder}. */
export interface FeederOptions {
  /** Source records a commit. @default {1000} */
  readonly batch?: number;
  /** Events after which the source counts as ended. @default {all} */
  readonly limit?: number;
}

/** Appends a source to the topics `events`, `items` and `rejected`, in the source's order. */
export class Feeder implements AsyncDisposable {
  readonly #log: Log;
  readonly #topics: Topics;
  readonly #writer: Writer;
  readonly #source: AsyncIterator<SourceRecord>;
  readonly #batch: number;
  readonly #limit: number;
  /** Source records appended. */
  #position: number;
  /** Source records taken out of the iterator. */
  #taken = 0;
  /** Events appended. */
  #events: number;

  private constructor(
    log: Log,
    topics: Topics,
    writer: Writer,
    source: AsyncIterable<SourceRecord>,
    options: FeederOptions,
    position: number,
    events: number,
  ) {
    this.#log = log;
    this.#topics = topics;
    this.#writer = writer;
    this.#source = source[Symbol.asyncIterator]();
    this.#batch = options.batch ?? 1000;
    this.#limit = options.limit ?? Infinity;
    this.#position = position;
    this.#events = events;
  }

  /** A feeder that goes on where the last one on this log stopped. */
  static async open(
    log: Log,
    topics: Topics,
    source: AsyncIterable<SourceRecord>,
    options: FeederOptions = {},
  ): Promise<Feeder> {
    const writer = await log.writer(`${topics.events}-feeder`);
    const position = await log.committed(group(topics), topics.events, 0) ?? 0;
    const { end } = await log.bounds(topics.events, 0);
    return new Feeder(log, topics, writer, source, options, position, end);
  }

  /** Events appended so far. */
  get events(): number {
    return this.#events;
  }

  /** Appends the next batch. @returns Whether there was anything left to append. */
  async feed(): Promise<boolean> {
    const records: NewRecord[] = [];
    let taken = 0;
    while (taken < this.#batch && this.#events < this.#limit) {
      const next = await this.#source.next();
      if (next.done) break;
      this.#taken++;
      if (this.#taken <= this.#position) continue;
      taken++;
      records.push(this.#record(next.value));
    }
    if (taken === 0) return false;
    this.#position += taken;
    await this.#writer.commit({
      records,
      group: group(this.#topics),
      offsets: [{ topic: this.#topics.events, partition: 0, offset: this.#position }],
    });
    return true;
  }

  /** Closes the source. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#source.return?.();
    await this.#writer[Symbol.asyncDispose]();
  }

  #record(from: SourceRecord): NewRecord {
    const { events, items, rejected } = this.#topics;
    switch (from.kind) {
      case "event":
        this.#events++;
        return {
          topic: events,
          partition: 0,
          key: from.event.user,
          value: encodeEvent(from.event),
          time: from.event.time,
        };
      case "item":
        return {
          topic: items,
          partition: 0,
          key: from.item.item,
          value: encodeItem(from.item),
          time: from.item.time,
          headers: { [BEFORE_EVENT]: String(this.#events) },
        };
      case "rejected":
        return { topic: rejected, partition: 0, key: null, value: encodeRejection(from.rejection), time: 0 };
    }
  }
}

function group(topics: Topics): string {
  return `${topics.events}-source`;
}
