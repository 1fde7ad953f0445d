/**
 * Drops old records of a log that no broker manages: [decision 28](../../../docs/decisions/0028-retention.md).
 *
 * A record is dropped when it and all before it are older than the settings say, by record time and wall clock, and
 * no longer needed ({@linkcode Deployment}).
 */

import { getLogger } from "@logtape/logtape";
import { TASK_OPTIONS } from "../../../src/engine/task_options.ts";
import type { Log } from "../../log/log.ts";
import { portions, Repeated } from "./background.ts";
import { type Deployment, neededAnswers, neededEvents, neededSamples, neededSignals } from "./needed.ts";
import { settle } from "../../../src/options/option.ts";
import { surfaceTopicsOn } from "../../topics/surfaces.ts";
import type { Topics } from "../../topics/topics.ts";
import { RETENTION_OPTIONS, type RetentionSettings } from "../../settings/retention_settings.ts";

/** Options of a {@linkcode Retention}. */
export interface RetentionOptions {
  /** How long records are kept, by topic. */
  readonly settings: RetentionSettings;
  /**
   * How long an outcome counts, milliseconds. Events are kept at least that long, since they pin versions.
   *
   * @default {600_000}
   */
  readonly outcomeWindowMs?: number | undefined;
  /** Wall clock, milliseconds since the epoch. */
  readonly now: () => number;
  /** A monotonic clock, milliseconds. */
  readonly clock: () => number;
}

/** How long the records of a topic are kept, and from which offset on they are needed. */
interface Rule {
  readonly topic: string;
  readonly keepMs: number;
  readonly needed: (partition: number) => Promise<number> | number;
}

const HOUR_MS = 3_600_000;
/** Time between checks of the log. */
const LOOK_MS = 60_000;
/** Pause after a portion, as a multiple of the time that it took. */
const PAUSES = 9;

const logger = getLogger(["meander", "log"]);

/**
 * Drops records in the background once they are older than the settings allow and nothing needs them. For logs that
 * no broker manages.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { DEFAULT_SCHEMA, MemoryLog, Service } from "@meander/meander";
 * import { Retention } from "@meander/meander/log";
 *
 * await using log = new MemoryLog();
 * await using service = await Service.start(log, {
 *   model: "base",
 *   modelConfig: {},
 *   task: { schema: DEFAULT_SCHEMA },
 *   learner: { schema: DEFAULT_SCHEMA },
 * });
 * const settings = { eventsHours: 720 };
 * const clocks = { now: Date.now, clock: () => performance.now() };
 * await using retention = new Retention(service.deployment, { settings, ...clocks }).start();
 * assert.equal(await retention.look(), 0); // nothing is that old
 * ```
 */
export class Retention implements AsyncDisposable {
  readonly #log: Log;
  readonly #topics: Topics;
  readonly #partitions: number;
  readonly #rules: readonly Rule[];
  readonly #options: RetentionOptions;
  readonly #repeated = new Repeated();

  /** Makes a retention that has not started. */
  constructor(deployment: Deployment, options: RetentionOptions) {
    const { settings, outcomeWindowMs = TASK_OPTIONS.outcomeWindowMs.value } = options;
    const { topics } = deployment;
    const { signalsHours } = settle(RETENTION_OPTIONS, settings);
    this.#log = deployment.log;
    this.#topics = topics;
    this.#partitions = deployment.partitions;
    this.#options = options;
    const rule = (topic: string, hours: number | undefined, needed: Rule["needed"], leastMs = 0): Rule[] =>
      hours === undefined ? [] : [{ topic, keepMs: Math.max(hours * HOUR_MS, leastMs), needed }];
    this.#rules = [
      ...rule(topics.events, settings.eventsHours, (p) => neededEvents(deployment, p), outcomeWindowMs),
      ...rule(topics.recommendations, settings.recommendationsHours, (p) => neededAnswers(deployment, p)),
      ...rule(topics.samples, settings.samplesHours, (p) => neededSamples(deployment, p)),
      ...rule(topics.signals, signalsHours, (p) => neededSignals(deployment, p)),
      ...rule(topics.rejected, settings.rejectedHours, () => Infinity),
    ];
  }

  /** Starts it. */
  start(): this {
    this.#repeated.start(() => this.look(), LOOK_MS, "drop old records", logger);
    return this;
  }

  /** Drops what may be dropped now. @returns The number of offsets. */
  async look(): Promise<number> {
    let dropped = 0;
    const surfaces = await surfaceTopicsOn(this.#log, this.#topics);
    const { recommendationsHours: hours } = this.#options.settings;
    const copies = hours === undefined ? [] : surfaces.map((topic): Rule => {
      return { topic, keepMs: hours * HOUR_MS, needed: () => Infinity };
    });
    for (const { topic, keepMs, needed } of [...this.#rules, ...copies]) {
      const before = this.#options.now() - keepMs;
      for (let partition = 0; partition < this.#partitions; partition++) {
        const { start, end } = await this.#log.bounds(topic, partition);
        // Usually the oldest record is young enough, and nothing else has to be checked.
        const oldest = await this.#log.read(topic, partition, start, { maxRecords: 1 });
        const [first] = oldest.records;
        if ((first?.time ?? Infinity) >= before) {
          // Tasks that share the partition drop only what this one does not have either.
          const free = first?.offset ?? oldest.next;
          if (free > start) await this.#log.trim(topic, partition, Math.min(free, await needed(partition)));
          continue;
        }
        const limit = Math.min(end, await needed(partition));
        dropped += await this.#drop(topic, partition, { start, limit, before });
      }
    }
    if (dropped > 0) logger.debug("dropped {dropped} old records", { dropped });
    return dropped;
  }

  /** Stops it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#repeated[Symbol.asyncDispose]();
  }

  async #drop(
    topic: string,
    partition: number,
    { start, limit, before }: { readonly start: number; readonly limit: number; readonly before: number },
  ): Promise<number> {
    const range = {
      from: start,
      to: limit,
      clock: this.#options.clock,
      pauses: PAUSES,
      signal: this.#repeated.signal,
    };
    let at = start;
    for await (const { records, next } of portions(this.#log, topic, partition, range)) {
      const young = records.find(({ time }) => time >= before);
      const to = Math.min(limit, young?.offset ?? next);
      if (to > at) await this.#log.trim(topic, partition, to);
      at = Math.max(at, to);
      if (young !== undefined) break;
    }
    return at - start;
  }
}
