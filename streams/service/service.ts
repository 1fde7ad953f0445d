/**
 * The engine as a service: tasks for the partitions of `events` and a learner for the samples, on a log that other
 * processes may share.
 *
 * ```text
 *   group of `events`     ──> a task for each partition assigned ──> recommendations, samples, state
 *   group of `parameters` ──> the learner, in one process at a time <── samples
 *                                  └──> parameters ──> the live model of every process
 *   group of `experiments` ──> the monitor, in one process at a time <── recommendations, samples
 *                                  └──> figures, and the end of experiments that do harm
 * ```
 *
 * The group alone decides ownership. If two processes believe that they own the same partition, fenced writers keep
 * work from being done twice. The wall clock decides when to commit and how long to wait, nothing else.
 */

import { getLogger } from "@logtape/logtape";
import type { ModelName } from "../../src/nn/models/registry.ts";
import type { ServingModel } from "../../src/serving/serving_model.ts";
import type { Deployment } from "./erasure/needed.ts";
import type { LearnerFigures } from "../learning/learner_figures.ts";
import { endsOfTopic, lagOf } from "../log/reading.ts";
import { canErase } from "../log/capabilities.ts";
import { ignore } from "../log/ignore.ts";
import type { Log } from "../log/log.ts";
import type { ExperimentMonitor } from "../experiments/monitor.ts";
import { PinnedModels } from "../topics/pinned_models.ts";
import { type CreatedTopics, createTopics } from "./create_topics.ts";
import { Eraser } from "./erasure/eraser.ts";
import type { ErasureProgress, Erasures } from "./erasure/erasure_view.ts";
import { Rewriting } from "./erasure/rewriting.ts";
import { ServiceGroups } from "./groups.ts";
import type { ServiceOptions } from "./jobs/options.ts";
import { Readiness } from "./readiness.ts";
import { ServedModel, type ServiceContext } from "./served_model.ts";
import { TaskOpener } from "./task_opener.ts";
import { SharedThread } from "./jobs/shared_thread.ts";
import { partitionStatus } from "./partition_status.ts";
import type { ServiceStatus } from "./status.ts";
import { GoneTopics, TopicWatch } from "./jobs/topic_watch.ts";
import { STALL_MS } from "./jobs/worker.ts";
import type { Task } from "../task/task.ts";
import { ownPartitions } from "../task/inputs/own_partitions.ts";
import { INPUT_TOPICS } from "../task/inputs/position.ts";
import { prefixOf, topicNames } from "../topics/topics.ts";

/** A model that scores in this process. */
export interface ScoringModel {
  /** The model with its newest version. */
  readonly serving: ServingModel;
  /** How its learner is doing, if that runs in this process. */
  readonly learner: LearnerFigures | undefined;
}

const WATCH_MS = 1000;
/** Topics with records that cannot be derived anew: while one is missing, no topic is created again. */
const GIVEN_TOPICS = [
  "events",
  "items",
  "state",
  "statistics",
  "generations",
  "experiments",
  "positions",
] as const;
/** Time between reports of a problem that does not stop the process. */
const COMPLAINT_MS = 30_000;

const logger = getLogger(["meander", "service"]);

/**
 * Runs tasks, the learner and the monitor until it is stopped. Start as many services, in as many processes, as there
 * is work for: the log's groups share partitions out, and a learner or monitor beyond the first stands by.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { DEFAULT_SCHEMA, MemoryLog, Service } from "@meander/meander";
 *
 * await using log = new MemoryLog();
 * await using service = await Service.start(log, {
 *   model: "base",
 *   modelConfig: {},
 *   task: { schema: DEFAULT_SCHEMA },
 *   learner: { schema: DEFAULT_SCHEMA },
 * });
 * assert.ok((await log.topics()).has("meander.events")); // where requests and interactions go
 * assert.equal((await service.status()).events, 0);
 * ```
 */
export class Service<N extends ModelName = ModelName> implements AsyncDisposable {
  /** Resolves when the service has stopped; rejects when it cannot continue. Watch it. */
  readonly ended: Promise<void>;
  /** @internal The thread of the tasks, which others share. */
  readonly thread: SharedThread;
  /** Which roles it runs and where, for a `Retention`. */
  readonly deployment: Deployment;
  readonly #context: ServiceContext<N>;
  readonly #partitions: number;
  /** The models that score here. */
  readonly #models: readonly [own: ServedModel, ...variants: ServedModel[]];
  readonly #groups: ServiceGroups;
  readonly #watch: ReturnType<typeof setInterval>;
  readonly #opener: TaskOpener<N>;
  readonly #topicWatch: TopicWatch;
  readonly #readiness: Readiness;
  /** Carries out erasures, or watches what becomes of them; `undefined` = other processes do. */
  readonly #erasures: Erasures | undefined;
  /** When a complaint was last logged. */
  #complainedAt = -Infinity;
  #lookedAt: number;
  readonly #stopping = Promise.withResolvers<void>();
  #events = 0;
  #stopped: Promise<void> | undefined;

  private constructor(log: Log, { topics, partitions, specs }: CreatedTopics, options: ServiceOptions<N>) {
    const now = options.now ?? (() => performance.now());
    const thread = this.thread = new SharedThread(now);
    const context = this.#context = { log, topics, options, now, thread };
    this.#partitions = partitions;
    const variants = (options.variants ?? []).map((variant) => new ServedModel(context, variant));
    this.#models = [new ServedModel(context), ...variants];
    this.#topicWatch = new TopicWatch(log, INPUT_TOPICS.map((name) => topics[name]));
    this.#opener = this.#makeOpener();
    this.deployment = this.#makeDeployment();
    const groups = this.#groups = new ServiceGroups({
      ...context,
      openTask: (partition, signal) => this.#opener.open(partition, signal),
    });
    this.#readiness = new Readiness({
      groups,
      models: this.#models,
      meters: this.#opener.meters,
      goneTopics: new GoneTopics(
        log,
        { prefix: prefixOf(topics), specs, kept: GIVEN_TOPICS.map((name) => topics[name]) },
        now,
      ),
    }, options.warm !== undefined); // the previous service was ready
    this.#erasures = this.#makeErasures();
    const ends = [...groups.all, ...this.#models].map(({ ended }) => ended);
    this.ended = Promise.all([this.#stopping.promise, ...ends]).then(() => {});
    ignore(this.ended, "a stop does not need a watcher");
    this.#lookedAt = now();
    this.#watch = setInterval(() => this.#look(), WATCH_MS);
  }

  #makeOpener(): TaskOpener<N> {
    const { log, topics, options } = this.#context;
    const [own, ...variants] = this.#models;
    const makeModel = (name: string, key: string) =>
      this.#models.find(({ serving }) => serving.model === name)?.make(key);
    return new TaskOpener({
      ...this.#context,
      partitions: this.#partitions,
      own,
      variants,
      pins: options.warm?.pins ?? new PinnedModels(log, topics, makeModel),
      watch: this.#topicWatch,
      onEvents: (events) => this.#events += events,
    });
  }

  #makeDeployment(): Deployment {
    const { log, topics, options: { beside } } = this.#context;
    return {
      log,
      topics,
      partitions: this.#partitions,
      models: this.#models.map(({ serving }) => serving.model),
      tasks: () => this.tasks,
      ...(beside && { beside }),
    };
  }

  #makeErasures(): Erasures | undefined {
    const { log, options: { eraseIntervalMs: lookMs }, now: clock } = this.#context;
    if (!canErase(log)) return new Rewriting(this.deployment);
    if (this.#groups.tasks === undefined) return undefined;
    return Eraser.for(this.deployment, { clock, lookMs })?.start();
  }

  /**
   * Creates missing topics and starts.
   *
   * @throws LogError `topic-mismatch` when topics exist with other partitions, or belong to another deployment
   */
  static async start<N extends ModelName>(log: Log, options: ServiceOptions<N>): Promise<Service<N>> {
    const own = ownPartitions(log, topicNames(options.prefix));
    return new Service(own, await createTopics(own, options), options);
  }

  /** Why tasks of this process are stuck until the log is repaired, a sentence each. */
  get faults(): readonly string[] {
    return this.#groups.tasks?.faults ?? [];
  }

  /** @internal How many partitions `events` and `items` have got since the deployment began: nobody reads them. */
  get unreadPartitions(): number {
    return [...this.#topicWatch.known.values()].reduce((sum, topic) => sum + (topic?.unread ?? 0), 0);
  }

  /** @internal Whether partitions have been assigned to it, which may be none. */
  get hasJoined(): boolean {
    return this.#groups.tasks?.hasJoined ?? true;
  }

  /** @internal The running tasks of this process, by partition. */
  get tasks(): ReadonlyMap<number, Task> {
    const tasks = new Map<number, Task>();
    for (const [partition, { job }] of this.#groups.tasks?.workers ?? []) {
      if (job !== undefined) tasks.set(partition, job.task);
    }
    return tasks;
  }

  /** @internal Whether events wait for a task of this process. */
  get isBehind(): boolean {
    return (this.#groups.tasks?.workers ?? []).some(([, { job }]) => job?.task.isBehind);
  }

  /** @internal How long an event that a task of this process has read has waited for its answer, milliseconds. */
  get waitedMs(): number {
    const now = this.#context.now();
    const waits = (this.#groups.tasks?.workers ?? []).map(([, { job }]) => job?.task.waitedMs(now) ?? 0);
    return Math.max(0, ...waits);
  }

  /** @internal The models that score here: the deployment's own first, then those of variants. */
  get models(): readonly [own: ScoringModel, ...variants: ScoringModel[]] {
    const view = ({ serving, figures }: ServedModel): ScoringModel => ({ serving, learner: figures });
    const [own, ...variants] = this.#models;
    return [view(own), ...variants.map(view)];
  }

  /** The deployment's own model. */
  get serving(): ServingModel {
    return this.#models[0].serving;
  }

  /** @internal How the learner of the own model is doing, if it runs in this process. */
  get learner(): LearnerFigures | undefined {
    return this.#models[0].figures;
  }

  /** @internal The monitor of experiments, if it runs in this process. */
  get monitor(): ExperimentMonitor | undefined {
    return this.#groups.monitors?.workers[0]?.[1].job?.monitor;
  }

  /** Current status. */
  async status(): Promise<ServiceStatus> {
    const tasks = this.#groups.tasks?.workers ?? [];
    const learner = this.#models[0].figures;
    const { log, topics, options } = this.#context;
    const isRead = [...this.tasks.values()].some(({ others }) => others.positions.size > 0);
    const signalsEnds = isRead ? await endsOfTopic(log, topics.signals, this.#partitions) : [];
    return {
      events: this.#events,
      partitions: await Promise.all(
        tasks.map(([partition, { job }]) => {
          const restore = this.#opener.meters.get(partition)?.status ?? null;
          return partitionStatus({ log, topics }, partition, { task: job?.task, restore, signalsEnds });
        }),
      ),
      version: this.serving.version,
      learner: learner === undefined ? null : {
        version: learner.version,
        rows: learner.rows,
        lag: await lagOf(log, topics.samples, learner.positions),
        auc: learner.quality.auc,
        ctr: learner.quality.ctr,
      },
      monitor: await this.#groups.monitors?.workers[0]?.[1].job?.status() ?? null,
      sources: this.#groups.sourcesStatus,
      rebuild: options.rebuild?.() ?? null,
    };
  }

  /** Why it is not ready, a sentence each; empty when it is ready or stands by. See {@linkcode Readiness}. */
  async unready(): Promise<readonly string[]> {
    return await this.#readiness.reasons();
  }

  /**
   * Progress of the erasure that the event at an offset of `events` requests; `null` when other processes handle it.
   * `kept` on a log that does not erase records: everything that meander can rewrite has been rewritten.
   *
   * @internal
   */
  async erasure(partition: number, offset: number): Promise<ErasureProgress | null> {
    return await this.#erasures?.progress({ partition, offset }) ?? null;
  }

  /** @internal What has not stopped yet, for people: what a stop that is cut short abandons. */
  get unfinished(): readonly string[] {
    return [...this.#groups.all, ...this.#models].flatMap(({ unfinished }) => unfinished);
  }

  /**
   * Finishes and commits what its tasks have in progress, and leaves the events to others. Never rejects: `ended` does.
   *
   * @internal
   */
  async stopTasks(): Promise<void> {
    await this.#erasures?.[Symbol.asyncDispose]?.();
    await this.#groups.tasks?.stop();
  }

  /** Finishes work in progress, commits and leaves the groups. Never rejects: `ended` does. */
  stop(): Promise<void> {
    return this.#stopped ??= this.#stop();
  }

  /** See {@linkcode Service.stop}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #stop(): Promise<void> {
    this.#stopping.resolve();
    await this.#erasures?.[Symbol.asyncDispose]?.();
    // The tasks first: the learner may still learn from what they commit.
    const { sources, tasks, monitors } = this.#groups;
    await Promise.all([sources, tasks].map((group) => group?.stop()));
    await Promise.all([monitors, ...this.#models].map((part) => part?.stop()));
    clearInterval(this.#watch);
  }

  #look(): void {
    if (this.#groups.tasks !== undefined) {
      this.#topicWatch.look(); // never rejects
      this.#complain();
    }
    const stoodMs = this.#stoodStill();
    for (const { workers } of this.#groups.all) for (const [, worker] of workers) worker.watch(stoodMs);
    for (const model of this.#models) model.watch(stoodMs);
    this.#readiness.look();
    for (const [partition, meter] of this.#opener.meters) meter.report(`task ${partition}`);
  }

  /** Logs that the process has not run for a while. @returns for how long, milliseconds; 0 = it has */
  #stoodStill(): number {
    const now = this.#context.now();
    const stoodMs = now - this.#lookedAt - WATCH_MS;
    this.#lookedAt = now;
    if (stoodMs < STALL_MS) return 0;
    const seconds = Math.round(stoodMs / 1000);
    logger.warn("this process stood still for {seconds} s: it was suspended, or too busy", { seconds });
    return stoodMs;
  }

  /** Logs at intervals what happened to the topics, while tasks continue. */
  #complain(): void {
    const complaint = this.#groups.tasks?.workers.map(([, { job }]) => job?.complaint).find((one) =>
      one !== undefined
    );
    if (complaint === undefined || this.#context.now() - this.#complainedAt < COMPLAINT_MS) return;
    this.#complainedAt = this.#context.now();
    logger.error("{complaint}", { complaint });
  }
}
