/**
 * Records that cannot be read, on topics that only meander writes: another program has written there, or a disk has
 * lost bits. Where nothing but the record is lost they are left out, said and counted; where something would begin anew
 * that nobody can bring back, the work stops, and says where the record is and what to do.
 *
 * @module
 */

import { getLogger } from "@logtape/logtape";
import { LogError, type LogRecord } from "./log.ts";

/** Where a record stands. */
export type RecordPlace = Pick<LogRecord, "topic" | "partition" | "offset">;

/** What was left out, and why. */
export interface LeftOut {
  readonly place: RecordPlace;
  /** What is wrong with it, for people. */
  readonly reason: string;
  /** What becomes of it, for people. */
  readonly effect: string;
}

/** Of a topic the first so many are said one by one, then one of each thousand. */
const SAID = 100;
const SAID_EVERY = 1000;

const logger = getLogger(["meander", "log"]);

/** Counts records that were left out. */
export class UnreadableRecords {
  readonly #counts = new Map<string, number>();
  #to: ((leftOut: LeftOut) => void) | undefined;

  /** How many were left out since the process began, by topic. */
  get counts(): ReadonlyMap<string, number> {
    return this.#counts;
  }

  /** Has somebody else count and say what is left out, for a thread that has neither a log for people nor metrics. */
  forward(to: (leftOut: LeftOut) => void): void {
    this.#to = to;
  }

  /**
   * Leaves a record out.
   *
   * @param cause what reading it has thrown, or why it cannot be used
   * @param effect what becomes of it, for people
   */
  leaveOut({ topic, partition, offset }: RecordPlace, cause: unknown, effect: string): void {
    const reason = reasonOf(cause);
    if (this.#to !== undefined) return this.#to({ place: { topic, partition, offset }, reason, effect });
    const count = (this.#counts.get(topic) ?? 0) + 1;
    this.#counts.set(topic, count);
    if (count > SAID && count % SAID_EVERY !== 0) return;
    logger.warn("{topic}/{partition}@{offset} is left out, the record cannot be read: {reason}; {effect}", {
      ...{ topic, partition, offset, reason, effect, count },
    });
  }
}

/** Those of this thread. */
export const unreadable = new UnreadableRecords();

/**
 * The error of a record that must not be left out.
 *
 * @param what cannot be done, such as "restore task 0"
 * @param cause what reading it has thrown
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

/** What brings back work that a record stops without which nothing can go on. */
export function remedyByCopy({ topic }: RecordPlace): string {
  return `run the version that wrote it, or restore ${topic} from a copy`;
}

/** What brings back work that a record of a compacted topic stops. @param effect what the work does without it */
export function remedyByTombstone({ topic, partition, key }: LogRecord, effect: string): string {
  const shown = JSON.stringify(key);
  return `run the version that wrote it, restore ${topic} from a copy, or append a record with the key ${shown} and ` +
    `no value to ${topic}/${partition}: ${effect}`;
}

function reasonOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
