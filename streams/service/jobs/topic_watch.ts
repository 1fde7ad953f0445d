/** Watches topics: an administrator may delete, recreate or extend one while we run. */

import { getLogger } from "@logtape/logtape";
import { ignore } from "../../log/ignore.ts";
import { type Log, LogError, type TopicIdentity, type TopicSpec } from "../../log/log.ts";
import { reasonOf } from "../../../src/values/reason.ts";

/** Time between two searches for missing topics. */
const LOOK_MS = 10_000;
/** Time between two checks of whether topics still have the cleanup policies that a start demands. */
const CHECK_MS = 60_000;

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

/**
 * Finds out whether something waits because a topic is missing, and creates it again, as a start would: writes to one are
 * retried for two minutes. Topics with what cannot be derived anew are left to an administrator. Also says what a start would
 * refuse.
 */
export class GoneTopics {
  readonly #log: Pick<Log, "topics" | "identify" | "createTopics">;
  readonly #prefix: string;
  readonly #specs: readonly TopicSpec[];
  readonly #kept: ReadonlySet<string>;
  readonly #now: () => number;
  #gone: readonly string[] = [];
  #lookedAt = -Infinity;
  #checkedAt: number;

  /**
   * Starts without missing topics.
   *
   * @param prefix what the names of all of these begin with
   * @param specs all topics of the deployment
   * @param kept names of those that are not created again, nor any other while one of these is missing
   * @param now a clock in milliseconds
   */
  constructor(
    log: Pick<Log, "topics" | "identify" | "createTopics">,
    { prefix, specs, kept }: {
      readonly prefix: string;
      readonly specs: readonly TopicSpec[];
      readonly kept: readonly string[];
    },
    now: () => number,
  ) {
    this.#log = log;
    this.#prefix = prefix;
    this.#specs = specs;
    this.#kept = new Set(kept);
    this.#now = now;
    this.#checkedAt = now(); // as they were checked at the start
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
    if (this.#now() - this.#checkedAt >= CHECK_MS) {
      this.#checkedAt = this.#now();
      ignore(this.#check(), "the brokers are unavailable, which is logged");
    }
    if (!isWaiting) this.#gone = [];
    if (!isWaiting || this.#now() - this.#lookedAt < LOOK_MS) return;
    this.#lookedAt = this.#now();
    ignore(this.#look(), "the brokers are unavailable, which is logged");
  }

  /** Logs what a start would refuse: nothing fails while we run, but compaction or retention take records. */
  async #check(): Promise<void> {
    const existing = await this.#log.topics(this.#prefix);
    try {
      await this.#log.createTopics(this.#specs.filter(({ name }) => existing.has(name)));
    } catch (error) {
      if (!(error instanceof LogError) || error.code !== "topic-mismatch") throw error;
      logger.error("somebody has changed a topic, and no process can start: {reason}", {
        reason: error.message,
      });
    }
  }

  async #look(): Promise<void> {
    const existing = await this.#log.topics(this.#prefix);
    const missing = this.#specs.filter(({ name }) => !existing.has(name));
    // One that is only hidden from us fails to be identified; who needs it says so.
    const isGone = ({ name }: TopicSpec) =>
      this.#log.identify(name).then((found) => found === null, () => false);
    const answers = await Promise.all(missing.map(isGone));
    const gone = missing.filter((_, at) => answers[at]);
    this.#gone = await this.#isCreated(gone) ? [] : gone.map(({ name }) => name);
    for (const reason of this.reasons) logger.error("{reason}", { reason });
  }

  /** Creates topics, if all of them may be. */
  async #isCreated(gone: readonly TopicSpec[]): Promise<boolean> {
    if (gone.length === 0 || gone.some(({ name }) => this.#kept.has(name))) return false;
    const names = gone.map(({ name }) => name).join(", ");
    try {
      await this.#log.createTopics(gone);
    } catch (error) {
      if (!(error instanceof LogError)) throw error;
      logger.error("cannot create {names} again: {reason}", { names, reason: reasonOf(error) });
      return false;
    }
    logger.error("created {names} again: it was deleted with its records while this process ran", { names });
    return true;
  }
}
