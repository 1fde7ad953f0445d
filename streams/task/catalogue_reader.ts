/** Applies the catalogue to a task: items are read ahead and applied at their place among the events. */

import { checkItem } from "../../src/events/check.ts";
import { decodeItem } from "../../src/events/codec.ts";
import { MAX_TIME_MS, MIN_TIME_MS } from "../../src/events/limits.ts";
import { reject, shown } from "../../src/events/rejected.ts";
import type { TaskState } from "../../src/engine/task_state.ts";
import type { Log, LogRecord } from "../log/log.ts";
import { readOn } from "../log/reading.ts";
import type { Outbox } from "./outbox.ts";

/** Header of a catalogue record: it applies before the event at this offset of partition 0. */
export const BEFORE_EVENT = "before-event";

/** Items to read at a time, and items to apply between two checks of the time budget. */
const READ_ITEMS = 250;
const LOOK_ITEMS = 50;

/** Whether the time budget is used up. */
type IsOver = () => boolean;
const NEVER: IsOver = () => false;

/** Receives items and rejections. */
interface ItemTargets {
  readonly state: Pick<TaskState, "applyItem" | "removeItem">;
  readonly outbox: Pick<Outbox, "reject">;
}

/** Reads the catalogue's topic and applies it. Positions are offsets of its only partition. */
export class CatalogueReader {
  readonly #log: Pick<Log, "read" | "bounds">;
  readonly #topic: string;
  readonly #targets: ItemTargets;
  /** Records that were read ahead; those before `#at` are applied. */
  #records: LogRecord[] = [];
  #at = 0;
  #read: number;
  /** See `ReadResult.epoch`, of the last read. */
  #epoch: number | undefined;
  /** End of the topic when items were last found: events wait for items before it, not for later ones. */
  #end = Infinity;
  #isAtEnd = false;
  /** Whether time ran out before all due items were applied. */
  #isInterrupted = false;
  #applied: number;
  #committed: number;

  /** Starts at a position. */
  constructor(log: Pick<Log, "read" | "bounds">, topic: string, from: number, targets: ItemTargets) {
    this.#log = log;
    this.#topic = topic;
    this.#targets = targets;
    this.#read = this.#applied = this.#committed = from;
  }

  /** Position after the last applied record. */
  get applied(): number {
    return this.#applied;
  }

  /** Position up to which applied records are committed. */
  get committed(): number {
    return this.#committed;
  }

  /** To be called when applied records are committed. */
  keep(): void {
    this.#committed = this.#applied;
  }

  /** Whether {@linkcode CatalogueReader.read} has reached the end that the topic had when it was first looked up. */
  get isAtEnd(): boolean {
    return this.#isAtEnd;
  }

  /** Whether it is still reading towards that end: an event that is read meanwhile may be newer than items after it. */
  get isSeeking(): boolean {
    return !this.#isAtEnd && this.#end < Infinity;
  }

  /** Whether items are left that could be applied now. */
  get isBehind(): boolean {
    return !this.#isAtEnd || this.#isInterrupted;
  }

  /** Reads to the end of the topic, or until time runs out, and applies items without a place among the events. */
  async read(isOver: IsOver = NEVER): Promise<void> {
    if (this.#isAtEnd) this.#end = Infinity;
    do {
      const place = { topic: this.#topic, partition: 0 };
      const options = { reader: "a task", from: this.#read, epoch: this.#epoch, maxRecords: READ_ITEMS };
      const { records, next, epoch } = await readOn(this.#log, place, options);
      if (records.length > 0 && this.#end === Infinity) {
        ({ end: this.#end } = await this.#log.bounds(this.#topic, 0));
      }
      for (const record of records) this.#records.push(record);
      [this.#read, this.#epoch] = [next, epoch];
      // Items without a place must not pile up until an event arrives.
      this.applyBefore(-1);
      this.#isAtEnd = records.length === 0 || next >= this.#end;
    } while (!this.#isAtEnd && !isOver());
  }

  /** Applies items placed before the event at `offset`, until time runs out. @returns whether all are applied */
  applyBefore(offset: number, isOver: IsOver = NEVER): boolean {
    this.#isInterrupted = false;
    for (let applied = 0; this.#at < this.#records.length; this.#at++) {
      const record = this.#records[this.#at]!;
      if ((placeIn(record) ?? -1) > offset) return true;
      if (++applied % LOOK_ITEMS === 0 && isOver()) {
        this.#isInterrupted = true;
        return false;
      }
      this.#apply(record);
      this.#applied = record.offset + 1;
    }
    this.#records = [];
    this.#at = 0;
    return true;
  }

  #apply(record: LogRecord): void {
    const { state, outbox } = this.#targets;
    if (placeIn(record) === null) {
      const got = shown(record.headers[BEFORE_EVENT]);
      const reason = `Cannot take header ${BEFORE_EVENT} of the item as an offset: current value is ${got}`;
      return outbox.reject(record, reject("wrong-type", reason));
    }
    if (record.value === null) {
      // A removal needs no valid time of its own.
      const time = Math.min(Math.max(record.time, MIN_TIME_MS), MAX_TIME_MS - 1);
      const checked = checkItem({ item: record.key ?? "", time });
      if (checked.ok) state.removeItem(checked.item.item, time);
      else outbox.reject(record, checked);
      return;
    }
    const decoded = decodeItem(record.value);
    const rejected = decoded.ok ? state.applyItem(decoded.item) : decoded;
    if (rejected !== null) outbox.reject(record, rejected);
  }
}

/** Offset of the event before which an item applies, -1 without one; `null` when the header is not an offset. */
function placeIn({ headers }: LogRecord): number | null {
  const place = headers[BEFORE_EVENT];
  if (place === undefined) return -1;
  return /^\d{1,15}$/.test(place) ? Number(place) : null;
}
