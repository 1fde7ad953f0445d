/**
 * Watches topics: an administrator may delete one, create it again, or give it more partitions while we run.
 *
 * @module
 */

import { ignore } from "../../log/ignore.ts";
import type { Log, TopicIdentity } from "../../log/log.ts";

/** Checks topics in the background. */
export class TopicWatch {
  readonly #log: Pick<Log, "identify">;
  readonly #topics: readonly string[];
  #known: ReadonlyMap<string, TopicIdentity | null> = new Map();
  #looking: Promise<void> | undefined;

  /** Nothing is known yet. */
  constructor(log: Pick<Log, "identify">, topics: readonly string[]) {
    this.#log = log;
    this.#topics = topics;
  }

  /** What the last look found, by name; `null` = there is no such topic. */
  get known(): ReadonlyMap<string, TopicIdentity | null> {
    return this.#known;
  }

  /** Starts a check, unless one is in progress. Never rejects: while the log is away, the last result stays. */
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
