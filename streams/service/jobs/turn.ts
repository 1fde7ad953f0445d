/** Work that one process of a deployment does at a time; when it dies, another one takes over. */

import { ignore } from "../../log/ignore.ts";
import type { Log } from "../../log/log.ts";
import { orAborted, pause } from "../../log/pause.ts";
import type { Job } from "./worker.ts";
import { WorkerGroup } from "./worker_group.ts";
import type { SharedThread } from "./shared_thread.ts";

/** The work, and the processes that may do it. */
export interface TurnOptions<T> {
  /** The consumer group of processes that may do it. */
  readonly group: string;
  /** A topic with one partition, whose owner has the turn. */
  readonly topic: string;
  /** Name of the work, for people. */
  readonly name: string;
  /** Does the work; called again after a failure of the log. */
  readonly work: (signal: AbortSignal) => Promise<T>;
  /** The thread that the work shares. */
  readonly thread: Pick<SharedThread, "giveWay">;
  /** Ends it. */
  readonly signal: AbortSignal;
  /** Monotonic clock, milliseconds. */
  readonly now: () => number;
  /** First pause after a failure, milliseconds. @default {1000} */
  readonly pauseMs?: number | undefined;
}

const IDLE_MS = 1000;

/** Does work once this process has the turn. @returns what it returns @throws what it throws, or the signal's reason */
export async function inTurn<T>(log: Log, options: TurnOptions<T>): Promise<T> {
  const { group, topic, name, work, thread, signal, now, pauseMs } = options;
  const done = Promise.withResolvers<T>();
  const workers = new WorkerGroup<Turn>(log, {
    group,
    topic,
    thread,
    now,
    pauseMs,
    name: () => name,
    open: () => Promise.resolve(new Turn(async (own) => done.resolve(await work(own)))),
  });
  ignore(workers.ended.catch(done.reject), "`done` rejects with it");
  try {
    return await orAborted(done.promise, signal);
  } finally {
    await workers.stop();
  }
}

class Turn implements Job {
  readonly #ending = new AbortController();
  readonly #work: Promise<void>;
  #isDone = false;

  constructor(work: (signal: AbortSignal) => Promise<void>) {
    this.#work = work(this.#ending.signal).finally(() => this.#isDone = true);
    ignore(this.#work, "steps throw it");
  }

  async step(signal: AbortSignal): Promise<void> {
    const idle = pause(IDLE_MS, signal);
    await (this.#isDone ? Promise.all([this.#work, idle]) : Promise.race([this.#work, idle]));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort();
    await ignore(this.#work, "steps throw it");
  }
}
