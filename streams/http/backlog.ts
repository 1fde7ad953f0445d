/**
 * Bounds how far tasks fall behind, in time: a list is made after all events and items that were accepted before its
 * request. If no other process uses the log, events are accepted at the speed of the log as long as tasks need at most
 * `maxBehindMs` for what waits; beyond that, at the speed of the tasks, from each caller in turn. So are items.
 *
 * ```text
 *   accepted over HTTP, not yet applied ── at most ──> rate × maxBehindMs         rate: the highest of the last 10 s
 * ```
 *
 * Both count work, in which an impression of 400 items weighs as much as 81 interactions.
 *
 * The highest rate counts because an idle task only appears to be slow (as in BBR's estimate of a bandwidth).
 */

import { setTimeout as delay } from "node:timers/promises";
import type { UngroupedLog } from "../log/log.ts";
import { tasksGroup, type Topics } from "../topics/topics.ts";
import { Problem } from "./contract/problem.ts";
import { FairQueue } from "./contract/fair_queue.ts";

export interface BacklogOptions {
  /** Longest time that the tasks may need for what was accepted, milliseconds. */
  readonly maxBehindMs: number;
  /** Longest wait for room, milliseconds. @default {15_000} */
  readonly waitMs?: number | undefined;
  /** Most bodies that may wait at a time. @default {100} */
  readonly maxWaiting?: number | undefined;
  /** Whether waits should end. @default {() => false} */
  readonly isStopping?: (() => boolean) | undefined;
  /** Monotonic clock, milliseconds. */
  readonly clock: () => number;
}

/** Events to accept. */
export interface Entering {
  /** Who sends them. */
  readonly caller: string;
  readonly events: number;
  /** Their work, see `workOf`: an integer. */
  readonly work: number;
  /** Whether a part of the body was accepted before, so that the rest may be late but not refused. @default {false} */
  readonly isBegun?: boolean | undefined;
}

/** Where each partition that the tasks read ends, and up to where they have applied it: offsets. */
export type Followed = () => Promise<readonly { readonly end: number; readonly applied: number }[]>;

/** The log that the tasks currently read, and how many tasks there are. */
export type Following = () => {
  readonly log: Pick<UngroupedLog, "bounds" | "committed">;
  readonly partitions: number;
};

/** The events of all partitions. */
export function followedEvents(following: Following, topics: Topics): Followed {
  const { events } = topics, group = tasksGroup(topics);
  return () => {
    const { log, partitions } = following();
    return Promise.all(Array.from({ length: partitions }, async (_, partition) => {
      const { start, end } = await log.bounds(events, partition);
      return { end, applied: Math.max(start, await log.committed(group, events, partition) ?? 0) };
    }));
  };
}

/** The items, which every task applies. @param applied up to where each task has */
export function followedItems(
  following: Following,
  topics: Topics,
  applied: () => readonly number[],
): Followed {
  return async () => {
    const { end } = await following().log.bounds(topics.items, 0);
    const all = applied();
    return [{ end, applied: all.length === 0 ? end : Math.min(...all) }]; // without tasks, nothing waits
  };
}

/** Time between two looks at the positions of the tasks, least time over which their rate is measured, and how long it counts. */
const LOOK_MS = 100;
const SAMPLE_MS = 500;
const REMEMBERED_MS = 10_000;
/** Work that may wait in any case: tasks commit ten times a second, and light use must not wait for that. */
const LEAST_WORK = 200;
/** Work per millisecond that any task is expected to do. */
const LEAST_RATE = 0.2;
const WAIT_MS = 15_000;
const MAX_WAITING = 100;

/** How much was accepted. */
interface Load {
  readonly events: number;
  readonly work: number;
}

/** Events that were accepted between two looks. */
interface Accepted extends Load {
  /** Ends of the partitions at the later look. */
  readonly ends: readonly number[];
}

/** Events that wait for room. */
interface Waiting extends Entering {
  readonly since: number;
  readonly settled: PromiseWithResolvers<void>;
}

/** Admits events. Those of other writers, such as a followed source, do not count: waiting would not avoid them. */
export class Backlog {
  readonly #followed: Followed;
  readonly #options: BacklogOptions;
  readonly #queue: FairQueue<Waiting>;
  #isServing = false;
  /** What is on the log and not applied yet, oldest first. */
  #accepted: Accepted[] = [];
  /** Their work at the last look. */
  #left = 0;
  /** Everything accepted up to the last look and since; and the work that is being appended. */
  #noted: Load = { events: 0, work: 0 };
  #appended: Load = this.#noted;
  #entering = 0;
  /** Events of other writers that are not applied yet: their work is unknown. */
  #others = 0;
  #lookedAt = -Infinity;
  /** Partitions at the last look. */
  #partitions = 0;
  #looking: Promise<void> = Promise.resolve();
  /** When the rate of the tasks was last measured, and all work that they had done. */
  #measured = { at: -Infinity, done: 0 };
  /** Their rates, work per millisecond, and the highest. */
  #rates: { readonly at: number; readonly rate: number }[] = [];
  #rate = LEAST_RATE;

  /** Watches what the tasks follow. */
  constructor(followed: Followed, options: BacklogOptions) {
    this.#followed = followed;
    this.#options = options;
    this.#queue = new FairQueue(options.maxWaiting ?? MAX_WAITING);
  }

  /** Work to accept at a time: a quarter of what may wait, so that others come in between. */
  get portion(): number {
    return Math.ceil(this.#most / 4);
  }

  /**
   * Appends events once there is room for them.
   *
   * @throws Problem `unavailable` when that takes too long or too many wait; nothing is appended then
   */
  async enter<Result>(entering: Entering, append: () => Promise<Result>): Promise<Result> {
    const { events, work } = entering;
    await this.#look();
    if (this.#queue.size > 0 || !this.#reserve(work)) await this.#wait(entering);
    try {
      return await append();
    } finally {
      this.#entering -= work;
      this.#appended = { events: this.#appended.events + events, work: this.#appended.work + work };
    }
  }

  async #wait(entering: Entering): Promise<void> {
    const own = { ...entering, since: this.#options.clock(), settled: Promise.withResolvers<void>() };
    const left = this.#queue.push(entering.caller, own);
    if (left !== undefined) this.#giveUp(left);
    if (!this.#isServing) this.#serve();
    await own.settled.promise;
  }

  /** Admits waiting events, each caller in turn, until none waits. */
  async #serve(): Promise<void> {
    this.#isServing = true;
    while (this.#queue.size > 0) {
      await this.#look().catch(() => {}); // events that wait for too long are refused
      this.#dropLate();
      for (let next = this.#queue.first; next !== undefined; next = this.#queue.first) {
        if (!this.#reserve(next.work)) break;
        this.#queue.shift();
        next.settled.resolve();
      }
      if (this.#queue.size > 0) await delay(LOOK_MS);
    }
    this.#isServing = false;
  }

  #dropLate(): void {
    const { clock, waitMs = WAIT_MS, isStopping } = this.#options;
    const now = clock();
    for (const waiting of [...this.#queue]) {
      if (now - waiting.since < waitMs && !isStopping?.()) continue;
      this.#queue.delete(waiting.caller, waiting);
      this.#giveUp(waiting);
    }
  }

  /** Refuses events for which there is no longer any room. */
  #giveUp({ work, isBegun = false, settled }: Waiting): void {
    if (isBegun) {
      this.#entering += work;
      return settled.resolve();
    }
    const seconds = Math.ceil(this.#pending / this.#rate / 1000);
    const detail = `The events and items that wait to be applied need ${seconds} s, and may need at most ` +
      `${this.#options.maxBehindMs} ms (http.maxBehindMs)`;
    settled.reject(
      new Problem("unavailable", detail, { headers: { "retry-after": `${Math.max(1, seconds)}` } }),
    );
  }

  /** Takes room, if there is some; as much as a body needs if there is no other. */
  #reserve(work: number): boolean {
    if (this.#pending > 0 && this.#pending + work > Math.max(this.#most, this.#others)) return false;
    this.#entering += work;
    return true;
  }

  get #pending(): number {
    return this.#left + this.#appended.work - this.#noted.work + this.#entering;
  }

  /** Work that may wait. */
  get #most(): number {
    return Math.max(LEAST_WORK, this.#rate * this.#options.maxBehindMs);
  }

  /** Looks at what is applied by now, unless that was a moment ago. */
  #look(): Promise<void> {
    const now = this.#options.clock();
    if (now - this.#lookedAt >= LOOK_MS) {
      this.#lookedAt = now;
      this.#looking = this.#read(now);
    }
    return this.#looking;
  }

  async #read(now: number): Promise<void> {
    const appended = this.#appended;
    const followed = await this.#followed();
    const noted = this.#noted; // by now: reads may overlap
    const ends = followed.map(({ end }) => end);
    const behind = (ends: readonly number[]) =>
      followed.reduce((sum, { applied }, partition) => sum + Math.max(0, ends[partition]! - applied), 0);
    // A changed number of partitions means that other tasks, which had caught up, have taken over.
    if (ends.length !== this.#partitions) {
      this.#accepted = [];
      this.#measured = { at: -Infinity, done: 0 };
    } else if (appended.events > noted.events) {
      this.#accepted.push({ events: appended.events - noted.events, work: appended.work - noted.work, ends });
    }
    this.#partitions = ends.length;
    if (appended.events > noted.events) this.#noted = appended;
    this.#accepted = this.#accepted.filter((one) => behind(one.ends) > 0);
    let events = 0, work = 0;
    for (const one of this.#accepted) {
      const left = Math.min(one.events, behind(one.ends));
      events += left;
      work += one.work * left / one.events;
    }
    this.#left = work;
    this.#others = Math.max(0, behind(ends) - events - (this.#appended.events - this.#noted.events));
    const applied = followed.reduce((sum, { applied }) => sum + applied, 0);
    this.#measure(now, applied + (this.#noted.work - work) - (this.#noted.events - events));
  }

  /** @param done all work of the tasks; an event of others counts as 1 */
  #measure(now: number, done: number): void {
    const before = this.#measured;
    if (now - before.at < SAMPLE_MS) return;
    this.#measured = { at: now, done };
    this.#rates = this.#rates.filter(({ at }) => now - at < REMEMBERED_MS);
    this.#rates.push({ at: now, rate: (done - before.done) / (now - before.at) });
    this.#rate = this.#rates.reduce((most, { rate }) => Math.max(most, rate), LEAST_RATE);
  }
}
