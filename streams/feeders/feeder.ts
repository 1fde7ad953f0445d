/**
 * Feeds a source (a file, a data set) into the log, resumably: records and the position in the source are committed
 * together, so a restarted feeder skips exactly the records already appended.
 *
 * A consumer group stores two numbers: the position as the offset of `events`, and the CRC-32 of all records before it
 * as the offset of `items`. A source with fewer or different records is not the one that was fed.
 */

import { checkEventFields, checkItemFields } from "../../src/events/check.ts";
import { recordBytes } from "../../src/events/codec.ts";
import { reject, type Rejected } from "../../src/events/rejected.ts";
import { countOf, encodeRejection, type Rejection, rejectionOf } from "../../src/events/rejection.ts";
import {
  feederPosition,
  feederWriter,
  type FilePosition,
  positionRecord,
} from "../topics/feeder_position.ts";
import { FedBefore } from "./fed_before.ts";
import { RejectionAllowance } from "./rejection_allowance.ts";
import type { Commit, Log, NewRecord, Writer } from "../log/log.ts";
import type { SourceRecord } from "../sources/source.ts";
import { BEFORE_EVENT } from "../task/catalogue_reader.ts";
import { commitFitting, withoutBytes } from "../task/fitting.ts";
import type { Topics } from "../topics/topics.ts";

/** Bytes of events and items after which a commit is full. */
const COMMIT_BYTES = 8 << 20;

/** Options of a {@linkcode Feeder}. */
export interface FeederOptions {
  /** Source records per commit. @default {1000} */
  readonly batch?: number | undefined;
  /** Number of events after which the source counts as ended. @default {all} */
  readonly limit?: number | undefined;
  /**
   * Name under which the position is kept, for feeding a running deployment of any number of partitions: each event
   * goes to its user's partition, and an item applies as soon as it is appended. Without a name, everything goes to
   * partition 0 and an item applies before the event that follows it, as a replay requires.
   */
  readonly name?: string | undefined;
  /**
   * Milliseconds to add to all times. Called when the source is first fed; a resumed feed adds the same amount.
   * @default {0}
   */
  readonly shiftMs?: (() => Promise<number>) | undefined;
  /**
   * How many records from the start of the source may be rejected before one is accepted: with more, it is probably read
   * in the wrong format, and nothing is appended. @default {any number}
   */
  readonly maxRejectedFirst?: number | undefined;
  /** Wall clock, milliseconds since the epoch. With a name, no record gets a later time. @default {Date.now} */
  readonly now?: () => number;
}

/**
 * Appends a source to the topics `events`, `items` and `rejected`, in the source's order. Records and the position in the
 * source are committed together, so a reopened feeder continues after the last batch.
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
  readonly #topics: Topics;
  readonly #writer: Writer;
  readonly #source: AsyncIterator<SourceRecord>;
  readonly #batch: number;
  readonly #limit: number;
  readonly #keyed: boolean;
  readonly #now: () => number;
  readonly #group: string;
  readonly #maxRejectedFirst: number;
  readonly #shiftMs: number;
  /** A replay, which has no name, keeps all rejections. */
  readonly #allowance: RejectionAllowance | undefined;
  readonly #fed: FedBefore;
  /** Events appended. */
  #events: number;
  #items = 0;
  #rejected = 0;
  #firstRejection: Rejection | undefined;

  private constructor(
    topics: Topics,
    writer: Writer,
    source: AsyncIterable<SourceRecord>,
    options: FeederOptions,
    { fed, events, shiftMs }: {
      readonly fed: FedBefore;
      readonly events: number;
      readonly shiftMs: number;
    },
  ) {
    this.#topics = topics;
    this.#writer = writer;
    this.#source = source[Symbol.asyncIterator]();
    this.#batch = options.batch ?? 1000;
    this.#limit = options.limit ?? Infinity;
    this.#keyed = options.name !== undefined;
    this.#now = this.#keyed ? options.now ?? Date.now : () => Infinity;
    this.#group = feederGroup(topics, options.name);
    this.#maxRejectedFirst = options.maxRejectedFirst ?? Infinity;
    this.#allowance = this.#keyed ? new RejectionAllowance() : undefined;
    this.#fed = fed;
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
    const writer = opened.use(await feederWriter(log, topics, feederId(topics, name)));
    const group = feederGroup(topics, name);
    const own = await feederPosition<FilePosition>(log, topics, writer.id);
    const next = own?.next ?? await log.committed(group, topics.events, 0) ?? 0;
    const sum = own?.sum ?? await log.committed(group, topics.items, 0);
    // The log may hold events of other sources too; this source's events are counted as they are skipped.
    const events = name === undefined ? (await log.bounds(topics.events, 0)).end : 0;
    const shiftMs = next === 0 ? await options.shiftMs?.() ?? 0 : own?.shiftMs ?? 0;
    opened.move();
    const fed = new FedBefore({ next, sum, sumBefore: own?.sumBefore });
    return new Feeder(topics, writer, source, options, { fed, events, shiftMs });
  }

  /** Source records appended by earlier feeders. */
  get resumedFrom(): number {
    return this.#fed.count;
  }

  /** Events appended so far, including by earlier feeders. */
  get events(): number {
    return this.#events;
  }

  /** Catalogue records appended so far; without a name, by this feeder. */
  get items(): number {
    return this.#items;
  }

  /** Records rejected so far, including those that the topic has no room for; without a name, by this feeder. */
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
   * @throws Error when this source does not begin with the records fed before
   * @throws HopelessSourceError see `maxRejectedFirst`
   */
  async feed(): Promise<boolean> {
    const taken: Taken[] = [];
    let events = this.#events, bytes = 0;
    const most = this.#maxRejectedFirst;
    let first: Rejection | undefined;
    let isHopeless = most < Infinity && this.#fed.isAtStart;
    while (taken.length < (isHopeless ? most : this.#batch) && bytes < COMMIT_BYTES && events < this.#limit) {
      const next = await this.#source.next();
      if (next.done) {
        this.#fed.end();
        break;
      }
      const own = encoded(next.value);
      const isFed = this.#fed.pass(own.kind === "rejected" ? String(own.line) : own.bytes);
      const from = shifted(own, this.#shiftMs);
      const one: Taken = { from, kept: this.#allow(from) };
      if (isFed) {
        if (this.#keyed) this.#count(from);
        events = this.#events;
        continue;
      }
      taken.push(one);
      if (from.kind === "rejected") first ??= from.rejection;
      else {
        isHopeless = false;
        bytes += from.bytes.length;
      }
      if (from.kind === "event") events++;
    }
    if (taken.length === 0) return false;
    if (isHopeless && first && taken.length === most) throw new HopelessSourceError(most, first);
    const shiftMs = this.#shiftMs === 0 ? undefined : this.#shiftMs;
    const position = this.#fed.position(taken.at(-1)?.from.kind === "rejected");
    await this.#commit(taken, {
      records: [positionRecord(this.#topics, this.#writer.id, { ...position, shiftMs })],
      group: this.#group,
      offsets: [
        { topic: this.#topics.events, partition: 0, offset: position.next },
        { topic: this.#topics.items, partition: 0, offset: position.sum },
      ],
    });
    return true;
  }

  /** Closes the source. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#source.return?.();
    await this.#writer[Symbol.asyncDispose]();
  }

  async #commit(taken: readonly Taken[], position: Commit): Promise<void> {
    let events = this.#events;
    const parts = taken.map(({ from, kept }) => {
      const records = kept === null ? [] : [this.#record(kept, events)];
      if (from.kind === "event") events++;
      return { from, records };
    });
    const committed = await commitFitting(this.#writer, parts, position, (part, reason) => {
      const { from, records: [record] } = part;
      if (from.kind !== "rejected") {
        const rejected = rejectedOwn(from, reject("too-large", reason));
        return { from: rejected, records: [this.#record(rejected, 0)] };
      }
      const cut = record === undefined ? null : withoutBytes(record);
      return cut && { from, records: [cut] };
    });
    for (const { from } of committed.parts) this.#count(from);
  }

  /** What to write of a record; `null` = nothing, because too many like it are rejected. */
  #allow(from: Encoded): Encoded | null {
    if (this.#allowance === undefined) return from;
    if (from.kind === "rejected") {
      const rejection = this.#allowance.keep(from.rejection);
      return rejection && { ...from, rejection };
    }
    this.#allowance.take(from.bytes.length);
    return from;
  }

  #count(from: Encoded): void {
    if (from.kind === "event") this.#events++;
    else if (from.kind === "item") this.#items++;
    else {
      this.#rejected += countOf(from.rejection);
      this.#firstRejection ??= from.rejection;
    }
  }

  /** @param before number of events before it, which without a name includes all on the log */
  #record(from: Encoded, before: number): NewRecord {
    const { events, items, rejected } = this.#topics;
    const partition = this.#keyed ? undefined : 0;
    switch (from.kind) {
      case "event": {
        const { event, bytes } = from;
        return { topic: events, partition, key: event.user, value: bytes, time: this.#timeOf(event) };
      }
      case "item": {
        const { item, bytes } = from;
        const headers = this.#keyed ? undefined : { [BEFORE_EVENT]: String(before) };
        const time = this.#timeOf(item);
        return {
          topic: items,
          partition: 0,
          key: item.item,
          value: from.isRemoved ? null : bytes,
          time,
          headers,
        };
      }
      case "rejected":
        return { topic: rejected, partition: 0, key: null, value: encodeRejection(from.rejection), time: 0 };
    }
  }

  /** Brokers reject a whole batch when one time is ahead of theirs; a replay must not depend on a clock. */
  #timeOf({ time }: { readonly time: number }): number {
    return Math.min(time, this.#now());
  }
}

type Own = Exclude<SourceRecord, { readonly kind: "rejected" }>;
type Encoded = Own & { readonly bytes: Uint8Array } | Exclude<SourceRecord, Own>;

/** A record that was read, and what is written of it. */
interface Taken {
  readonly from: Encoded;
  readonly kept: Encoded | null;
}

/** A source whose first records would all be rejected; nothing of it was appended. */
export class HopelessSourceError extends Error {
  override readonly name = "HopelessSourceError";
  /** The first of them. */
  readonly first: Rejection;

  constructor(count: number, first: Rejection) {
    super(
      `Cannot feed the source: its first ${count} records would all be rejected, so nothing was appended`,
    );
    this.first = first;
  }
}

/** Encodes a source record; one that is too large for the log is rejected. */
function encoded(from: SourceRecord): Encoded {
  if (from.kind === "rejected") return from;
  const record = from.kind === "event" ? from.event : from.item;
  const bytes = recordBytes(record, from.kind);
  return bytes instanceof Uint8Array ? { ...from, bytes } : rejectedOwn(from, bytes);
}

/** Shifts the times of a record; one whose time is then out of range is rejected. */
function shifted(from: Encoded, ms: number): Encoded {
  if (ms === 0 || from.kind === "rejected") return from;
  if (from.kind === "event") {
    const checked = checkEventFields({ ...from.event, time: from.event.time + ms });
    return checked.ok ? encoded({ ...from, event: checked.event }) : rejectedOwn(from, checked);
  }
  const { item } = from;
  const moved = { ...item, time: item.time + ms };
  const checked = checkItemFields(
    item.expires === undefined ? moved : { ...moved, expires: item.expires + ms },
  );
  return checked.ok ? encoded({ ...from, item: checked.item }) : rejectedOwn(from, checked);
}

function rejectedOwn(own: Own, rejected: Rejected): Encoded {
  const { file, line } = own;
  const bytes = new TextEncoder().encode(JSON.stringify(own.kind === "event" ? own.event : own.item));
  return { kind: "rejected", file, line, rejection: rejectionOf({ file, line }, rejected, bytes) };
}

/** The writer id of the named feeder. */
export function feederId(topics: Topics, name?: string): string {
  return name === undefined ? `${topics.events}-feeder` : `${topics.events}-feeder-${name}`;
}

/** The consumer group that stores the position of the named feeder. */
export function feederGroup(topics: Topics, name?: string): string {
  return name === undefined ? `${topics.events}-source` : `${topics.events}-source-${name}`;
}
