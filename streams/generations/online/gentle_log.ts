/**
 * A log for work alongside a service: before each read, the work rests until no other work needs the processor, or
 * others have had their share of it; reads that a layer above answers from memory do not rest. Time is measured by
 * the clock: on a busy machine, where work takes longer, others get proportionally longer.
 */

import { layered } from "../../log/metered_log.ts";
import type { Log } from "../../log/log.ts";

/** Share of the time that the work takes while others are late. */
const LATE_SHARE = 0.1;
/** Longest rest: the work may have waited for something else. */
const LONGEST_REST_MS = 2000;

export interface GentleLogOptions {
  /** Share of the time that the work takes while others need it, in (0, 1]. */
  readonly share: number;
  /** Whether others are late: then it takes a tenth of the time at most. */
  readonly isLate: () => boolean;
  /** Most records per read: they are processed without a rest. */
  readonly maxRecords: number;
  /** Monotonic clock, milliseconds. */
  readonly clock: () => number;
  /** Ends rests. */
  readonly signal: AbortSignal;
  /** Yields the processor to others for a moment. @returns whether they need more of it */
  readonly giveWay: () => Promise<boolean>;
}

/** Rests between reads until {@linkcode GentleLog.end}. */
export class GentleLog {
  readonly log: Log;
  /** See {@linkcode GentleLogOptions.share}. */
  share: number;
  /** Time that the work has rested, milliseconds. */
  restedMs = 0;
  readonly #options: GentleLogOptions;
  #isGentle = true;
  /** When the last rest ended. */
  #since: number;
  /** The rests so far: concurrent reads rest one after the other. */
  #resting: Promise<void> = Promise.resolve();

  constructor(log: Log, options: GentleLogOptions) {
    const { maxRecords: most } = options;
    this.#options = options;
    this.share = options.share;
    this.#since = options.clock();
    this.log = layered(log, {
      read: async (topic, partition, from, options = {}) => {
        if (!this.#isGentle) return await log.read(topic, partition, from, options);
        await this.rest();
        const maxRecords = Math.min(most, options.maxRecords ?? most);
        return await log.read(topic, partition, from, { ...options, maxRecords });
      },
    });
  }

  /** Rests after work, even if that reads nothing. */
  async rest(): Promise<void> {
    if (this.#isGentle) await (this.#resting = this.#resting.then(() => this.#rest()));
  }

  /** Stops resting. */
  end(): void {
    this.#isGentle = false;
  }

  async #rest(): Promise<void> {
    const { clock, signal, giveWay, isLate } = this.#options;
    const begun = clock();
    const share = Math.min(this.share, isLate() ? LATE_SHARE : 1);
    const mostMs = Math.min(LONGEST_REST_MS, (begun - this.#since) * (1 - share) / share);
    while (await giveWay() && clock() - begun < mostMs && !signal.aborted);
    this.#since = clock();
    this.restedMs += this.#since - begun;
  }
}
