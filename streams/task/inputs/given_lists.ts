/**
 * The answers that requests of a partition received originally, read in step with the requests by the header `input` of
 * each answer.
 */

import type { GivenList } from "../../../src/engine/lists.ts";
import { exposuresOf, type Recommendation } from "../../../src/events/recommendation.ts";
import type { Log, LogRecord } from "../../log/log.ts";
import { readOn } from "../../log/reading.ts";
import { unreadable } from "../../log/unreadable.ts";
import { INPUT } from "../../topics/delivery.ts";

/** Number of answers to read at a time. */
const READ = 256;
/** Number of records to look at in one place. */
const PROBE = 16;
/** Number of offsets to go back from the place found by bisection, because repeated answers are out of order. */
const BEFORE = 2000;

const decoder = new TextDecoder();

/** Reads the answers of one partition. */
export class GivenLists {
  readonly #log: Pick<Log, "read" | "bounds">;
  readonly #topic: string;
  readonly #partition: number;
  /** Answers read ahead, by offset of the request. */
  readonly #ahead = new Map<number, LogRecord>();
  #next = -1;
  /** See `ReadResult.epoch`, of the last read. */
  #epoch: number | undefined;
  #readTo = -1;
  #isAtEnd = false;

  /** Reads nothing yet. */
  constructor(log: Pick<Log, "read" | "bounds">, topic: string, partition: number) {
    this.#log = log;
    this.#topic = topic;
    this.#partition = partition;
  }

  /** Reads all answers to requests up to an offset. @param from smallest offset that will be taken */
  async readTo(from: number, offset: number): Promise<void> {
    if (this.#next < 0) this.#next = await this.#find(from);
    this.#isAtEnd = false; // there may be new answers
    // A repeat of an answer arrives within one commit of its task.
    while (!this.#isAtEnd && this.#readTo <= offset) {
      const place = { topic: this.#topic, partition: this.#partition };
      const options = { reader: "a build", from: this.#next, epoch: this.#epoch, maxRecords: READ };
      const result = await readOn(this.#log, place, options);
      for (const record of result.records) {
        const input = inputOf(record);
        if (input >= from) this.#ahead.set(input, record);
        this.#readTo = Math.max(this.#readTo, input);
      }
      this.#isAtEnd = result.next === this.#next; // a read may skip records and still move on
      [this.#next, this.#epoch] = [result.next, result.epoch];
    }
  }

  /** The last answer to the request at an offset; `null` = none. */
  take(offset: number): GivenList | null {
    const record = this.#ahead.get(offset);
    for (const input of this.#ahead.keys()) {
      if (input > offset) break;
      this.#ahead.delete(input);
    }
    if (record === undefined || record.value === null) return null;
    try {
      const recommendation: Recommendation = JSON.parse(decoder.decode(record.value));
      const exposures = exposuresOf(recommendation);
      return { items: recommendation.items, exposures: exposures.length === 0 ? undefined : exposures };
    } catch (cause) {
      unreadable.leaveOut(record, cause, "its request counts as not answered");
      return null;
    }
  }

  /** Finds where the answers to requests from an offset on begin, by bisection, since they are nearly in order. */
  async #find(from: number): Promise<number> {
    const { start, end } = await this.#log.bounds(this.#topic, this.#partition);
    let [low, high] = [start, end];
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      const { records } = await this.#log.read(this.#topic, this.#partition, middle, { maxRecords: PROBE });
      // Records of other producers do not say which request they answer.
      const own = records.find((record) => inputOf(record) >= 0);
      if (own === undefined || inputOf(own) >= from) high = middle;
      else low = own.offset + 1;
    }
    return Math.max(start, low - BEFORE);
  }
}

/** Offset of the event that an output came from; −1 = unknown. */
function inputOf({ headers }: LogRecord): number {
  const [, offset] = /^\d+\/(\d+)\/\d+$/.exec(headers[INPUT] ?? "") ?? [];
  return offset === undefined ? -1 : Number(offset);
}
