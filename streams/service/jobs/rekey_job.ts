/**
 * Re-keying: events of a topic that is keyed by anything, with any number of partitions, are put onto `events` by user.
 *
 * ```text
 *   shop.events/0  a b a c ─┐                      ┌─> events/0  a a b     a user's events in one partition, those of
 *   shop.events/1  c a      ├─ one at a time, the ─┤                       a partition of the source in their order
 *   shop.events/2  b c      ┘  oldest first        └─> events/1  c c c
 * ```
 *
 * Appended events and positions are one commit, so that each event is copied once. One process at a time does it.
 *
 * @module
 */

import { getLogger } from "@logtape/logtape";
import { feederId } from "../../feeders/feeder.ts";
import type { Log } from "../../log/log.ts";
import { readAll } from "../../log/reading.ts";
import { TopicFeeder } from "../../feeders/topic_feeder.ts";
import type { Topics } from "../../topics/topics.ts";
import type { SharedThread } from "./shared_thread.ts";
import type { Job } from "./worker.ts";

/** How long a step waits for an event, and the time between checks of the topic. */
const IDLE_MS = 1000;

const logger = getLogger(["meander", "service"]);

/** The group of processes that may re-key; the one that has its partition does. */
export function rekeyGroup({ events }: Topics): string {
  return `${events}-rekey`;
}

/** Re-keys until it is released. */
export class RekeyJob implements Job {
  readonly #feeder: TopicFeeder;
  readonly #now: () => number;
  #lookedAt = -Infinity;

  private constructor(feeder: TopicFeeder, now: () => number) {
    this.#feeder = feeder;
    this.#now = now;
  }

  /**
   * Continues where the last one stopped, which it fences; the first one begins at the start of the topic.
   *
   * @throws LogError `topic-mismatch` when the topic is not the one that was re-keyed before
   */
  static async open(
    log: Log,
    topics: Topics,
    topic: string,
    { now, thread }: { readonly now: () => number; readonly thread: SharedThread },
  ): Promise<RekeyJob> {
    const name = feederName(topic);
    const feeder = await TopicFeeder.open(log, topics, { log, topic, format: "meander", name }, {
      giveWay: (ms) => thread.giveWay(ms),
    });
    const lag = await feeder.lag();
    logger.info("re-keying {topic} to {events}: {lag} events waiting", { topic, events: topics.events, lag });
    return new RekeyJob(feeder, now);
  }

  /** Waiting events of the topic, including holes in the log. */
  lag(): Promise<number> {
    return this.#feeder.lag();
  }

  async step(signal: AbortSignal): Promise<void> {
    if (this.#now() - this.#lookedAt >= IDLE_MS) {
      await this.#feeder.check();
      this.#lookedAt = this.#now();
    }
    await this.#feeder.feed({ waitMs: IDLE_MS, signal });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#feeder[Symbol.asyncDispose]();
  }
}

/** Logs the topics that a deployment re-keyed before: a process without `--rekey-from` takes nothing from them. */
export async function sayRekeyed(
  log: Pick<Log, "read" | "bounds" | "identify">,
  topics: Topics,
): Promise<void> {
  const before = feederId(topics, feederName(""));
  if (await log.identify(topics.positions) === null) return;
  const found = new Set<string>();
  for await (const { key, value } of readAll(log, topics.positions, 0)) {
    if (key?.startsWith(before) && value !== null) found.add(key.slice(before.length));
  }
  for (const topic of found) {
    logger.warn(
      "{topic} was re-keyed to {events} before, but not by this process: new records on it wait, unless another " +
        "process has --rekey-from {topic}",
      { topic, events: topics.events },
    );
  }
}

function feederName(topic: string): string {
  return `rekey:${topic}`;
}

/** @throws RangeError when a topic cannot be re-keyed to the events of a deployment */
export function checkRekey({ events }: Topics, topic: string): void {
  if (topic !== events) return;
  throw new RangeError(
    `Cannot re-key ${topic} to itself: give the deployment another --prefix, so that it has an events topic of its own`,
  );
}
