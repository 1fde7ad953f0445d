/** Parameter versions on the log: a subscriber keeps a serving model at the newest version. */

import { setTimeout as delay } from "node:timers/promises";
import { decodeVersion, type ParameterVersion, versionNumber } from "../../src/serving/version.ts";
import type { ServingModel } from "../../src/serving/serving_model.ts";
import { getLogger } from "@logtape/logtape";
import { reasonOf } from "../../src/values/reason.ts";
import { type Log, LogError, type LogRecord, type ReadResult } from "../log/log.ts";
import { unreadable } from "../log/unreadable.ts";

const logger = getLogger(["meander", "service"]);

export interface UpdateOptions {
  /** How long to wait for a version when there is none, milliseconds. @default {0} */
  readonly waitMs?: number;
  /** Ends the wait: the update then rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  /** Yields the thread between portions of a version. @default {versions are applied in one go} */
  readonly giveWay?: () => Promise<unknown>;
}

/** Follows the `parameters` topic of one model. */
export class ParameterSubscriber {
  readonly #log: Log;
  readonly #topic: string;
  readonly #serving: ServingModel;
  readonly #last: number;
  #next = 0;
  /** See `ReadResult.epoch`, of the last read. */
  #epoch: number | undefined;
  /** Whether it has read to the end of the topic once. */
  #hasLooked = false;

  /**
   * Starts at the beginning of the topic, which the publisher trims to its last full snapshot.
   *
   * @param last the version to stay at; it must be on the log unless it is the first, with which every learner begins
   */
  constructor(log: Log, topic: string, serving: ServingModel, last = Infinity) {
    this.#log = log;
    this.#topic = topic;
    this.#serving = serving;
    this.#last = last;
  }

  /**
   * Applies all versions published by now. A gap (a delta whose predecessor is missing) is skipped until the next full
   * snapshot.
   *
   * @returns The version that is live afterwards.
   * @throws LogError `corrupt` when a record cannot be decoded.
   * @throws RangeError when the version to stay at is not on the log yet, or no longer.
   */
  async update({ waitMs = 0, giveWay, ...options }: UpdateOptions = {}): Promise<number> {
    for (let wait = waitMs;; wait = 0) {
      if (this.#serving.version === this.#last) {
        if (wait > 0) await delay(wait, undefined, options).catch(() => options.signal?.throwIfAborted());
        return this.#last;
      }
      const { records, next, epoch } = await this.#read({ waitMs: wait, ...options });
      for (const record of records) {
        if (record.value === null || this.#serving.version === this.#last) continue;
        for (const _portion of this.#apply(record, record.value)) if (giveWay !== undefined) await giveWay();
      }
      [this.#next, this.#epoch] = [next, epoch];
      if (records.length > 0) continue;
      this.#checkThere();
      return this.#serving.version;
    }
  }

  /** Continues reading; starts over if the topic was created again, or has lost its end. */
  async #read(options: Omit<UpdateOptions, "giveWay">): Promise<ReadResult> {
    try {
      return await this.#log.read(this.#topic, 0, this.#next, { ...options, epoch: this.#epoch });
    } catch (error) {
      const isAnother = error instanceof LogError && ["topic-mismatch", "beyond-end"].includes(error.code);
      if (!isAnother || this.#next === 0) throw error;
      logger.warn(
        "{topic} is read from its start, and version {version} serves until there is a newer one: {reason}",
        {
          topic: this.#topic,
          version: this.#serving.version,
          reason: reasonOf(error),
        },
      );
      [this.#next, this.#epoch] = [0, undefined];
      return await this.#log.read(this.#topic, 0, 0, options);
    }
  }

  /** Throws when the version to stay at is missing: another would be served until it is published, if ever. */
  #checkThere(): void {
    const { version } = this.#serving;
    if (!this.#hasLooked && this.#last !== Infinity && this.#last > Math.max(1, version)) {
      const newest = version === 0 ? "none" : version;
      throw new RangeError(`Cannot serve version ${this.#last}: the newest on ${this.#topic} is ${newest}`);
    }
    this.#hasLooked = true;
  }

  *#apply(record: LogRecord, value: Uint8Array): Generator<undefined, void, undefined> {
    const decoded = this.#decode(record, value);
    if (decoded === null) return;
    const { version } = decoded;
    if (version <= this.#last) {
      try {
        yield* this.#serving.applying(decoded);
      } catch (cause) {
        const what = `the parameters at ${this.#topic}/0@${record.offset}`;
        throw new LogError(
          "corrupt",
          `Cannot apply ${what} (do they belong to another model, or to other features? Use another --prefix for those)`,
          { cause },
        );
      }
    } else {
      throw new RangeError(
        `Cannot serve version ${this.#last}: ${this.#topic} has no version between ${this.#serving.version} and ${version}`,
      );
    }
  }

  /** Decodes a version; `null` when we have it already, or it cannot be read, in which case a snapshot will follow. */
  #decode(record: LogRecord, value: Uint8Array): ParameterVersion | null {
    try {
      // A full snapshot follows its delta: it may be large, so it is not decoded if we have that version already.
      return versionNumber(value) === this.#serving.version ? null : decodeVersion(value);
    } catch (cause) {
      unreadable.leaveOut(record, cause, "the model stays as it is until the next full snapshot");
      return null;
    }
  }
}
