/**
 * Records that cannot be read, on topics that only meander writes: another program wrote there, or a disk lost bits.
 * If only the record is lost, it is left out, logged and counted; if state would be lost for good, work stops with an
 * error that names the record and a remedy.
 */

import { getLogger } from "@logtape/logtape";
import { reasonOf } from "../../src/values/reason.ts";
import { LogError, type LogRecord } from "./log.ts";

/** Where a record is. */
export type RecordPlace = Pick<LogRecord, "topic" | "partition" | "offset">;

/** What was left out, and why. */
export interface LeftOut {
  readonly place: RecordPlace;
  /** What is wrong with it, for people. */
  readonly reason: string;
  /** The consequence, for people. */
  readonly effect: string;
}

/** The first records of a topic are logged one by one, later ones one in {@linkcode LOGGED_EVERY}. */
const LOGGED = 100;
const LOGGED_EVERY = 1000;

const logger = getLogger(["meander", "log"]);

/** Counts records that were left out. */
class UnreadableRecords {
  readonly #counts = new Map<string, number>();
  #to: ((leftOut: LeftOut) => void) | undefined;

  /** Number left out since the process began, by topic. */
  get counts(): ReadonlyMap<string, number> {
    return this.#counts;
  }

  /** Forwards records that are left out, from a thread without logging and metrics. */
  forward(to: (leftOut: LeftOut) => void): void {
    this.#to = to;
  }

  /**
   * Leaves a record out.
   *
   * @param cause the error of reading it, or why it cannot be used
   * @param effect the consequence, for people
   */
  leaveOut({ topic, partition, offset }: RecordPlace, cause: unknown, effect: string): void {
    const reason = reasonOf(cause);
    if (this.#to !== undefined) return this.#to({ place: { topic, partition, offset }, reason, effect });
    const count = (this.#counts.get(topic) ?? 0) + 1;
    this.#counts.set(topic, count);
    if (count > LOGGED && count % LOGGED_EVERY !== 0) return;
    logger.warn("{topic}/{partition}@{offset} is left out, because it cannot be read: {reason}; {effect}", {
      topic,
      partition,
      offset,
      reason,
      effect,
      count,
    });
  }
}

/** The counter of this thread. */
export const unreadable = new UnreadableRecords();

/**
 * The error for a record that must not be left out.
 *
 * @param what cannot be done, such as "restore task 0"
 * @param cause the error of reading it
 * @param remedy what to do about it, for people
 */
export function corruptRecord(
  what: string,
  { topic, partition, offset }: RecordPlace,
  cause: unknown,
  remedy: string,
): LogError {
  const text = `Cannot ${what}: ${topic}/${partition}@${offset} cannot be read (${
    reasonOf(cause)
  }); ${remedy}`;
  return new LogError("corrupt", text, { cause });
}

/** The remedy for a record that is indispensable. */
export function remedyByCopy({ topic }: RecordPlace): string {
  return `run the release that wrote it, or restore ${topic} from a copy`;
}

/** The remedy for a record of a compacted topic. @param effect what happens without it */
export function remedyByTombstone({ topic, partition, key }: LogRecord, effect: string): string {
  const name = JSON.stringify(key);
  return `run the release that wrote it, restore ${topic} from a copy, or append a record with the key ${name} and ` +
    `no value to ${topic}/${partition}: ${effect}`;
}
