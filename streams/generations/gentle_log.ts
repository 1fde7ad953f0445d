/**
 * A log for work beside a service in its thread: before each read of it, the work rests until nobody else wants the thread,
 * or others have had their share of it; what a layer above it answers from memory does not rest. Measured by the clock, so
 * that on a busy machine, where little work takes long, others have as much longer.
 *
 * @module
 */

import { layered } from "../log/metered_log.ts";
import type { Log } from "../log/log.ts";

/** Most records per read: processing them takes some milliseconds. */
const RECORDS = 32;
/** Longest rest: the work may have waited for something else. */
const LONGEST_REST_MS = 2000;

/** Options of a {@linkcode GentleLog}. */
export interface GentleLogOptions {
  /** Share of the thread that the work takes while others want it, in (0, 1]. */
  readonly share: number;
  /** A clock in milliseconds that never goes back. */
  readonly clock: () => number;
  /** Ends rests. */
  readonly signal: AbortSignal;
  /** Leaves the thread to others for a moment. @returns whether they want more of it */
  readonly giveWay: () => Promise<boolean>;
}

/** Rests between reads until told not to. */
export class GentleLog {
  readonly log: Log;
  /** Share of the thread that the work takes while others want it, in (0, 1]. */
  share: number;
  /** Time that the work has rested, milliseconds. */
  restedMs = 0;
  readonly #options: GentleLogOptions;
  #isGentle = true;
  /** When the last rest ended. */
  #since: number;
  /** The rests so far: reads at a time rest one after the other. */
  #resting: Promise<void> = Promise.resolve();

  /** Of a log in this thread. */
  constructor(log: Log, options: GentleLogOptions) {
    this.#options = options;
    this.share = options.share;
    this.#since = options.clock();
    this.log = layered(log, {
      read: async (topic, partition, from, options = {}) => {
        if (!this.#isGentle) return await log.read(topic, partition, from, options);
        await this.rest();
        const maxRecords = Math.min(RECORDS, options.maxRecords ?? RECORDS);
        return await log.read(topic, partition, from, { ...options, maxRecords });
      },
    });
  }

  /** Rests after work, also where that reads nothing. */
  async rest(): Promise<void> {
    if (this.#isGentle) await (this.#resting = this.#resting.then(() => this.#rest()));
  }

  /** Stops resting. */
  end(): void {
    this.#isGentle = false;
  }

  async #rest(): Promise<void> {
    const { clock, signal, giveWay } = this.#options;
    const begun = clock();
    const mostMs = Math.min(LONGEST_REST_MS, (begun - this.#since) * (1 - this.share) / this.share);
    while (await giveWay() && clock() - begun < mostMs && !signal.aborted);
    this.#since = clock();
    this.restedMs += this.#since - begun;
  }
}
