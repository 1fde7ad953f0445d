/**
 * Watches topics: an administrator may delete one, create it again, or give it more partitions while we run.
 *
 * @module
 */

import { getLogger } from "@logtape/logtape";
import { ignore } from "../../log/ignore.ts";
import type { Log, TopicIdentity } from "../../log/log.ts";

/** Time between two looks for topics that are gone. */
const LOOK_MS = 10_000;

const logger = getLogger(["meander", "service"]);

/** Checks topics in the background. */
export class TopicWatch {
  readonly #log: Pick<Log, "identify">;
  readonly #topics: readonly string[];
  #known: ReadonlyMap<string, TopicIdentity | null> = new Map();
  #looking: Promise<void> | undefined;

  /** Starts without results. */
  constructor(log: Pick<Log, "identify">, topics: readonly string[]) {
    this.#log = log;
    this.#topics = topics;
  }

  /** What the last look found, by name; `null` = there is no such topic. */
  get known(): ReadonlyMap<string, TopicIdentity | null> {
    return this.#known;
  }

  /** Starts a check, unless one is in progress. Never rejects: while the log is unavailable, the last result stays. */
  look(): Promise<void> {
    return this.#looking ??= ignore(this.#look(), "what is known stays").finally(() =>
      this.#looking = undefined
    );
  }

  async #look(): Promise<void> {
    const found = this.#topics.map(async (topic) => [topic, await this.#log.identify(topic)] as const);
    this.#known = new Map(await Promise.all(found));
  }
}

/** Finds out whether something waits because a topic is gone: writes to one are retried for two minutes. */
export class GoneTopics {
  readonly #log: Pick<Log, "topics">;
  readonly #names: readonly string[];
  readonly #now: () => number;
  #gone: readonly string[] = [];
  #lookedAt = -Infinity;

  /** Starts without gone topics. @param now a clock in milliseconds */
  constructor(log: Pick<Log, "topics">, names: readonly string[], now: () => number) {
    this.#log = log;
    this.#names = names;
    this.#now = now;
  }

  /** What is gone, for people. */
  get reasons(): readonly string[] {
    if (this.#gone.length === 0) return [];
    const names = this.#gone.join(", ");
    return [
      `the log no longer has ${names}, or hides it from us: a start creates it, without its records`,
    ];
  }

  /** Looks again, if it is time to. @param isWaiting whether anything waits for the log */
  look(isWaiting: boolean): void {
    if (!isWaiting) this.#gone = [];
    if (!isWaiting || this.#now() - this.#lookedAt < LOOK_MS) return;
    this.#lookedAt = this.#now();
    ignore(this.#look(), "the brokers are unavailable, which is logged");
  }

  async #look(): Promise<void> {
    const existing = await this.#log.topics();
    this.#gone = this.#names.filter((name) => !existing.has(name));
    for (const reason of this.reasons) logger.error("{reason}", { reason });
  }
}
