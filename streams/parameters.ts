/**
 * Parameter versions on the log: a subscriber keeps a serving model at the newest one.
 *
 * @module
 */

import { decodeVersion } from "../src/learner/version.ts";
import type { ServingModel } from "../src/scorer/serving_model.ts";
import { type Log, LogError } from "./log/log.ts";

/** Options of {@linkcode ParameterSubscriber.update}. */
export interface UpdateOptions {
  /** How long to wait for a version when there is none, milliseconds. @default {0} */
  readonly waitMs?: number;
  /** Ends the wait: the update then rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** Follows the `parameters` topic of one model. */
export class ParameterSubscriber {
  readonly #log: Log;
  readonly #topic: string;
  readonly #serving: ServingModel;
  #next = 0;

  /** Starts at the beginning of the topic, which the publisher trims to its last full snapshot. */
  constructor(log: Log, topic: string, serving: ServingModel) {
    this.#log = log;
    this.#topic = topic;
    this.#serving = serving;
  }

  /**
   * Applies all versions published by now. A gap (a delta whose predecessor we do not have) is passed over
   * until the next full snapshot.
   *
   * @returns The version that is live afterwards.
   * @throws LogError `corrupt` when a record cannot be decoded.
   */
  async update({ waitMs = 0, ...options }: UpdateOptions = {}): Promise<number> {
    for (let wait = waitMs;; wait = 0) {
      const { records, next } = await this.#log.read(this.#topic, 0, this.#next, {
        waitMs: wait,
        ...options,
      });
      for (const record of records) {
        if (record.value === null) continue;
        try {
          this.#serving.apply(decodeVersion(record.value));
        } catch (cause) {
          throw new LogError("corrupt", `Cannot apply the parameters at ${this.#topic}/0@${record.offset}`, {
            cause,
          });
        }
      }
      this.#next = next;
      if (records.length === 0) return this.#serving.version;
    }
  }
}
