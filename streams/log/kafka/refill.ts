/**
 * Writes records at their original offsets.
 *
 * Brokers number records themselves, without gaps, and refuse batches that claim more offsets than they have records.
 * So gaps are filled with records of transactions that are then aborted, which readers of committed records do not see.
 * The marker that ends a transaction takes an offset as well:
 *
 * ```text
 *   hole of 1, none open     u       transaction stays open: its marker fills the next hole of 1
 *   hole of 1, one open      m
 *   hole of n                u…u m   n − 1 records, and the marker
 *   end                      like a hole; takes one offset more if there is no other for the marker
 * ```
 */

import { type Bounds, LogError, type LogRecord } from "../log.ts";
import { type Producer, sizeOf } from "./producer.ts";
import type { PlacedRecord } from "./protocol/requests.ts";
import { BATCH_BYTES } from "./writers.ts";

/** How long a transaction may stay open between two holes; brokers allow 15 minutes by default. */
export const LONG_TRANSACTION_MS = 840_000;
/** Maximum number of records per write. */
const MAX_RECORDS = 10_000;

/** The partition to fill, and how. */
export interface Refilled {
  readonly topic: string;
  readonly partition: number;
  /** Writes the records. */
  readonly seen: Producer;
  /** Writes the records of gaps; is transactional. */
  readonly unseen: Producer;
  /** Resolves when the partition ends at an offset: brokers acknowledge the end of a transaction before its marker. */
  readonly endsAt: (offset: number) => Promise<void>;
  /** Whether each record must have a key. */
  readonly isCompact: boolean;
}

/** See `Log.refill`. @throws LogError `closed` when another program writes to the partition in the meantime */
export async function refill(
  to: Refilled,
  records: AsyncIterable<LogRecord>,
  { start, end }: Bounds,
): Promise<void> {
  const filler = new Filler(to);
  for await (const record of records) await filler.add(record);
  await filler.finish(Math.max(start, end));
}

class Filler {
  readonly #to: Refilled;
  /** The next offset. */
  #next = 0;
  /** Records without a hole between them, to be written together. */
  #run: LogRecord[] = [];
  #runBytes = 0;
  #isOpen = false;

  constructor(to: Refilled) {
    this.#to = to;
  }

  async add(record: LogRecord): Promise<void> {
    const at = this.#next + this.#run.length;
    if (record.offset < at) throw new RangeError(`Cannot write a record to ${record.offset}: ${at} is next`);
    if (record.offset > at || this.#runBytes > BATCH_BYTES || this.#run.length >= MAX_RECORDS) {
      await this.#flush();
    }
    if (record.offset > at) await this.#skip(record.offset - at);
    this.#run.push(record);
    this.#runBytes += sizeOf([this.#placed(record)]);
  }

  async finish(end: number): Promise<void> {
    await this.#flush();
    const hole = end - this.#next;
    if (hole > 1) await this.#skip(hole);
    else if (hole === 1 && !this.#isOpen) await this.#skip(2);
    if (this.#isOpen) await this.#abort();
  }

  async #flush(): Promise<void> {
    if (this.#run.length > 0) await this.#write(this.#to.seen, this.#run);
    this.#run = [];
    this.#runBytes = 0;
  }

  /** Leaves a number of offsets without a visible record. */
  async #skip(count: number): Promise<void> {
    if (count === 1 && this.#isOpen) return await this.#abort();
    const keepsOpen = count === 1;
    for (let left = keepsOpen ? 1 : count - 1; left > 0;) {
      const some = Math.min(left, MAX_RECORDS);
      const { topic, partition, isCompact } = this.#to;
      const blank = {
        topic,
        partition,
        offset: -1,
        key: isCompact ? "-" : null,
        value: null,
        time: 0,
        headers: {},
      };
      await this.#write(this.#to.unseen, new Array<LogRecord>(some).fill(blank));
      left -= some;
    }
    this.#isOpen = true;
    if (!keepsOpen) await this.#abort();
  }

  async #abort(): Promise<void> {
    await this.#to.unseen.abort();
    this.#isOpen = false;
    await this.#to.endsAt(++this.#next);
  }

  async #write(producer: Producer, records: readonly LogRecord[]): Promise<void> {
    const placed = records.map((record) => this.#placed(record));
    const offsets =
      await (producer === this.#to.seen ? producer.write(placed) : producer.writeUnseen(placed));
    const [first] = offsets;
    if (first !== this.#next) {
      const { topic, partition } = this.#to;
      throw new LogError(
        "closed",
        `Cannot write to offset ${this.#next} of ${topic}/${partition}: the record got ${first}, so other programs ` +
          "write there; stop them, delete the topics, and restore again",
      );
    }
    this.#next += records.length;
  }

  #placed(record: LogRecord): PlacedRecord {
    return { record, partition: this.#to.partition };
  }
}
