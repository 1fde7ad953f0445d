/**
 * Bounds how far tasks fall behind. If no other process uses the log, events are accepted at the speed of the log up to
 * a bound, and then at the speed of the tasks.
 *
 * @module
 */

import { setTimeout as delay } from "node:timers/promises";
import type { UngroupedLog } from "../log/log.ts";
import { tasksGroup, type Topics } from "../topics/topics.ts";
import { Problem } from "./contract/problem.ts";

/** Options of a {@linkcode Backlog}. */
export interface BacklogOptions {
  /** Events that may wait to be applied. */
  readonly maxBehind: number;
  /** Longest wait for room, milliseconds. @default {15_000} */
  readonly waitMs?: number | undefined;
  /** Most callers that may wait at a time. @default {100} */
  readonly maxWaiting?: number | undefined;
  /** Whether waits should end. @default {() => false} */
  readonly isStopping?: (() => boolean) | undefined;
  /** Monotonic clock, milliseconds. */
  readonly clock: () => number;
}

/** The log that the tasks currently read, and how many tasks there are. */
export type Following = () => {
  readonly log: Pick<UngroupedLog, "bounds" | "committed">;
  readonly partitions: number;
};

/** Time between two polls of the log. */
const LOOK_MS = 100;
const WAIT_MS = 15_000;
const MAX_WAITING = 100;

/** Counts events that arrived after its first poll and are not applied yet; older ones do not count. */
export class Backlog {
  readonly #following: Following;
  readonly #topics: Topics;
  readonly #options: BacklogOptions;
  /** Ends of the partitions at the first poll. */
  #begun: readonly number[] | undefined;
  #lookedAt = -Infinity;
  #waiting = 0;
  #behind: Promise<number> = Promise.resolve(0);

  /** Watches all partitions of `events`. */
  constructor(following: Following, topics: Topics, options: BacklogOptions) {
    this.#following = following;
    this.#topics = topics;
    this.#options = options;
  }

  /** Waits until at most `maxBehind` events are pending. @throws Problem `unavailable` when that takes too long */
  async room(): Promise<void> {
    const { maxBehind, waitMs = WAIT_MS, maxWaiting = MAX_WAITING, isStopping, clock } = this.#options;
    const begun = clock();
    for (;;) {
      const behind = await this.#look();
      if (behind <= maxBehind) return;
      if (clock() - begun >= waitMs || this.#waiting >= maxWaiting || isStopping?.()) {
        const detail = `${behind} events wait to be applied, more than ${maxBehind} (http.maxBehind)`;
        throw new Problem("unavailable", detail, { headers: { "retry-after": "5" } });
      }
      this.#waiting++;
      await delay(LOOK_MS).finally(() => this.#waiting--);
    }
  }

  #look(): Promise<number> {
    const now = this.#options.clock();
    if (now - this.#lookedAt >= LOOK_MS) {
      this.#lookedAt = now;
      this.#behind = this.#count();
    }
    return this.#behind;
  }

  async #count(): Promise<number> {
    const { events } = this.#topics, group = tasksGroup(this.#topics);
    const { log, partitions } = this.#following();
    const all = <Result>(of: (partition: number) => Promise<Result>) =>
      Promise.all(Array.from({ length: partitions }, (_, partition) => of(partition)));
    const ends = await all(async (partition) => (await log.bounds(events, partition)).end);
    if (this.#begun?.length !== partitions) this.#begun = ends;
    const begun = this.#begun;
    const committed = await all((partition) => log.committed(group, events, partition));
    return ends.reduce(
      (sum, end, p) => sum + Math.max(0, end - Math.max(begun[p] ?? 0, committed[p] ?? 0)),
      0,
    );
  }
}
