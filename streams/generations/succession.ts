/**
 * How the processes of a deployment go from one generation to the next: one of them builds it, and a record has all switch.
 *
 * ```text
 *   generations   closing 2 ──────────────── serving 2
 *   builder       └ fences old tasks ─ last leg ┘ its tasks answer, for all partitions
 *   others          stop reading                └ leave the old groups, join the new ones, restore what is assigned
 * ```
 *
 * From `closing` on no old task is opened, and those that are open are fenced: what they have committed then is all that
 * they ever answer, whether their process has seen the record, is frozen, or is gone. A switch that stays open is taken
 * back by any process, which fences its builder: both records are written by one transactional id.
 *
 * @module
 */

import { getLogger } from "@logtape/logtape";
import { isTransient, type Log, LogError } from "../log/log.ts";
import { pause } from "../log/pause.ts";
import type { Replaceable } from "../service/replaceable.ts";
import type { Service } from "../service/service.ts";
import { closingRecord, type SwitchState, switchState, switchWriterId } from "../topics/serving.ts";
import { generationTopics, tasksGroup, type Topics } from "../topics/topics.ts";

/** A service, and the offsets of events at which it stops to read, by task. */
export interface Bounded {
  /** The service. */
  readonly service: Service;
  /** Where its tasks stop: nowhere, `Infinity`, at first. */
  readonly ends: number[];
}

/** Options of a {@linkcode Succession}. */
export interface SuccessionOptions {
  /** Topics of the first generation. */
  readonly topics: Topics;
  /** Where the service of the process is. */
  readonly place: Replaceable;
  /** Number of the generation that it runs. */
  readonly serving: number;
  /** Where its tasks stop, by task. */
  readonly ends: number[];
  /** Starts another generation, to restore what is assigned to it. @throws Error when it cannot be run here */
  readonly start: (generation: number) => Promise<Bounded>;
  /** Ends it. */
  readonly signal: AbortSignal;
  /** A clock in milliseconds that never goes back. */
  readonly clock: () => number;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Longest time that a switch may stay open, milliseconds. @default {10_000} */
  readonly patienceMs?: number | undefined;
}

const PATIENCE_MS = 10_000;
/** Longest wait for a record, and the pause after a failure. */
const WAIT_MS = 1000;
const LOOK_MS = 50;

const logger = getLogger(["meander", "rebuild"]);

/** Keeps the service of a process at the generation that serves. */
export class Succession {
  /** Where the service of the process is. */
  readonly place: Replaceable;
  /** Resolves when its signal is aborted; rejects when it cannot go on. Watch it. */
  readonly ended: Promise<void>;
  readonly #log: Log;
  readonly #options: SuccessionOptions;
  #serving: number;
  #ends: number[];
  /** Whether this process is the one that switches. */
  #isSwitching = false;
  /** Since when a switch is open. */
  #openSince: number | undefined;
  /** What follows changes one at a time. */
  #heeding: Promise<void> = Promise.resolve();

  /** Begins to watch. */
  constructor(log: Log, options: SuccessionOptions) {
    this.#log = log;
    this.#options = options;
    this.place = options.place;
    this.#serving = options.serving;
    this.#ends = options.ends;
    this.ended = this.#watch();
  }

  /** From now on this process follows no record, until it {@linkcode replace}s its service or {@linkcode look}s. */
  begin(): void {
    this.#isSwitching = true;
  }

  /** Puts the service of the next generation into the place, which was released. @returns the one before */
  replace(generation: number, { service, ends }: Bounded): Service {
    this.#isSwitching = false;
    this.#serving = generation;
    this.#ends = ends;
    return this.place.replace(service);
  }

  /** Does what the log says: follows another generation, or takes up the same one again where the tasks were released. */
  look(): Promise<void> {
    this.#isSwitching = false;
    return this.#heed();
  }

  /** Fences the tasks of the generation that serves. @returns what is to be held until others answer */
  async fence(): Promise<AsyncDisposable> {
    const group = tasksGroup(generationTopics(this.#options.topics, this.#serving));
    await using writers = new AsyncDisposableStack();
    await Promise.all(this.#ends.map(async (_, task) => {
      writers.use(await this.#log.writer(`${group}-${task}`));
    }));
    return writers.move();
  }

  async #watch(): Promise<void> {
    const { topics: { generations }, signal, clock, patienceMs = PATIENCE_MS } = this.#options;
    let next: number | undefined;
    while (!signal.aborted) {
      try {
        if (next === undefined) {
          if (await this.#log.identify(generations) === null) {
            await pause(WAIT_MS, signal);
            continue;
          }
          next = (await this.#log.bounds(generations, 0)).end;
          await this.#heed();
        }
        const read = await this.#log.read(generations, 0, next, { waitMs: WAIT_MS, signal });
        next = read.next;
        if (read.records.length > 0) await this.#heed();
        if (!this.#isSwitching && clock() - (this.#openSince ?? Infinity) > patienceMs) await this.#reopen();
      } catch (error) {
        if (signal.aborted) return;
        if (!isTransient(error)) throw error;
        const reason = (error as Error).message;
        logger.debug("cannot follow {generations}, looks again: {reason}", { generations, reason });
        next = undefined;
        await pause(WAIT_MS, signal);
      }
    }
  }

  #heed(): Promise<void> {
    const heeded = this.#heeding.then(async () => {
      if (!this.#options.signal.aborted) {
        await this.#follow(await switchState(this.#log, this.#options.topics));
      }
    });
    this.#heeding = heeded.catch(() => {}); // who waits for it has it
    return heeded;
  }

  async #follow({ serving, closing }: SwitchState): Promise<void> {
    const { clock, start } = this.#options;
    if (!this.#isSwitching && (serving !== this.#serving || closing === null && this.place.isReleased)) {
      logger.info("generation {serving} serves: this process runs it from now on", { serving });
      await this.place.release();
      const next = await start(serving);
      await this.replace(serving, next).stop();
    }
    this.#openSince = closing === null ? undefined : this.#openSince ?? clock();
    for (const task of this.#ends.keys()) {
      this.#ends[task] = closing === null ? Infinity : closing.ends[task] ?? 0;
    }
  }

  /** Takes back a switch whose builder has not come to its end; what it writes from now on fails. */
  async #reopen(): Promise<void> {
    const { topics, now } = this.#options;
    await using writer = await this.#log.writer(switchWriterId(topics));
    const { closing } = await switchState(this.#log, topics);
    if (closing === null) return;
    await writer.commit({ records: [closingRecord(topics, null, now())], group: writer.id, offsets: [] });
    logger.warn("generation {to} has not taken over in time: the one before goes on", { to: closing.to });
  }
}

/**
 * Whether a task may work that has fenced all others of its partition. Waits while a switch is under way.
 *
 * @throws LogError `fenced` when it has waited, or another generation serves: it has been fenced meanwhile
 */
export async function mayWork(
  log: Log,
  topics: Pick<Topics, "generations">,
  generation: number,
  signal: AbortSignal,
): Promise<void> {
  for (let hasWaited = false;; hasWaited = true) {
    const { serving, closing } = await switchState(log, topics);
    if (serving === generation && closing === null && !hasWaited) return;
    if (serving !== generation || closing === null) {
      throw new LogError(
        "fenced",
        `Cannot work for generation ${generation}: ${serving} serves, or has taken over in between`,
      );
    }
    await pause(LOOK_MS, signal);
    signal.throwIfAborted();
  }
}
