/**
 * A log for work beside a service in its thread: before each read of it, the work rests for as long as others are to have
 * the thread; what a layer above it answers from memory does not rest. Measured by the clock, so that on a busy machine,
 * where little work takes long, others have as much longer.
 *
 * @module
 */

import { setImmediate as turn } from "node:timers/promises";
import { pause } from "../log/pause.ts";
import { layered } from "../log/metered_log.ts";
import type { Log } from "../log/log.ts";

/** Most records of a read: what is done with them takes some milliseconds. */
const RECORDS = 32;
/** Longest rest: the work may have waited for something else. */
const LONGEST_REST_MS = 2000;

/** Options of a {@linkcode GentleLog}. */
export interface GentleLogOptions {
  /** Share of the thread that the work takes, in (0, 1]. */
  readonly share: number;
  /** A clock in milliseconds that never goes back. */
  readonly clock: () => number;
  /** Ends rests. */
  readonly signal: AbortSignal;
  /** Rests for so many milliseconds. @default {it does} */
  readonly rest?: ((ms: number) => Promise<void>) | undefined;
}

/** Reads gently until it is told not to. */
export class GentleLog {
  /** The log. */
  readonly log: Log;
  /** Share of the thread that the work takes, in (0, 1]. */
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
        await (this.#resting = this.#resting.then(() => this.#rest()));
        const maxRecords = Math.min(RECORDS, options.maxRecords ?? RECORDS);
        return await log.read(topic, partition, from, { ...options, maxRecords });
      },
    });
  }

  /** From now on it reads as the log does. */
  end(): void {
    this.#isGentle = false;
  }

  async #rest(): Promise<void> {
    const { clock, signal, rest = (ms) => pause(ms, signal) } = this.#options;
    const begun = clock();
    const restMs = (begun - this.#since) * (1 - this.share) / this.share;
    await turn();
    if (restMs > 0) await rest(Math.min(restMs, LONGEST_REST_MS));
    this.#since = clock();
    this.restedMs += this.#since - begun;
  }
}
