/**
 * Takes in the topics of sources: records, however they are keyed, are mapped, merged by time and put onto `events`,
 * keyed by user.
 *
 * ```text
 *   views/0   ─┐
 *   views/1    ├─ mapped ── merged, the oldest first ──> events/0 ... events/3, items, rejected
 *   clicks/0  ─┘                                    └──> positions, in the same commit
 * ```
 *
 * One process at a time does it. A source that cannot be read, or not be decoded because its registry is down, stops no
 * task, and the other sources for a minute.
 */

import { getLogger } from "@logtape/logtape";
import { reasonOf } from "../../../src/values/reason.ts";
import { ignore } from "../../log/ignore.ts";
import { type Log, LogError } from "../../log/log.ts";
import { orAborted } from "../../log/pause.ts";
import { TopicFeeder } from "../../feeders/topic_feeder.ts";
import type { Topics } from "../../topics/topics.ts";
import type { SharedThread } from "./shared_thread.ts";
import type { Job } from "./worker.ts";
import type { ForeignTopic } from "../../feeders/resumed_position.ts";
import type { StuckSince } from "../../feeders/stuck.ts";
import type { SourceLag } from "../../feeders/followed_topic.ts";

/** A topic to take in. */
export interface FollowedSource extends Omit<ForeignTopic, "log"> {
  /** Opens the log that has it; sources with the same function share one. @default {the deployment's own} */
  readonly open?: (() => Promise<Log>) | undefined;
}

export interface SourcesContext {
  /** Monotonic clock, milliseconds. */
  readonly now: () => number;
  /** Ends the opening. */
  readonly signal: AbortSignal;
  readonly thread: SharedThread;
  /** See {@linkcode StuckSince}. @default {empty} */
  readonly stuckSince?: StuckSince;
}

/** How long a step waits for a record, and the time between checks of the topics. */
const IDLE_MS = 1000;

/** Name of the feeder that follows the topics of sources. */
export const SOURCES = "sources";

const logger = getLogger(["meander", "service"]);

/** The group of processes that may take sources in; the owner of its partition does. */
export function sourcesGroup({ events }: Topics): string {
  return `${events}-sources`;
}

/** @throws RangeError when a source is a topic of the deployment itself */
export function checkFollowed(topics: Topics, sources: readonly FollowedSource[]): void {
  const own = sources.find(({ open, topic }) => open === undefined && Object.values(topics).includes(topic));
  if (own === undefined) return;
  throw new RangeError(`Cannot follow ${own.topic} as a source: it is a topic of this deployment`);
}

/** Takes sources in until it is released. */
export class SourcesJob implements Job {
  readonly #feeder: TopicFeeder;
  readonly #logs: AsyncDisposableStack;
  readonly #now: () => number;
  #lookedAt = -Infinity;
  #lags: readonly SourceLag[] = [];

  private constructor(feeder: TopicFeeder, logs: AsyncDisposableStack, now: () => number) {
    this.#feeder = feeder;
    this.#logs = logs;
    this.#now = now;
  }

  /**
   * Continues where the last one stopped, which it fences.
   *
   * @throws LogError `topic-mismatch` when a topic does not exist, or is another than before; `unreachable` when its log
   * cannot be opened
   */
  static async open(
    log: Log,
    topics: Topics,
    sources: readonly FollowedSource[],
    { now, signal, thread, stuckSince = new Map() }: SourcesContext,
  ): Promise<SourcesJob> {
    await using logs = new AsyncDisposableStack();
    const ending = new AbortController();
    const ends = AbortSignal.any([signal, ending.signal]);
    const opened = new Map<() => Promise<Log>, Promise<Log>>();
    logs.defer(async () => {
      ending.abort();
      for (const opening of opened.values()) await (await opening.catch(() => null))?.[Symbol.asyncDispose]();
    });
    const logOf = ({ open, topic }: FollowedSource): ForeignTopic["log"] => {
      if (open === undefined) return log;
      return () => {
        const known = opened.get(open);
        if (known !== undefined) return known;
        const opening = openFor(topic, open, ends);
        opened.set(open, opening);
        opening.catch(() => opened.delete(open)); // the next attempt opens it again
        return opening;
      };
    };
    const followed = sources.map((source) => ({ ...source, log: logOf(source) }));
    const feeder = logs.use(
      await TopicFeeder.open(log, topics, followed, {
        name: SOURCES,
        clock: now,
        stuckSince,
        giveWay: (ms) => thread.giveWay(ms),
      }),
    );
    const names = sources.map(({ topic }) => topic).join(", ");
    logger.info("following the topics of {names}: {lag} records waiting", { names, lag: await feeder.lag() });
    return new SourcesJob(feeder, logs.move(), now);
  }

  /** How far behind each partition was a second ago; another cluster may not respond right now. */
  get lags(): readonly SourceLag[] {
    return this.#lags;
  }

  /** Why some of what it follows waits while the rest goes ahead, for people. */
  get complaint(): string | undefined {
    const { passed } = this.#feeder;
    return passed.length === 0 ? undefined : passed.join("; ");
  }

  async step(signal: AbortSignal): Promise<void> {
    if (this.#now() - this.#lookedAt >= IDLE_MS) {
      await this.#feeder.check();
      this.#lags = await this.#feeder.lags();
      this.#lookedAt = this.#now();
    }
    await this.#feeder.feed({ waitMs: IDLE_MS, signal });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#logs.disposeAsync();
  }
}

/** Opens the log of a topic. A log that opens after the signal is closed. */
async function openFor(topic: string, open: () => Promise<Log>, signal: AbortSignal): Promise<Log> {
  const opening = open();
  try {
    return await orAborted(opening, signal);
  } catch (cause) {
    if (signal.aborted) {
      ignore(opening.then((log) => log[Symbol.asyncDispose]()), "it is no longer needed");
      throw cause;
    }
    const reason = reasonOf(cause);
    throw new LogError("unreachable", `Cannot reach the log of topic ${topic}: ${reason}`, { cause });
  }
}
