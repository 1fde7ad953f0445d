/**
 * A log for work beside a service in its thread: before each read, whoever waits for the thread has it.
 *
 * @module
 */

import { setImmediate as turn } from "node:timers/promises";
import { layered } from "../log/metered_log.ts";
import type { Log } from "../log/log.ts";

/** Most records of a read: what is done with them takes some milliseconds. */
const RECORDS = 100;

/** Reads gently until it is told not to. */
export class GentleLog {
  /** The log. */
  readonly log: Log;
  #isGentle = true;

  /** Of a log in this thread. */
  constructor(log: Log) {
    this.log = layered(log, {
      read: async (topic, partition, from, options = {}) => {
        if (!this.#isGentle) return await log.read(topic, partition, from, options);
        await turn();
        const maxRecords = Math.min(RECORDS, options.maxRecords ?? RECORDS);
        return await log.read(topic, partition, from, { ...options, maxRecords });
      },
    });
  }

  /** From now on it reads as the log does. */
  end(): void {
    this.#isGentle = false;
  }
}
