/**
 * Processes of one deployment on a log in memory: each has a connection of its own, which may die or be cut off.
 *
 * @module
 */

import type { BuildSpec } from "../../streams/generations/online/build_messages.ts";
import type { ApartBuild, LegOptions } from "../../streams/generations/online/legs.ts";
import { type OnlineOptions, rebuildOnline } from "../../streams/generations/online/online.ts";
import { ThreadedBuild } from "../../streams/generations/online/threaded_build.ts";
import { boundedLog } from "../../streams/generations/build/bounded_log.ts";
import { Rebuild } from "../../streams/generations/build/rebuild.ts";
import { generationsOf } from "../../streams/topics/generations.ts";
import { mayWork, Succession } from "../../streams/generations/succession.ts";
import { inTurn } from "../../streams/service/jobs/turn.ts";
import { ignore } from "../../streams/log/ignore.ts";
import { type Commit, type Log, LogError, type Membership, type NewRecord } from "../../streams/log/log.ts";
import { layered } from "../../streams/log/metered_log.ts";
import type { Role, WarmGeneration } from "../../streams/service/jobs/options.ts";
import { Replaceable, ServingTopics } from "../../streams/service/replaceable.ts";
import { Service } from "../../streams/service/service.ts";
import { tasksLog } from "../../streams/task/shared_sources.ts";
import type { Delivery } from "../../streams/topics/delivery.ts";
import { servingGeneration } from "../../streams/topics/serving.ts";
import { generationTopics } from "../../streams/topics/topics.ts";
import { setImmediate as turn } from "node:timers/promises";
import { Crash } from "../replay/crashing_log.ts";
import { OPTIONS } from "../service/deployment.ts";
import { carryingOptions, rebuildOptions, topics } from "./built.ts";
import type { OnlineResult } from "../../streams/generations/online/hand_over.ts";

/** When a commit is seen. */
export type When = "before" | "after";

/** A process's connection. What begins while it is cut off takes place once it is back. */
export class Connection {
  /** The log, as the process sees it. */
  readonly log: Log;
  /** Told of each commit, and awaited. */
  onCommit: (records: readonly NewRecord[], when: When) => void | Promise<void> = () => {};
  readonly #expulsions = new Set<() => void>();
  #isDead = false;
  #cut: PromiseWithResolvers<void> | undefined;

  /** Connects to a log. */
  constructor(inner: Log) {
    const through = <A extends unknown[], R>(operation: (...args: A) => Promise<R>) => async (...args: A) => {
      await this.#pass();
      const result = await operation(...args);
      await this.#pass();
      return result;
    };
    this.log = layered(inner, {
      createTopics: through(inner.createTopics.bind(inner)),
      topics: through(inner.topics.bind(inner)),
      identify: through(inner.identify.bind(inner)),
      append: through(inner.append.bind(inner)),
      read: through(inner.read.bind(inner)),
      bounds: through(inner.bounds.bind(inner)),
      committed: through(inner.committed.bind(inner)),
      ...(inner.latest && { latest: through(inner.latest.bind(inner)) }),
      writer: through(async (id, places) => {
        const writer = await inner.writer(id, places);
        const commit = through(writer.commit.bind(writer));
        return {
          id,
          commit: async (of: Commit) => {
            await this.onCommit(of.records, "before");
            const offsets = await commit(of);
            await this.onCommit(of.records, "after");
            await this.#pass();
            return offsets;
          },
          [Symbol.asyncDispose]: () => writer[Symbol.asyncDispose](),
        };
      }),
      join: through((group, names, handlers) => this.#join(inner, group, names, handlers)),
    });
  }

  /** Fails all operations from now on; groups go on without it. */
  die(): void {
    this.#isDead = true;
    this.#expel();
  }

  /** Is cut off until the function that it returns is called. @param isMissed whether groups go on without it */
  cut(isMissed: boolean): () => void {
    const cut = this.#cut = Promise.withResolvers<void>();
    if (isMissed) this.#expel();
    return () => {
      this.#cut = undefined;
      cut.resolve();
    };
  }

  async #pass(): Promise<void> {
    await this.#cut?.promise;
    if (this.#isDead) throw new Crash("this process is dead");
  }

  #expel(): void {
    for (const expel of this.#expulsions) expel();
    this.#expulsions.clear();
  }

  async #join(inner: Log, group: string, names: readonly string[], handlers: Parameters<Log["join"]>[2]) {
    let isGone = false;
    const gone = Promise.withResolvers<void>(), lost = Promise.withResolvers<never>();
    ignore(lost.promise, "`ended` has it");
    const unless = async (work: () => Promise<void>) => {
      if (!isGone) await Promise.race([work(), gone.promise]);
    };
    const member = await inner.join(group, names, {
      assigned: (partitions) => unless(() => handlers.assigned(partitions)),
      revoked: (partitions, why) => unless(() => handlers.revoked(partitions, why)),
    });
    this.#expulsions.add(async () => {
      isGone = true;
      gone.resolve();
      const held = member.partitions;
      await member.leave();
      await this.#cut?.promise;
      if (!this.#isDead && held.length > 0) await handlers.revoked(held, "it leaves");
      lost.reject(new LogError("closed", `was expelled from ${group}`));
    });
    const leave = async () => await (isGone ? Promise.resolve() : member.leave());
    const membership: Membership = {
      group,
      get partitions() {
        return isGone ? [] : member.partitions;
      },
      ended: Promise.race([member.ended, lost.promise]),
      leave,
      [Symbol.asyncDispose]: leave,
    };
    ignore(membership.ended, "whoever joined watches it");
    return membership;
  }
}

/** Options that all processes share. */
export interface MembersOptions {
  /** Number of tasks, by generation. */
  readonly tasks: Readonly<Record<number, number>>;
  /** What processes do. @default {all} */
  readonly roles?: readonly Role[];
  /** When answers are sent. @default {"exactly-once"} */
  readonly delivery?: Delivery;
  /** How long a switch may stay open, milliseconds. @default {20_000} */
  readonly patienceMs?: number;
  /** Monotonic clock of builds and of patience, milliseconds: on a busy machine, work takes long. @default {real} */
  readonly clock?: () => number;
  /** How often tasks commit, milliseconds. @default {5} */
  readonly commitIntervalMs?: number;
  /** Where local snapshots are, for logs without an index; builds are threads of their own then. @default {none} */
  readonly snapshots?: { readonly folder: string };
  /** Rows of a batch. @default {32} */
  readonly batchRows?: number;
  /** Whether the second generation starts from the weights of the first one. @default {false} */
  readonly carries?: boolean;
  /** Called after each step of a build. @returns how long the step rested, milliseconds */
  readonly onStep?: () => number | void;
}

/** Builds in this thread, where the log can crash or be observed; otherwise like a build in its own thread. */
class BuildHere implements ApartBuild {
  readonly #onStep: NonNullable<MembersOptions["onStep"]>;
  readonly #begin: () => Promise<Rebuild>;
  #rebuild: Promise<Rebuild> | undefined;

  constructor(log: Log, spec: BuildSpec, onStep: NonNullable<MembersOptions["onStep"]>) {
    this.#begin = () => Rebuild.open(log, spec);
    this.#onStep = onStep;
  }

  async build(until: readonly number[], { isShort, signal }: LegOptions): Promise<number> {
    let restedMs = 0;
    const rebuild = await (this.#rebuild ??= this.#begin());
    rebuild.extend(until);
    for (let isOpen = true; isOpen;) {
      signal.throwIfAborted();
      isOpen = await rebuild.step(isShort);
      restedMs += this.#onStep() ?? 0;
      await turn();
    }
    return restedMs;
  }

  async copySnapshots(): Promise<void> {}

  async [Symbol.asyncDispose](): Promise<void> {
    const [opened] = await Promise.allSettled([this.#rebuild]);
    if (opened.status === "fulfilled") await opened.value?.[Symbol.asyncDispose]();
  }
}

/** A process of the deployment. */
export class Member implements AsyncDisposable {
  readonly connection: Connection;
  readonly place: Replaceable;
  readonly succession: Succession;
  readonly #options: MembersOptions;
  readonly #ending: AbortController;

  private constructor(
    parts: Pick<Member, "connection" | "place" | "succession">,
    options: MembersOptions,
    ending: AbortController,
  ) {
    this.connection = parts.connection;
    this.place = parts.place;
    this.succession = parts.succession;
    this.#options = options;
    this.#ending = ending;
  }

  /** Starts a process, which runs the generation that serves. */
  static async start(inner: Log, options: MembersOptions): Promise<Member> {
    const connection = new Connection(inner);
    const { log } = connection;
    const serving = await servingGeneration(log, topics);
    const ends = endless(options, serving);
    const service = await begin(log, options, { generation: serving, ends });
    const place = new Replaceable(service, new ServingTopics(generationTopics(topics, serving)));
    const ending = new AbortController();
    const succession = new Succession(log, {
      topics,
      place,
      serving,
      ends,
      start: async (generation) => {
        const ends = endless(options, generation);
        return { ends, service: await begin(log, options, { generation, ends }) };
      },
      signal: ending.signal,
      clock: options.clock ?? realTime,
      now: () => 0,
      patienceMs: options.patienceMs ?? 20_000,
    });
    ignore(succession.ended, "a dead process has none");
    return new Member({ connection, place, succession }, options, ending);
  }

  /** Options with which it builds a generation. */
  async optionsOf(number: number, signal: AbortSignal): Promise<OnlineOptions> {
    const { log } = this.connection;
    const blueprint = {
      model: "dien",
      variants: [],
      partitions: this.#options.tasks[number]!,
      seed: 0,
      options: {},
    };
    const { until: _, ...rebuild } = await madeOf(log, number, this.#options);
    return {
      topics,
      serving: await servingGeneration(log, topics),
      succession: this.succession,
      signal,
      generation: {
        number,
        blueprint,
        since: 0,
        isAdopted: false,
        until: (await generationsOf(log, topics)).get(number)?.until,
      },
      rebuild: { ...rebuild, snapshots: this.#options.snapshots },
      service: { delivery: this.#options.delivery },
      apart: (log, spec) => new BuildHere(log, spec, this.#options.onStep ?? (() => 0)),
      start: (warm, ends, generation) => begin(log, this.#options, { generation, ends, warm }),
      mayServe: () => Promise.resolve(true),
      share: 1,
      closeAgainMs: 50,
      clock: this.#options.clock ?? realTime,
      now: () => 0,
    };
  }

  /** Builds in a thread of its own. @param onProgress told now and then */
  threaded(onProgress: () => void): OnlineOptions["apart"] {
    return (log, spec) => new ThreadedBuild(log, spec, () => this.place.current, { share: 1, onProgress });
  }

  /** Builds a generation when it is its turn. */
  async build(number: number, over: Partial<OnlineOptions> = {}): Promise<OnlineResult> {
    const { log } = this.connection;
    const serving = await servingGeneration(log, topics);
    return await inTurn(log, {
      group: "builder",
      topic: topics.generations,
      name: "rebuild",
      thread: this.place.current.thread,
      signal: this.#ending.signal,
      now: () => performance.now(),
      pauseMs: 10,
      work: async (signal) =>
        await rebuildOnline(log, { ...await this.optionsOf(number, signal), serving, ...over }),
    });
  }

  /** Dies. */
  die(): void {
    this.connection.die();
    this.#ending.abort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort();
    await ignore(this.succession.ended, "a dead process has none");
    await this.place.current.stop();
  }
}

function realTime(): number {
  return performance.now();
}

/** Options of a generation: those of `OPTIONS` for the first one, others for the second. */
async function madeOf(log: Log, generation: number, { batchRows, carries }: MembersOptions) {
  const learning = { ...OPTIONS.learning, ...(batchRows && { batchRows }) };
  const second = await (carries ? carryingOptions(log) : rebuildOptions(log));
  if (generation === 2) return { ...second, spec: { ...second.spec, learning } };
  const { model, modelConfig, task, learner } = OPTIONS;
  return { ...second, spec: { model, modelConfig, schema: task.schema, learner, learning, topics }, task };
}

/** Ends of tasks that never stop. */
export function endless({ tasks }: MembersOptions, generation: number): number[] {
  return new Array(tasks[generation]).fill(Infinity);
}

/** Starts a service for a generation. */
export async function begin(
  log: Log,
  options: MembersOptions,
  { generation, ends, warm }: {
    readonly generation: number;
    readonly ends: number[];
    readonly warm?: WarmGeneration;
  },
): Promise<Service> {
  const { tasks, roles, delivery, snapshots, commitIntervalMs = OPTIONS.commitIntervalMs } = options;
  const own = generationTopics(topics, generation);
  const { spec: { model, modelConfig, learner, learning }, task } = await madeOf(log, generation, options);
  return await Service.start(boundedLog(await tasksLog(log, own, tasks[generation]), topics.events, ends), {
    ...OPTIONS,
    generation,
    model,
    modelConfig,
    task,
    learner,
    learning,
    commitIntervalMs,
    warm,
    partitions: tasks[generation],
    roles,
    delivery,
    snapshots,
    mayWork: (signal) => mayWork(log, topics, generation, signal),
  });
}
