/**
 * Feeds a source (a file, a data set) into the log, resumably: the records and the position in the source are
 * committed together, so a restarted feeder skips exactly what is already there.
 *
 * A group keeps two numbers: as offset of `events` the position, as offset of `items` the CRC-32 of all records before
 * it. A source that has fewer records, or others, is not the one that was fed.
 *
 * @module
 */

import { crc32 } from "node:zlib";
import { encodeEvent, encodeItem } from "../../src/events/codec.ts";
import { encodeRejection, type Rejection } from "../../src/events/rejection.ts";
import { feederPosition, type FilePosition, positionRecord } from "../topics/feeder_position.ts";
import type { Log, NewRecord, Writer } from "../log/log.ts";
import type { SourceRecord } from "../sources/source.ts";
import { BEFORE_EVENT } from "../task/catalogue_reader.ts";
import type { Topics } from "../topics/topics.ts";

/** Options of a {@linkcode Feeder}. */
export interface FeederOptions {
  /** Source records per commit. @default {1000} */
  readonly batch?: number | undefined;
  /** Events after which the source counts as ended. @default {all} */
  readonly limit?: number | undefined;
  /**
   * Feed a running deployment of any number of partitions: each event goes to the partition of its user, an item
   * applies as soon as it is seen, and this name keeps the position apart from those of other sources. Without it,
   * all goes to partition 0 and an item applies before the event that follows it, as a replay needs it.
   */
  readonly name?: string | undefined;
  /**
   * Milliseconds to add to all times. Called when the source is first fed; a resumed feed adds the same. @default {0}
   */
  readonly shiftMs?: () => Promise<number>;
  /** Wall clock, milliseconds since the epoch. With a name, no record gets a later time. @default {Date.now} */
  readonly now?: () => number;
}

/**
 * Appends a source to the topics `events`, `items` and `rejected`, in the source's order. Records and the position in the
 * source are committed together, so a feeder that is opened again goes on behind the last batch.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { MemoryLog, openSource, topicNames } from "@meander/meander";
 * import { Feeder, topicSpecs } from "@meander/meander/log";
 *
 * const topics = topicNames();
 * await using log = new MemoryLog();
 * await log.createTopics(topicSpecs(topics, 1));
 * await using feeder = await Feeder.open(log, topics, openSource("meander", "fixtures/shop"), { limit: 100 });
 * while (await feeder.feed());
 * assert.equal(feeder.events, 100);
 * ```
 */
export class Feeder implements AsyncDisposable {
  readonly #log: Log;
  readonly #topics: Topics;
  readonly #writer: Writer;
  readonly #source: AsyncIterator<SourceRecord>;
  readonly #batch: number;
  readonly #limit: number;
  readonly #keyed: boolean;
  readonly #now: () => number;
  readonly #group: string;
  readonly #shiftMs: number;
  readonly #resumedFrom: number;
  /** Checksum of the source records before that; `null` = unknown. */
  readonly #resumedSum: number | null;
  /** Checksum of the source records taken out of the iterator. */
  #sum = 0;
  /** Source records appended. */
  #position: number;
  /** Source records taken out of the iterator. */
  #taken = 0;
  /** Events appended. */
  #events: number;
  #items = 0;
  #rejected = 0;
  #firstRejection: Rejection | undefined;

  private constructor(
    log: Log,
    topics: Topics,
    writer: Writer,
    source: AsyncIterable<SourceRecord>,
    options: FeederOptions,
    { position, sum, events, shiftMs }: {
      readonly position: number;
      readonly sum: number | null;
      readonly events: number;
      readonly shiftMs: number;
    },
  ) {
    this.#log = log;
    this.#topics = topics;
    this.#writer = writer;
    this.#source = source[Symbol.asyncIterator]();
    this.#batch = options.batch ?? 1000;
    this.#limit = options.limit ?? Infinity;
    this.#keyed = options.name !== undefined;
    this.#now = this.#keyed ? options.now ?? Date.now : () => Infinity;
    this.#group = feederGroup(topics, options.name);
    this.#position = this.#resumedFrom = position;
    this.#resumedSum = sum;
    this.#events = events;
    this.#shiftMs = shiftMs;
  }

  /** Opens a feeder that resumes where the last one on this log stopped. */
  static async open(
    log: Log,
    topics: Topics,
    source: AsyncIterable<SourceRecord>,
    options: FeederOptions = {},
  ): Promise<Feeder> {
    const { name } = options;
    await using opened = new AsyncDisposableStack();
    const writer = opened.use(await log.writer(feederId(topics, name)));
    const group = feederGroup(topics, name);
    const own = await feederPosition<FilePosition>(log, topics, writer.id);
    const position = own?.next ?? await log.committed(group, topics.events, 0) ?? 0;
    const sum = own?.sum ?? await log.committed(group, topics.items, 0);
    // Among events of other sources, those of this one are counted when they are passed over.
    const events = name === undefined ? (await log.bounds(topics.events, 0)).end : 0;
    const shiftMs = position === 0 ? await options.shiftMs?.() ?? 0 : own?.shiftMs ?? 0;
    opened.move();
    return new Feeder(log, topics, writer, source, options, { position, sum, events, shiftMs });
  }

  /** Source records appended by earlier feeders. */
  get resumedFrom(): number {
    return this.#resumedFrom;
  }

  /** Events appended so far, by earlier feeders too. */
  get events(): number {
    return this.#events;
  }

  /** Records of the catalogue appended so far; without a name, by this feeder. */
  get items(): number {
    return this.#items;
  }

  /** Records rejected so far; without a name, by this feeder. */
  get rejected(): number {
    return this.#rejected;
  }

  /** The first rejection. */
  get firstRejection(): Rejection | undefined {
    return this.#firstRejection;
  }

  /**
   * Appends the next batch.
   *
   * @returns Whether there was anything left to append.
   * @throws Error when what was fed before is not how this source begins.
   */
  async feed(): Promise<boolean> {
    const records: NewRecord[] = [];
    let taken = 0;
    while (taken < this.#batch && this.#events < this.#limit) {
      const next = await this.#source.next();
      if (next.done) {
        if (this.#taken < this.#resumedFrom) this.#refuse(`this one has ${this.#taken}`);
        break;
      }
      this.#taken++;
      this.#sum = checksum(next.value, this.#sum);
      if (this.#taken <= this.#position) {
        if (this.#keyed) this.#count(next.value);
        if (this.#taken === this.#resumedFrom && this.#sum !== (this.#resumedSum ?? this.#sum)) {
          this.#refuse("those of this one are not the same");
        }
        continue;
      }
      taken++;
      records.push(this.#record(shifted(next.value, this.#shiftMs)));
    }
    if (taken === 0) return false;
    this.#position += taken;
    const shift = this.#shiftMs === 0 ? {} : { shiftMs: this.#shiftMs };
    const position = { next: this.#position, sum: this.#sum, ...shift };
    await this.#writer.commit({
      records: [...records, positionRecord(this.#topics, this.#writer.id, position)],
      group: this.#group,
      offsets: [
        { topic: this.#topics.events, partition: 0, offset: this.#position },
        { topic: this.#topics.items, partition: 0, offset: this.#sum },
      ],
    });
    return true;
  }

  /** Closes the source. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#source.return?.();
    await this.#writer[Symbol.asyncDispose]();
  }

  #refuse(reason: string): never {
    throw new Error(
      `Cannot go on with a source of which ${this.#resumedFrom} records are on the log: ${reason}; ` +
        `feed another one under a name of its own`,
    );
  }

  #count(from: SourceRecord): void {
    if (from.kind === "event") this.#events++;
    else if (from.kind === "item") this.#items++;
    else if (this.#rejected++ === 0) this.#firstRejection = from.rejection;
  }

  #record(from: SourceRecord): NewRecord {
    this.#count(from);
    const { events, items, rejected } = this.#topics;
    const place = this.#keyed ? {} : { partition: 0 };
    // Brokers refuse what is of later than now, and with it all that it is written with; a replay depends on no clock.
    const dated = (time: number) => Math.min(time, this.#now());
    switch (from.kind) {
      case "event":
        return {
          topic: events,
          ...place,
          key: from.event.user,
          value: encodeEvent(from.event),
          time: dated(from.event.time),
        };
      case "item":
        return {
          topic: items,
          partition: 0,
          key: from.item.item,
          value: encodeItem(from.item),
          time: dated(from.item.time),
          ...(this.#keyed ? {} : { headers: { [BEFORE_EVENT]: String(this.#events) } }),
        };
      case "rejected":
        return { topic: rejected, partition: 0, key: null, value: encodeRejection(from.rejection), time: 0 };
    }
  }
}

/** A record of so much later. */
function shifted(from: SourceRecord, ms: number): SourceRecord {
  if (ms === 0) return from;
  switch (from.kind) {
    case "event":
      return { ...from, event: { ...from.event, time: from.event.time + ms } };
    case "item": {
      const { item } = from;
      const end = item.expires === undefined ? {} : { expires: item.expires + ms };
      return { ...from, item: { ...item, time: item.time + ms, ...end } };
    }
    case "rejected":
      return from;
  }
}

/** The checksum of the records so far and one more. What is rejected counts by its line: its path may change. */
function checksum(record: SourceRecord, before: number): number {
  switch (record.kind) {
    case "event":
      return crc32(encodeEvent(record.event), before);
    case "item":
      return crc32(encodeItem(record.item), before);
    case "rejected":
      return crc32(String(record.line), before);
  }
}

/** The writer of the feeder of a name. */
export function feederId(topics: Topics, name?: string): string {
  return name === undefined ? `${topics.events}-feeder` : `${topics.events}-feeder-${name}`;
}

/** The group that keeps the position of the feeder of a name. */
export function feederGroup(topics: Topics, name?: string): string {
  return name === undefined ? `${topics.events}-source` : `${topics.events}-source-${name}`;
}
