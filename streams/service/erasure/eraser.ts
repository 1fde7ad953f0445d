/**
 * Erases the records of users from a log that can erase single records.
 *
 * ```text
 *   events            ..x..x....F|.m    F requests it, and is erased last, so a crash forgets nothing; m, which a
 *                                       session hands over by an earlier alias, once its task has dropped it
 *   samples           ..x.x....T..      T, the tombstone of F, once it is in the checkpoints of all learners
 *   recommendations   ..x.x.......      answers to events up to F, once the figures of experiments have it; likewise
 *                                       on topics of surfaces
 *   signals           -----|            dropped up to there, once the tasks of all partitions have learnt it
 *   rejected          ...x...x....      whatever names the id
 *   state, figures,
 *   lists             x                 the tombstone of the user
 *   parameters                          waits until no version has a row of the user
 *   other generations -----             one that has the user is dropped: nothing runs it
 * ```
 *
 * Records of the user after F are of a new life, and stay. Parameters, checkpoints and statistics are rewritten by their
 * owners; those of idle models, which have none, are dropped with the rest.
 */

import { setTimeout as delay } from "node:timers/promises";
import { getLogger } from "@logtape/logtape";
import { canErase, type ErasableLog } from "../../log/capabilities.ts";
import type { Scrubbed } from "../../log/log.ts";
import { pause } from "../../log/pause.ts";
import { PORTION, Repeated } from "./background.ts";
import type { ErasurePlace, ErasureProgress, Erasures, ErasureState } from "./erasure_view.ts";
import { dropIdle, idleModels } from "./idle_models.ts";
import { type Deployment, neededEvents } from "./needed.ts";
import { dropOthersWith } from "./other_generations.ts";
import { type Plan, RecordFinder } from "./record_finder.ts";

export interface EraserOptions {
  /** Monotonic clock, milliseconds. */
  readonly clock: () => number;
  /** Time between checks of the log, milliseconds. @default {5000} */
  readonly lookMs?: number | undefined;
}

const LOOK_MS = 5000;
/** Pause after a portion, as a multiple of the time that it took. */
const PAUSES = 4;

const logger = getLogger(["meander", "log"]);

/** Erasures whose sessions are remembered. */
const MAX_REMEMBERED = 1000;

/** Erases in the background. */
export class Eraser implements Erasures {
  readonly #log: ErasableLog;
  readonly #deployment: Deployment;
  readonly #options: EraserOptions;
  readonly #group: string;
  readonly #repeated = new Repeated();
  readonly #finder: RecordFinder;
  /** By partition, the offset up to which events were scanned. */
  #seen: number[] | undefined;
  #plans: Plan[] = [];
  /** Topics on which other users' records name the user, by place of the erasure. */
  readonly #named = new Map<string, ReadonlySet<string>>();
  /** What the storage of the log still holds of erased records. */
  #left: Scrubbed = "busy";

  private constructor(log: ErasableLog, deployment: Deployment, options: EraserOptions) {
    this.#log = log;
    this.#deployment = deployment;
    this.#options = options;
    this.#group = `${deployment.topics.events}-erasures`;
    const { clock } = options;
    this.#finder = new RecordFinder(log, deployment, {
      clock,
      pauses: PAUSES,
      signal: this.#repeated.signal,
    });
  }

  /** An eraser for a deployment; `undefined` if the log cannot erase records. */
  static for(deployment: Deployment, options: EraserOptions): Eraser | undefined {
    const { log } = deployment;
    return canErase(log) ? new Eraser(log, deployment, options) : undefined;
  }

  /** Starts in the background. */
  start(): this {
    this.#repeated.start(
      () => this.look(),
      this.#options.lookMs ?? LOOK_MS,
      "erase users from the log",
      logger,
    );
    return this;
  }

  /** Progress of an erasure, and topics on which other users' records named the user at the erasure. */
  progress(place: ErasurePlace): ErasureProgress {
    const { partition, offset } = place;
    return { state: this.#stateOf(place), idle: [], named: this.#named.get(`${partition}/${offset}`) };
  }

  #stateOf({ partition, offset }: ErasurePlace): ErasureState {
    const isPlanned = this.#plans.some((plan) =>
      plan.partition === partition && plan.erasures.some((erasure) => erasure.offset === offset)
    );
    if (isPlanned || this.#left === "busy" || (this.#seen?.[partition] ?? 0) <= offset) return "under way";
    return this.#left === "clean" ? "done" : "fragments";
  }

  /** Erases what may be erased now. @returns Whether nothing is left to do */
  async look(): Promise<boolean> {
    const { partitions, beside } = this.#deployment;
    if (beside?.() != null) return false; // a generation built from the same events erases its own copies later
    const seen = this.#seen ??= await this.#noted();
    for (let partition = 0; partition < partitions; partition++) await this.#find(partition, seen);
    const done = new Set<Plan>();
    for (const plan of this.#plans) if (await this.#finder.isRipe(plan)) done.add(plan);
    for (const plan of done) await this.#erase(plan);
    if (done.size > 0) {
      this.#left = "busy";
      this.#plans = this.#plans.filter((plan) => !done.has(plan));
      const users = [...done].reduce((sum, { erasures }) => sum + erasures.length, 0);
      logger.info("erased {users} users from the log", { users });
    }
    if (this.#left === "busy") this.#left = await this.#log.scrub();
    await this.#note(seen);
    return this.#plans.length === 0 && this.#left !== "busy";
  }

  /** Ends the check in progress. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#repeated[Symbol.asyncDispose]();
  }

  /** Offsets to scan from, by partition. */
  async #noted(): Promise<number[]> {
    const { topics: { events }, partitions } = this.#deployment;
    const all = Array.from({ length: partitions }, (_, partition) => partition);
    return await Promise.all(all.map(async (p) => await this.#log.committed(this.#group, events, p) ?? 0));
  }

  /** Commits the offsets to scan from after a restart. */
  async #note(seen: readonly number[]): Promise<void> {
    const { topics: { events } } = this.#deployment;
    const offsets = seen.map((next, partition) => {
      const waiting = this.#plans.filter((plan) => plan.partition === partition);
      const first = waiting.flatMap(({ erasures }) => erasures.map(({ offset }) => offset));
      return { topic: events, partition, offset: Math.min(next, ...first) };
    });
    const noted = await this.#noted();
    if (offsets.every(({ partition, offset }) => noted[partition] === offset)) return;
    await using writer = await this.#log.writer(this.#group);
    await writer.commit({ records: [], group: this.#group, offsets });
  }

  /** Plans requested erasures that the task has committed. */
  async #find(partition: number, seen: number[]): Promise<void> {
    const { events } = this.#deployment.topics;
    const from = seen[partition] ?? 0;
    const to = await neededEvents(this.#deployment, partition);
    const { erasures, merges } = await this.#finder.requested(partition, from, to);
    if (merges.length > 0) {
      await this.#eraseAll(events, partition, merges);
      this.#left = "busy";
    }
    if (erasures.length > 0) {
      const plan = await this.#finder.plan(partition, erasures);
      this.#plans.push(plan);
      for (const [offset, topics] of plan.named) this.#named.set(`${partition}/${offset}`, topics);
      for (const place of this.#named.keys()) {
        if (this.#named.size > MAX_REMEMBERED) this.#named.delete(place);
      }
    }
    seen[partition] = Math.max(seen[partition] ?? 0, to);
  }

  async #erase(plan: Plan): Promise<void> {
    const { partition, erasures, offsets, signalsEnds } = plan;
    const { topics } = this.#deployment;
    // One process holds the log, so an idle model runs nowhere, and a later run would not learn of the erasure.
    const samplesEnd = (offsets.get(topics.samples)?.get(partition)?.at(-1) ?? -1) + 1;
    for (const idle of await idleModels(this.#deployment, partition, samplesEnd)) {
      await dropIdle(this.#log, topics, idle);
      logger.warn(
        "{model} is not running, and has learnt from users who are erased: its weights are dropped; it starts " +
          "from scratch when it is run again",
        { model: idle.model },
      );
    }
    for (const [place, end] of signalsEnds.entries()) {
      const { start } = await this.#log.bounds(topics.signals, place);
      if (end > start) await this.#log.trim(topics.signals, place, end);
    }
    for (const { user } of erasures) {
      await this.#eraseTombstone(topics.state, partition, user);
      await this.#eraseTombstone(topics.lists, partition, user);
      await this.#eraseTombstone(topics.figures, 0, `user/${user}`);
    }
    const [firstEvent = Infinity] = offsets.get(topics.events)?.get(partition) ?? [];
    await dropOthersWith(this.#log, topics, erasures.map(({ user }) => user), firstEvent, this.#rest());
    const asking = new Set(erasures.map(({ offset }) => offset));
    for (const [topic, byPartition] of offsets) {
      for (const [place, found] of byPartition) {
        const first = topic === topics.events ? found.filter((offset) => !asking.has(offset)) : found;
        await this.#eraseAll(topic, place, first);
      }
    }
    await this.#eraseAll(topics.events, partition, [...asking]);
  }

  /** Pauses that are as long as a portion takes, times {@linkcode PAUSES}. */
  #rest(): () => Promise<void> {
    const { clock } = this.#options;
    let begun = clock();
    return async () => {
      await pause(PAUSES * (clock() - begun), this.#repeated.signal); // none on disposal, which waits for this
      begun = clock();
    };
  }

  /** Erases the tombstone of a key, unless the key has come back. */
  async #eraseTombstone(topic: string, partition: number, key: string): Promise<void> {
    const newest = await this.#log.latest?.(topic, partition, key);
    if (newest?.value === null) await this.#log.erase(topic, partition, [newest.offset]);
  }

  async #eraseAll(topic: string, partition: number, offsets: readonly number[]): Promise<void> {
    for (let at = 0; at < offsets.length; at += PORTION) {
      await this.#log.erase(topic, partition, offsets.slice(at, at + PORTION));
      await delay(0); // yields
    }
  }
}
