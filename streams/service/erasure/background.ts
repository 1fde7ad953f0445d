/** Work on the log in the background: repeated, and in portions with pauses, so that others are not held up. */

import type { Logger } from "@logtape/logtape";
import { reasonOf } from "../../../src/values/reason.ts";
import { pause } from "../../log/pause.ts";
import type { Log, ReadResult } from "../../log/log.ts";

/** Records to read at a time, and bytes of them: others wait that long. */
export const PORTION = 500;
const PORTION_BYTES = 256 << 10;

/** Repeats work until disposed; a failure is logged, and the work tried again. */
export class Repeated implements AsyncDisposable {
  readonly #closing = new AbortController();
  #ended: Promise<void> | undefined;

  /** Aborted when it is disposed. */
  get signal(): AbortSignal {
    return this.#closing.signal;
  }

  /** Starts, once. @param what what the work does, for the log */
  start(work: () => Promise<unknown>, everyMs: number, what: string, logger: Logger): void {
    this.#ended ??= this.#run(work, everyMs, what, logger);
  }

  /** Ends the work in progress. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    await this.#ended;
  }

  async #run(work: () => Promise<unknown>, everyMs: number, what: string, logger: Logger): Promise<void> {
    const { signal } = this;
    while (!signal.aborted) {
      try {
        await work();
      } catch (error) {
        if (signal.aborted) return;
        logger.warn(`cannot ${what}, trying again: {reason}`, { reason: reasonOf(error) });
      }
      await pause(everyMs, signal);
    }
  }
}

/** A part of a partition, and how it is read. */
export interface Portions {
  /** First offset. */
  readonly from: number;
  /** Offset after the last one. */
  readonly to: number;
  /** Monotonic clock, milliseconds. */
  readonly clock: () => number;
  /** Pause after a portion, as a multiple of the time that it took. */
  readonly pauses: number;
  /** Ends the reading, without an error. */
  readonly signal: AbortSignal;
}

/** Reads a part of a partition in portions. */
export async function* portions(
  log: Pick<Log, "read">,
  topic: string,
  partition: number,
  { from, to, clock, pauses, signal }: Portions,
): AsyncGenerator<ReadResult> {
  for (let at = from; at < to && !signal.aborted;) {
    const begun = clock();
    const result = await log.read(topic, partition, at, { maxRecords: PORTION, maxBytes: PORTION_BYTES });
    yield result;
    at = result.next;
    await pause(pauses * (clock() - begun), signal);
  }
}
