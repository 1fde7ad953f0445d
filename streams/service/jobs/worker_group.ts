/** A member of a group and its workers, one per assigned partition. */

import { getLogger } from "@logtape/logtape";
import { reasonOf } from "../../../src/values/reason.ts";
import { ignore } from "../../log/ignore.ts";
import { pause } from "../../log/pause.ts";
import { isTransient, type Log } from "../../log/log.ts";
import type { SharedThread } from "./shared_thread.ts";
import { isMissingTopic, type Job, Worker } from "./worker.ts";

export interface WorkerGroupOptions<J extends Job> {
  /** The group to join. */
  readonly group: string;
  /** The topic whose partitions it shares. */
  readonly topic: string;
  readonly name: (partition: number) => string;
  /** Starts the work on a partition. */
  readonly open: (partition: number, signal: AbortSignal) => Promise<J>;
  /** Monotonic clock, milliseconds. */
  readonly now: () => number;
  /** The thread that the workers share. */
  readonly thread: Pick<SharedThread, "giveWay">;
  /** The first pause of a worker after a failure, milliseconds. @default {1000} */
  readonly pauseMs?: number | undefined;
  /** See {@linkcode WorkerOptions.outlivesDamage}. */
  readonly outlivesDamage?: boolean | undefined;
}

/** The first pause before it joins again; it doubles, to this at most, until it has joined. */
const REJOIN_MS = 1000;
const LONGEST_REJOIN_MS = 8000;

const logger = getLogger(["meander", "service"]);

/** Works on the partitions that a group assigns, until it is stopped. */
export class WorkerGroup<J extends Job> {
  /** Resolves when it has stopped; rejects as soon as it, or a worker, has failed for good. */
  readonly ended: Promise<void>;
  /** Settles when it has released everything. */
  readonly #over: Promise<void>;
  readonly #log: Log;
  readonly #options: WorkerGroupOptions<J>;
  readonly #workers = new Map<number, Worker<J>>();
  readonly #stopping = new AbortController();
  readonly #failed = Promise.withResolvers<never>();
  #isOver = false;
  #hasJoined = false;
  #failure: string | undefined;
  #lacksTopic = false;

  /** Joins the group. */
  constructor(log: Log, options: WorkerGroupOptions<J>) {
    this.#log = log;
    this.#options = options;
    this.#over = this.#live().finally(() => this.#isOver = true);
    // Other workers may wait for the log for a long time before they are released.
    this.ended = Promise.race([this.#over, this.#failed.promise]);
  }

  /** The workers by partition, ascending. */
  get workers(): readonly (readonly [partition: number, worker: Worker<J>])[] {
    return [...this.#workers].sort(([a], [b]) => a - b);
  }

  /** Why workers are stuck, a sentence each. Read for every event over HTTP. */
  get faults(): readonly string[] {
    const faults: string[] = [];
    for (const { fault } of this.#workers.values()) if (fault !== undefined) faults.push(fault);
    return faults;
  }

  /** Whether the group has assigned its partitions, of which there may be none. */
  get hasJoined(): boolean {
    return this.#hasJoined;
  }

  /** Why it could not join, or lost its membership, at the last attempt; for people. */
  get failure(): string | undefined {
    return this.#failure;
  }

  /** Whether it, or one of its workers, could not go on at the last attempt because a topic is missing. */
  get lacksTopic(): boolean {
    return this.#lacksTopic || this.workers.some(([, { lacksTopic }]) => lacksTopic);
  }

  /** The workers that have not stopped yet, for people. */
  get unfinished(): readonly string[] {
    if (this.#isOver) return [];
    const workers = this.workers.map(([, { name, state }]) => `${name} (${state})`);
    return workers.length > 0 ? workers : [`leaving group ${this.#options.group}`];
  }

  /** Releases every partition and leaves the group. Never rejects: `ended` reports failures. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await ignore(this.#over, "watchers of `ended` see it");
  }

  async #live(): Promise<void> {
    const { group, topic } = this.#options;
    const { signal } = this.#stopping;
    const stopped = new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
    for (let pauseMs = REJOIN_MS; !signal.aborted;) {
      try {
        await using member = await this.#log.join(group, [topic], {
          assigned: (partitions) => Promise.resolve(this.#assign(partitions)),
          revoked: (partitions, why) => this.#revoke(partitions, why),
        });
        this.#hasJoined = true;
        this.#failure = undefined;
        this.#lacksTopic = false;
        pauseMs = REJOIN_MS;
        await Promise.race([stopped, member.ended, this.#failed.promise]);
      } catch (error) {
        this.#hasJoined = false;
        this.#lacksTopic = isMissingTopic(error);
        if (!this.#lacksTopic && !isTransient(error)) throw error;
        const reason = this.#failure = reasonOf(error);
        logger.warn("not a member of group {group}, joining again in {pauseMs} ms: {reason}", {
          group,
          pauseMs,
          reason,
        });
        await pause(pauseMs, signal);
        pauseMs = Math.min(2 * pauseMs, LONGEST_REJOIN_MS);
      }
    }
  }

  #assign(partitions: readonly number[]): void {
    const { group, name, open, now, thread, pauseMs, outlivesDamage } = this.#options;
    logger.info("group {group} assigns partitions {partitions}", { group, partitions: partitions.join(",") });
    for (const partition of partitions) {
      const worker = new Worker<J>({
        name: name(partition),
        open: (signal) => open(partition, signal),
        now,
        thread,
        pauseMs,
        outlivesDamage,
      });
      this.#workers.set(partition, worker);
      worker.ended.catch((error) => this.#failed.reject(error));
    }
  }

  async #revoke(partitions: readonly number[], why: string): Promise<void> {
    const { group } = this.#options;
    await Promise.all(partitions.map(async (partition) => {
      await this.#workers.get(partition)?.stop();
      this.#workers.delete(partition);
    }));
    logger.info("group {group} revokes partitions {partitions}: {why}", {
      group,
      partitions: partitions.join(","),
      why,
    });
  }
}
