/**
 * Watches topics: an administrator may delete, recreate or extend one while we run.
 *
 * @module
 */

import { getLogger } from "@logtape/logtape";
import { ignore } from "../../log/ignore.ts";
import type { Log, TopicIdentity } from "../../log/log.ts";

/** Time between two searches for missing topics. */
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

  /** What the last check found, by name; `null` = there is no such topic. */
  get known(): ReadonlyMap<string, TopicIdentity | null> {
    return this.#known;
  }

  /** Starts a check, unless one is in progress. Never rejects: while the log is unavailable, the last result stays. */
  look(): Promise<void> {
    return this.#looking ??= ignore(this.#look(), "the last result stays").finally(() =>
      this.#looking = undefined
    );
  }

  async #look(): Promise<void> {
    const found = this.#topics.map(async (topic) => [topic, await this.#log.identify(topic)] as const);
    this.#known = new Map(await Promise.all(found));
  }
}

/** Finds out whether something waits because a topic is missing: writes to one are retried for two minutes. */
export class GoneTopics {
  readonly #log: Pick<Log, "topics" | "identify">;
  readonly #names: readonly string[];
  readonly #now: () => number;
  #gone: readonly string[] = [];
  #lookedAt = -Infinity;

  /** Starts without missing topics. @param now a clock in milliseconds */
  constructor(log: Pick<Log, "topics" | "identify">, names: readonly string[], now: () => number) {
    this.#log = log;
    this.#names = names;
    this.#now = now;
  }

  /** What is missing, for people. */
  get reasons(): readonly string[] {
    if (this.#gone.length === 0) return [];
    const names = this.#gone.join(", ");
    return [
      `the log no longer has ${names}, or denies us access to it: a restart creates it, without its records`,
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
    const missing = this.#names.filter((name) => !existing.has(name));
    // One that is only hidden from us fails to be identified; who needs it says so.
    const isGone = (name: string) => this.#log.identify(name).then((found) => found === null, () => false);
    const answers = await Promise.all(missing.map(isGone));
    this.#gone = missing.filter((_, at) => answers[at]);
    for (const reason of this.reasons) logger.error("{reason}", { reason });
  }
}
