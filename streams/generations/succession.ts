/**
 * How the processes of a deployment move from one generation to the next: one of them builds it, and a record makes
 * all of them switch.
 *
 * ```text
 *   generations   closing 2 ──────────────── serving 2
 *   builder       └ fences old tasks ─ last leg ┘ its tasks answer, for all partitions
 *   others          stop reading                └ leave the old groups, join the new ones, restore what is assigned
 * ```
 *
 * After `closing` no old task is opened, and open ones are fenced: what they have committed by then is all that they
 * ever answer, whether their process has seen the record, is frozen, or is gone. If a switch stays open too long, any
 * process takes it back and thereby fences the builder: one transactional id writes both records.
 */

import { getLogger } from "@logtape/logtape";
import { reasonOf } from "../../src/values/reason.ts";
import { ignore } from "../log/ignore.ts";
import { isTransient, type Log, LogError } from "../log/log.ts";
import { pause } from "../log/pause.ts";
import { readOn } from "../log/reading.ts";
import type { Replaceable } from "../service/replaceable.ts";
import type { Service } from "../service/service.ts";
import { closingRecord, type SwitchState, switchState, switchWriterId } from "../topics/serving.ts";
import { generationTopics, tasksGroup, type Topics } from "../topics/topics.ts";
import { checkServing } from "./check_serving.ts";

/** A service, and the offsets of events at which it stops reading, by task. */
export interface Bounded {
  readonly service: Service;
  /** Where its tasks stop: nowhere, `Infinity`, at first. */
  readonly ends: number[];
}

export interface SuccessionOptions {
  /** Topics of the first generation. */
  readonly topics: Topics;
  /** Where the service of the process is. */
  readonly place: Replaceable;
  /** Number of the generation that the process runs. */
  readonly serving: number;
  /** Where its tasks stop, by task. */
  readonly ends: number[];
  /** Starts another generation, which restores the tasks assigned to it. @throws Error when it cannot be run here */
  readonly start: (generation: number) => Promise<Bounded>;
  /** Called when the records of generations have changed, and at the start, while this process serves. */
  readonly onRecord?: ((serving: number) => Promise<void>) | undefined;
  /** Ends it. */
  readonly signal: AbortSignal;
  /** Monotonic clock, milliseconds. */
  readonly clock: () => number;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Longest time that a switch may stay open, milliseconds. @default {10_000} */
  readonly patienceMs?: number | undefined;
}

const PATIENCE_MS = 10_000;
/** Longest wait for a record, and pause after a failure. */
const WAIT_MS = 1000;
const LOOK_MS = 50;

const logger = getLogger(["meander", "rebuild"]);

/** Keeps the service of a process on the generation that serves. */
export class Succession {
  /** Where the service of the process is. */
  readonly place: Replaceable;
  /** Resolves when its signal is aborted; rejects when it cannot continue. Watch it. */
  readonly ended: Promise<void>;
  /** Longest time that a switch may stay open, milliseconds. */
  readonly patienceMs: number;
  readonly #log: Log;
  readonly #options: SuccessionOptions;
  #serving: number;
  #ends: number[];
  /** Whether this process is making the switch. */
  #isSwitching = false;
  /** Since when a switch is open. */
  #openSince: number | undefined;
  /** Serialises the reactions to changes of the records. */
  #heeding: Promise<void> = Promise.resolve();

  /** Starts watching. */
  constructor(log: Log, options: SuccessionOptions) {
    this.#log = log;
    this.#options = options;
    this.place = options.place;
    this.patienceMs = options.patienceMs ?? PATIENCE_MS;
    this.#serving = options.serving;
    this.#ends = options.ends;
    this.ended = this.#watch();
  }

  /** Stops following records until this process {@linkcode replace}s its service or {@linkcode resume}s. */
  suspend(): void {
    this.#isSwitching = true;
  }

  /**
   * Puts the service of the next generation into the released place. It first waits for reactions to records from
   * before that generation served, or the process would go back. @returns the previous service
   */
  replace(generation: number, next: Bounded): Promise<Service> {
    const replaced = this.#heeding.then(() => this.#replace(generation, next));
    this.#heeding = ignore(replaced, "the caller handles it");
    return replaced;
  }

  #replace(generation: number, { service, ends }: Bounded): Service {
    this.#isSwitching = false;
    this.#serving = generation;
    this.#ends = ends;
    return this.place.replace(service);
  }

  /** Follows records again: another generation, or the same one if its tasks were released. */
  resume(): Promise<void> {
    this.#isSwitching = false;
    return this.#heed();
  }

  /**
   * Fences the tasks of the serving generation, which this process may not run yet, or no longer.
   *
   * @param count number of its tasks
   * @returns what must be held until others answer
   */
  async fence(serving: number, count: number): Promise<AsyncDisposable> {
    const topics = generationTopics(this.#options.topics, serving);
    await using writers = new AsyncDisposableStack();
    await Promise.all(Array.from({ length: count }, async (_, task) => {
      const place = { topic: topics.statistics, partition: task };
      writers.use(await this.#log.writer(`${tasksGroup(topics)}-${task}`, [place]));
    }));
    return writers.move();
  }

  async #watch(): Promise<void> {
    const { topics: { generations }, signal, clock } = this.#options;
    const place = { topic: generations, partition: 0 };
    let next: number | undefined, epoch: number | undefined;
    let hasNews = false;
    const goBack = () => void (hasNews = true); // what it has read may be gone
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
        const options = { reader: "this process", from: next, epoch, goBack, waitMs: WAIT_MS, signal };
        const read = await readOn(this.#log, place, options);
        ({ next, epoch } = read);
        if (read.records.length > 0 || hasNews) await this.#heed();
        hasNews = false;
        if (!this.#isSwitching && clock() - (this.#openSince ?? Infinity) > this.patienceMs) {
          await this.#reopen();
        }
      } catch (error) {
        if (signal.aborted) return;
        if (!isTransient(error)) throw error;
        const reason = reasonOf(error);
        logger.debug("cannot follow {generations}, trying again: {reason}", { generations, reason });
        [next, epoch] = [undefined, undefined];
        await pause(WAIT_MS, signal);
      }
    }
  }

  #heed(): Promise<void> {
    const heeded = this.#heeding.then(async () => {
      if (!this.#options.signal.aborted) {
        await this.#follow(await switchState(this.#log, this.#options.topics));
        if (!this.#isSwitching) await this.#options.onRecord?.(this.#serving);
      }
    });
    this.#heeding = ignore(heeded, "its awaiters handle it");
    return heeded;
  }

  async #follow({ serving, closing }: SwitchState): Promise<void> {
    const { clock, start } = this.#options;
    if (!this.#isSwitching && (serving !== this.#serving || closing === null && this.place.isReleased)) {
      await checkServing(this.#log, this.#options.topics);
      logger.info("generation {serving} serves: this process switches to it", { serving });
      await this.place.release();
      const next = await start(serving);
      await this.#replace(serving, next).stop();
    }
    this.#openSince = closing === null ? undefined : this.#openSince ?? clock();
    for (const task of this.#ends.keys()) {
      this.#ends[task] = closing === null ? Infinity : closing.ends[task] ?? 0;
    }
  }

  /** Takes back a switch that its builder has not completed; the builder's writes fail from now on. */
  async #reopen(): Promise<void> {
    const { topics, now } = this.#options;
    const place = { topic: topics.generations, partition: 0 };
    await using writer = await this.#log.writer(switchWriterId(topics), [place]);
    const { closing } = await switchState(this.#log, topics);
    if (closing === null) return;
    await writer.commit({ records: [closingRecord(topics, null, now())], group: writer.id, offsets: [] });
    logger.warn("generation {to} has not taken over in time: the previous one keeps serving", {
      to: closing.to,
    });
  }
}

/**
 * Checks that a task may work, once it has fenced all others of its partition. Waits while a switch is under way.
 *
 * @throws LogError `fenced` when it had to wait, or another generation serves: it has been fenced meanwhile
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
        `Cannot work for generation ${generation}: ${serving} serves, or has just taken over`,
      );
    }
    await pause(LOOK_MS, signal);
    signal.throwIfAborted();
  }
}
