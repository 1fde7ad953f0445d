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
 *
 * @module
 */

import { setTimeout as delay } from "node:timers/promises";
import { getLogger } from "@logtape/logtape";
import { canErase, type ErasableLog } from "../../log/capabilities.ts";
import type { LogRecord, Scrubbed } from "../../log/log.ts";
import { PORTION, portions, Repeated } from "./background.ts";
import {
  aliasesOf,
  type Erasure,
  erasureOf,
  hasRowsOf,
  inputOf,
  isErasedMerge,
  isEventOf,
  isRejectionOf,
  namedBy,
  SoughtUsers,
} from "./erased_records.ts";
import { dropIdle, idleModels } from "./idle_models.ts";
import { partitionOf } from "../../log/partitioner.ts";
import { pause } from "../../log/pause.ts";
import { newestOf } from "../../log/reading.ts";
import type { ErasurePlace, ErasureProgress, Erasures, ErasureState } from "./erasure_view.ts";
import { erasedOn } from "../../task/erased_on.ts";
import { ownPosition } from "../../task/inputs/inputs.ts";
import { surfaceTopicsOn } from "../../topics/surfaces.ts";
import { generationsOf } from "../../topics/generations.ts";
import {
  firstTopics,
  generationOf,
  generationTopics,
  rememberedTopic,
  type Topics,
} from "../../topics/topics.ts";
import { dropGeneration } from "./drop_generation.ts";
import {
  clearedSignals,
  type Deployment,
  journalsEnd,
  namedFrom,
  neededAnswers,
  neededEvents,
  neededSamples,
  neededSignals,
  parameterTopics,
} from "./needed.ts";

/** Options of an {@linkcode Eraser}. */
export interface EraserOptions {
  /** Monotonic clock, milliseconds. */
  readonly clock: () => number;
  /** Time between checks of the log, milliseconds. @default {5000} */
  readonly lookMs?: number | undefined;
}

/** Erasures that were found together, and the records to erase. */
interface Plan {
  readonly partition: number;
  readonly erasures: readonly Erasure[];
  readonly offsets: ReadonlyMap<string, ReadonlyMap<number, readonly number[]>>;
  /** By partition, the end of `signals` once everything that the users did was in it. */
  readonly signalsEnds: readonly number[];
  /** Ends of the topics of parameters when all learners had erased the users; `undefined` = they have not. */
  parametersEnds: ReadonlyMap<string, number> | undefined;
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
    for (const plan of this.#plans) if (await this.#isRipe(plan)) done.add(plan);
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
    const { topics: { events } } = this.#deployment;
    const from = seen[partition] ?? 0;
    const to = await neededEvents(this.#deployment, partition);
    const erasures: Erasure[] = [];
    const merges: number[] = [];
    // A task that has read all these events would have seen an erasure.
    const { openedAt = Infinity, lastErasure = Infinity } = this.#deployment.tasks().get(partition) ?? {};
    if (openedAt > from || lastErasure >= from) {
      const erased = await erasedOn(this.#log, this.#deployment.topics.statistics, partition);
      await this.#scan(events, partition, { from, to }, (record) => {
        const erasure = erasureOf(record);
        if (erasure !== null) erasures.push(erasure);
        else if (isErasedMerge(record, erased)) merges.push(record.offset);
      });
    }
    if (merges.length > 0) {
      await this.#eraseAll(events, partition, merges);
      this.#left = "busy";
    }
    if (erasures.length > 0) this.#plans.push(await this.#plan(partition, erasures));
    seen[partition] = Math.max(seen[partition] ?? 0, to);
  }

  /** Finds the records of users, in one pass through each topic. */
  async #plan(partition: number, erasures: readonly Erasure[]): Promise<Plan> {
    const { topics, partitions } = this.#deployment;
    const until = new Map(erasures.map(({ user, offset }) => [user, offset]));
    const users = new SoughtUsers(until.keys());
    const offsets = new Map<string, Map<number, readonly number[]>>();
    const collect = async (topic: string, place: number, is: (record: LogRecord) => boolean) => {
      const found: number[] = [];
      const { start, end } = await this.#log.bounds(topic, place);
      await this.#scan(topic, place, { from: start, to: end }, (record) => {
        if (is(record)) found.push(record.offset);
      });
      offsets.set(topic, (offsets.get(topic) ?? new Map()).set(place, found));
    };
    const isOutput = (record: LogRecord) => (inputOf(record) ?? 0) <= (until.get(record.key ?? "") ?? -1);
    const signalsEnds: number[] = [];
    for (let place = 0; place < partitions; place++) {
      signalsEnds.push(await journalsEnd(this.#deployment, place));
      await collect(topics.rejected, place, (record) => isRejectionOf(record, users));
    }
    await this.#findNamed(partition, erasures);
    await collect(topics.samples, partition, isOutput);
    await collect(topics.recommendations, partition, isOutput);
    for (const topic of await surfaceTopicsOn(this.#log, topics)) await collect(topic, partition, isOutput);
    await collect(topics.events, partition, (record) => isEventOf(record, until));
    return { partition, erasures, offsets, signalsEnds, parametersEnds: undefined };
  }

  /** Notes where records of other users name users who are to be erased. */
  async #findNamed(partition: number, erasures: readonly Erasure[]): Promise<void> {
    const { topics, partitions } = this.#deployment;
    const named = new Map(erasures.map(({ user }) => [user, new Set<string>()]));
    const look = async (topic: string, usersIn: typeof namedBy) => {
      for (let place = 0; place < partitions; place++) {
        const { start, end } = await this.#log.bounds(topic, place);
        await this.#scan(topic, place, { from: start, to: end }, (record) => {
          for (const user of usersIn(record)) named.get(user)?.add(topic);
        });
      }
    };
    await look(topics.events, namedBy);
    await look(topics.state, aliasesOf([...named.keys()]));
    for (const { user, offset } of erasures) this.#named.set(`${partition}/${offset}`, named.get(user)!);
    for (const place of this.#named.keys()) {
      if (this.#named.size > MAX_REMEMBERED) this.#named.delete(place);
    }
  }

  /** Whether the records are no longer needed, and learners have rewritten theirs. */
  async #isRipe(plan: Plan): Promise<boolean> {
    const { partition, offsets, signalsEnds, erasures } = plan;
    const { topics } = this.#deployment;
    const last = (topic: string) => offsets.get(topic)?.get(partition)?.at(-1) ?? -1;
    const lastErasure = Math.max(...erasures.map(({ offset }) => offset));
    if (await namedFrom(this.#deployment, partition) <= lastErasure) return false;
    if (await neededSamples(this.#deployment, partition) <= last(topics.samples)) return false;
    if (await neededAnswers(this.#deployment, partition) <= last(topics.recommendations)) return false;
    if (signalsEnds.some((end, place) => neededSignals(this.#deployment, place) < end)) return false;
    if (await clearedSignals(this.#deployment, partition) < (signalsEnds[partition] ?? 0)) return false;
    plan.parametersEnds ??= await this.#parametersEnds();
    for (const [topic, end] of plan.parametersEnds) {
      const { start } = await this.#log.bounds(topic, 0);
      // A user who came back since is rightly named again; then only the versions from before must be gone.
      if (start < end && await this.#isNamed(topic, erasures)) return false;
    }
    return true;
  }

  async #parametersEnds(): Promise<ReadonlyMap<string, number>> {
    const ends = new Map<string, number>();
    for (const name of await parameterTopics(this.#deployment)) {
      ends.set(name, (await this.#log.bounds(name, 0)).end);
    }
    return ends;
  }

  /** Whether a version on a topic of parameters has a row of one of the users. */
  async #isNamed(topic: string, erasures: readonly Erasure[]): Promise<boolean> {
    const users = new SoughtUsers(erasures.map(({ user }) => user));
    const { start, end } = await this.#log.bounds(topic, 0);
    let isNamed = false;
    await this.#scan(topic, 0, { from: start, to: end }, ({ value }) => {
      isNamed ||= value !== null && hasRowsOf(value, users);
    });
    return isNamed;
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
    await this.#dropOthers(plan);
    const asking = new Set(erasures.map(({ offset }) => offset));
    for (const [topic, byPartition] of offsets) {
      for (const [place, found] of byPartition) {
        const first = topic === topics.events ? found.filter((offset) => !asking.has(offset)) : found;
        await this.#eraseAll(topic, place, first);
      }
    }
    await this.#eraseAll(topics.events, partition, [...asking]);
  }

  /**
   * Drops every other generation that has one of the users, whether kept or half built: nothing runs that could
   * remove the users from its samples, statistics and weights, and the events that would trigger this are about to be
   * erased.
   */
  async #dropOthers({ erasures, offsets, partition }: Plan): Promise<void> {
    const { topics } = this.#deployment;
    const first = firstTopics(topics);
    const [firstEvent = Infinity] = offsets.get(topics.events)?.get(partition) ?? [];
    const recorded = await generationsOf(this.#log, first);
    for (const name of (await this.#log.topics()).keys()) {
      const number = generationOf(first, name);
      if (number === null || name === topics.state) continue;
      const isCarried = recorded.get(number)?.carries !== undefined; // it has weights of users whose events it has not read
      if (!isCarried && !await this.#knowsAny(generationTopics(first, number), erasures, firstEvent)) {
        continue;
      }
      const { clock } = this.#options;
      let begun = clock();
      await dropGeneration(this.#log, first, number, 0, async () => {
        await pause(PAUSES * (clock() - begun), this.#repeated.signal); // none on disposal, which waits for this
        begun = clock();
      });
      logger.warn(
        "generation {number}, which does not serve, has users who are erased: dropped; it can be built " +
          "again",
        { number },
      );
    }
  }

  /**
   * Whether a generation has a state of one of the users, may have read one of their events, or is about to
   * start from some.
   */
  async #knowsAny(of: Topics, erasures: readonly Erasure[], firstEvent: number): Promise<boolean> {
    const remembered = rememberedTopic(of);
    const begins = (await this.#log.identify(remembered))?.partitions ?? 0;
    for (let place = 0; place < begins; place++) {
      const { start, end } = await this.#log.bounds(remembered, place);
      if (end > start) return true;
    }
    const { partitions = 0 } = await this.#log.identify(of.state) ?? {};
    const hasRead = await this.#log.identify(of.statistics) !== null;
    for (const { user } of erasures) {
      const partition = partitionOf(user, partitions);
      const own = hasRead ? await ownPosition(this.#log, of, partition) : null;
      if ((own?.next ?? 0) > firstEvent) return true;
      if (await newestOf(this.#log, of.state, partition, user) !== null) return true;
    }
    return false;
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

  /** Reads the records of [from, to) in portions. @throws the signal's reason */
  async #scan(
    topic: string,
    partition: number,
    { from, to }: { readonly from: number; readonly to: number },
    see: (record: LogRecord) => void,
  ): Promise<void> {
    const { signal } = this.#repeated;
    const { clock } = this.#options;
    const range = { from, to, clock, pauses: PAUSES, signal };
    for await (const { records } of portions(this.#log, topic, partition, range)) {
      for (const record of records) if (record.offset < to) see(record);
    }
    signal.throwIfAborted();
  }
}
