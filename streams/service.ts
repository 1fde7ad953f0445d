/**
 * The engine as a service: tasks for the partitions of `events` and a learner for the samples, on a log that other
 * processes may share.
 *
 * ```text
 *   group of `events`     ──> a task for each partition assigned ──> recommendations, samples, state
 *   group of `parameters` ──> the learner, in one process at a time <── samples
 *                                  └──> parameters ──> the live model of every process
 * ```
 *
 * Who owns what is the group's decision alone; that nothing is done twice when two believe to own the same is the
 * writer's, which fences. The wall clock decides when to commit and how long to wait, nothing else.
 *
 * @module
 */

import { setTimeout as delay } from "node:timers/promises";
import { getLogger } from "@logtape/logtape";
import { Assembler } from "../src/features/assembler.ts";
import { Learner, type LearnerOptions } from "../src/learner/learner.ts";
import { auc } from "../src/metrics/ranking.ts";
import { createModel, type ModelConfigs, type ModelName } from "../src/models/create.ts";
import type { Model } from "../src/models/model.ts";
import { mulberry32 } from "../src/scorer/random.ts";
import { ServingModel } from "../src/scorer/serving_model.ts";
import type { TaskOptions } from "../src/state/task_state.ts";
import { Learning, type LearningOptions } from "./learning.ts";
import type { Log } from "./log/log.ts";
import { ParameterSubscriber } from "./parameters.ts";
import { Crew } from "./service/crew.ts";
import { type Job, Worker } from "./service/worker.ts";
import { Task } from "./task.ts";
import type { Delivery } from "./task/delivery.ts";
import { RestoreMeter, type RestoreStatus } from "./task/restore_meter.ts";
import type { StoreStatus } from "./task/state_store.ts";
import { topicNames, type Topics, topicSpecs, variantTopics, variantTopicSpecs } from "./topics.ts";

/** What a process can do. */
export const ROLES = ["task", "learner"] as const;

/** One of {@linkcode ROLES}. */
export type Role = (typeof ROLES)[number];

/** A model that variants of experiments may want. */
export interface VariantModel<N extends ModelName = ModelName> {
  /** Its name, unlike the deployment's own model and those of the other variants. */
  readonly model: N;
  /** Its options. */
  readonly modelConfig: ModelConfigs[N];
}

/** Options of a {@linkcode Service}. */
export interface ServiceOptions<N extends ModelName = ModelName> {
  /** What this process does. @default {all} */
  readonly roles?: readonly Role[];
  /** Name of the model. */
  readonly model: N;
  /** Its options. */
  readonly modelConfig: ModelConfigs[N];
  /** Options of the tasks. */
  readonly task: TaskOptions;
  /** Options of the learner. */
  readonly learner: LearnerOptions;
  /** Options of the learner's runtime. */
  readonly learning?: LearningOptions;
  /** Partitions of the topics, when they do not exist yet. @default {1} */
  readonly partitions?: number;
  /** Prefix of the topics. @default {"meander."} */
  readonly prefix?: string;
  /** Memory for user states of all partitions, bytes. @default {see TaskRuntime.maxStateBytes} */
  readonly stateBytes?: number;
  /**
   * Folder of the local snapshots, one a partition, and the time from a sync to the next, milliseconds. Not used on
   * logs that have an index of keys: there is nothing to gain.
   *
   * @default {none}
   */
  readonly snapshots?: { readonly folder: string; readonly intervalMs?: number } | undefined;
  /** Time from a commit to the next, milliseconds. @default {100} */
  readonly commitIntervalMs?: number;
  /** The same when an answer waits for the commit. @default {commitIntervalMs} */
  readonly answerIntervalMs?: number;
  /** Time after which a step of a task ends, so that others get their turn; milliseconds. @default {Infinity} */
  readonly sliceMs?: number;
  /** Events after which a task commits in any case. @default {1000} */
  readonly commitEvents?: number;
  /** Whether answers wait for the commit. @default {"exactly-once"} */
  readonly delivery?: Delivery;
  /** Models that variants of experiments may want: each has a learner and versions of its own. @default {none} */
  readonly variants?: readonly VariantModel[];
  /** Serve this version of the parameters for good; the log must still have it. @default {the newest} */
  readonly serveVersion?: number;
  /** The first pause after a failure, milliseconds. @default {1000} */
  readonly pauseMs?: number;
  /** A clock in milliseconds that never goes back. @default {performance.now} */
  readonly now?: () => number;
}

/** A partition as its task sees it. */
export interface PartitionStatus {
  /** The partition of `events`. */
  readonly partition: number;
  /** Whether the task is still being restored. */
  readonly restoring: boolean;
  /** Offset up to which everything is committed; 0 while it is restored. */
  readonly committed: number;
  /** Events that are not committed, holes of the log included. */
  readonly lag: number;
  /** No outcome of an older impression will be taken; milliseconds since the epoch, `null` before the first event. */
  readonly watermark: number | null;
  /** Users in memory. */
  readonly users: number;
  /** How far the restore has come; `null` when there is none. */
  readonly restore: RestoreStatus | null;
  /** The local snapshot; `null` when there is none. */
  readonly snapshot: StoreStatus | null;
}

/** The learner, where it works. */
export interface LearnerStatus {
  /** Newest version made. */
  readonly version: number;
  /** Rows judged. */
  readonly rows: number;
  /** Samples that were not learnt yet, holes of the log included. */
  readonly lag: number;
  /** Of the newest rows, or `null`. */
  readonly auc: number | null;
  /** Share of positives of the newest rows, or `null`. */
  readonly ctr: number | null;
}

/** What can be seen of a service from outside. */
export interface ServiceStatus {
  /** Events applied by this process. */
  readonly events: number;
  /** The partitions it holds, ascending. */
  readonly partitions: readonly PartitionStatus[];
  /** The live parameter version; 0 = none yet, or no tasks here. */
  readonly version: number;
  /** The learner, if it works in this process now. */
  readonly learner: LearnerStatus | null;
}

/** Events of a step whose answers are sent at once: the first of them must not wait for many others. */
const PROMPT_EVENTS = 32;
/** How long a step waits when there is nothing to do. */
const IDLE_MS = 1000;
const WATCH_MS = 1000;
const WINDOW_ROWS = 5000;
/** Judged rows that a learner keeps, unless its options say otherwise. */
const KEPT_ROWS = 20_000;

const logger = getLogger(["meander", "service"]);

/**
 * Runs tasks and the learner until it is stopped. Start as many of them, in as many processes, as there is work
 * for: the log's groups share it out, and a learner beyond the first stands by.
 */
export class Service<N extends ModelName = ModelName> implements AsyncDisposable {
  /** Resolves when it was stopped; rejects when it cannot go on. Watch it. */
  readonly ended: Promise<void>;
  readonly #log: Log;
  readonly #topics: Topics;
  readonly #options: ServiceOptions<N>;
  readonly #now: () => number;
  readonly #serving: ServingModel;
  readonly #partitions: number;
  readonly #tasks: Crew<TaskJob> | undefined;
  readonly #learners: Crew<LearningJob> | undefined;
  readonly #follower: Worker<Job> | undefined;
  readonly #variants: readonly VariantParts[];
  readonly #served = Promise.withResolvers<void>();
  readonly #watch: ReturnType<typeof setInterval>;
  /** Of the restores that are under way, by partition. */
  readonly #meters = new Map<number, RestoreMeter>();
  readonly #stopping = Promise.withResolvers<void>();
  #events = 0;
  #stopped: Promise<void> | undefined;

  private constructor(log: Log, topics: Topics, partitions: number, options: ServiceOptions<N>) {
    this.#log = log;
    this.#topics = topics;
    this.#partitions = partitions;
    this.#options = options;
    const now = this.#now = options.now ?? (() => performance.now());
    const k = options.learner.embeddingWidth ?? 16;
    this.#serving = new ServingModel(this.#makeModel(), options.task.schema, k);
    const { roles = ROLES, model, pauseMs, serveVersion } = options;
    const common = { now, ...(pauseMs === undefined ? {} : { pauseMs }) };
    if (roles.includes("learner")) {
      this.#learners = new Crew(log, {
        ...common,
        group: `${topics.samples}-learner-${model}`,
        topic: topics.parameters,
        name: () => "learner",
        open: () => this.#openLearner(),
      });
    }
    this.#variants = (options.variants ?? []).map((variant) => this.#openVariant(variant, k));
    if (roles.includes("task")) {
      const subscriber = new ParameterSubscriber(log, topics.parameters, this.#serving, serveVersion);
      this.#follower = new Worker({
        ...common,
        name: "parameters",
        open: () => Promise.resolve(new FollowJob(subscriber, this.#served.resolve)),
      });
      this.#tasks = new Crew(log, {
        ...common,
        group: `${topics.events}-tasks`,
        topic: topics.events,
        name: (partition) => `task ${partition}`,
        open: (partition, signal) => this.#openTask(partition, signal),
      });
    }
    const variants = this.#variants.flatMap(({ learners, follower }) => [learners, follower]);
    const parts = [this.#learners, this.#follower, this.#tasks, ...variants];
    this.ended = Promise.all([this.#stopping.promise, ...parts.map((part) => part?.ended)]).then(() => {});
    this.ended.catch(() => {}); // also when nobody watches, stopping must go on
    this.#watch = setInterval(() => this.#look(), WATCH_MS);
  }

  /**
   * Creates the topics that are missing, and begins.
   *
   * @throws LogError `topic-mismatch` when topics exist with other partitions than the options say, or are another's
   */
  static async start<N extends ModelName>(log: Log, options: ServiceOptions<N>): Promise<Service<N>> {
    const topics = topicNames(options.prefix);
    const existing = (await log.topics()).get(topics.events)?.partitions;
    const partitions = options.partitions ?? existing ?? 1;
    await log.createTopics([
      ...topicSpecs(topics, partitions),
      ...variantTopicSpecs(topics, checkVariants(options)),
    ]);
    return new Service(log, topics, partitions, options);
  }

  /** The tasks at work in this process, by partition. */
  get tasks(): ReadonlyMap<number, Task> {
    const tasks = new Map<number, Task>();
    for (const [partition, { job }] of this.#tasks?.workers ?? []) {
      if (job !== undefined) tasks.set(partition, job.task);
    }
    return tasks;
  }

  /** The learner, when it is at work in this process. */
  get learning(): Learning | undefined {
    return this.#learners?.workers[0]?.[1].job?.learning;
  }

  /** The models of variants that score here, with their learners where those are at work in this process. */
  get variants(): readonly { readonly serving: ServingModel; readonly learning: Learning | undefined }[] {
    return this.#variants.map(({ serving, learners }) => ({
      serving,
      learning: learners?.workers[0]?.[1].job?.learning,
    }));
  }

  /** The model that scores here. */
  get serving(): ServingModel {
    return this.#serving;
  }

  /** How it is doing. */
  async status(): Promise<ServiceStatus> {
    const tasks = this.#tasks?.workers ?? [];
    const learning = this.#learners?.workers[0]?.[1].job?.learning;
    return {
      events: this.#events,
      partitions: await Promise.all(
        tasks.map(([partition, { job }]) => this.#statusOf(partition, job?.task)),
      ),
      version: this.#serving.version,
      learner: learning === undefined ? null : await learnerStatus(learning),
    };
  }

  /** Finishes what is in hand, commits, leaves the groups. Never rejects: `ended` tells what went wrong. */
  stop(): Promise<void> {
    return this.#stopped ??= this.#stop();
  }

  /** See {@linkcode Service.stop}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #stop(): Promise<void> {
    this.#stopping.resolve();
    // The tasks first: the learner may still take what they commit.
    await this.#tasks?.stop();
    await this.#follower?.stop();
    await this.#learners?.stop();
    await Promise.all(
      this.#variants.flatMap(({ learners, follower }) => [learners?.stop(), follower?.stop()]),
    );
    clearInterval(this.#watch);
  }

  async #statusOf(partition: number, task: Task | undefined): Promise<PartitionStatus> {
    const { events } = this.#topics;
    const { end } = await this.#log.bounds(events, partition);
    const committed = task?.committed ?? await this.#log.committed(`${events}-tasks`, events, partition) ?? 0;
    const watermark = task?.state.watermark ?? -Infinity;
    return {
      partition,
      restoring: task === undefined,
      committed,
      lag: Math.max(0, end - committed),
      watermark: watermark === -Infinity ? null : watermark,
      users: task?.state.users.size ?? 0,
      restore: this.#meters.get(partition)?.status ?? null,
      snapshot: task?.snapshot ?? null,
    };
  }

  #look(): void {
    const workers = [...this.#tasks?.workers ?? [], ...this.#learners?.workers ?? []];
    for (const [, worker] of workers) worker.watch();
    this.#follower?.watch();
    for (const { learners, follower } of this.#variants) {
      follower?.watch();
      for (const [, worker] of learners?.workers ?? []) worker.watch();
    }
    for (const [partition, meter] of this.#meters) meter.report(`task ${partition}`);
  }

  async #openTask(partition: number, signal: AbortSignal): Promise<TaskJob> {
    if (this.#serving.version === 0) {
      logger.info("task {partition}: waits for a first version of the parameters", { partition });
    }
    const aborted = Promise.withResolvers<never>();
    const abort = () => aborted.reject(signal.reason);
    signal.throwIfAborted();
    signal.addEventListener("abort", abort);
    try {
      await Promise.race([this.#served.promise, aborted.promise]);
    } finally {
      signal.removeEventListener("abort", abort);
    }
    const {
      task: options,
      stateBytes,
      snapshots,
      commitIntervalMs = 100,
      commitEvents = 1000,
      delivery = "exactly-once",
      answerIntervalMs,
      sliceMs,
    } = this.#options;
    const meter = new RestoreMeter(this.#now);
    this.#meters.set(partition, meter);
    const task = await Task.open(this.#log, this.#topics, partition, options, this.#serving, {
      ...(stateBytes === undefined ? {} : { maxStateBytes: stateBytes / this.#partitions }),
      snapshot: snapshots && {
        folder: `${snapshots.folder}/${this.#topics.state}-${partition}`,
        intervalMs: snapshots.intervalMs ?? 30_000,
        now: this.#now,
      },
      variants: this.#variants.map(({ serving }) => serving),
      partitions: this.#partitions,
      meter,
      delivery,
      signal,
    }).finally(() => this.#meters.delete(partition));
    const { records, bytes } = meter.status;
    logger.info(
      "task {partition}: begins at {offset} with {users} users, restored in {ms} ms from {mb} MB, {records} records " +
        "of them on the log",
      {
        partition,
        offset: task.next,
        users: task.users,
        ms: Math.round(meter.elapsedMs),
        mb: (bytes / 1e6).toFixed(1),
        records,
      },
    );
    const limits = {
      now: this.#now,
      waitMs: IDLE_MS,
      commitIntervalMs,
      commitEvents,
      ...(delivery === "at-least-once" ? { maxEvents: PROMPT_EVENTS } : {}),
      ...(answerIntervalMs === undefined ? {} : { answerIntervalMs }),
      ...(sliceMs === undefined ? {} : { sliceMs }),
    };
    return new TaskJob(task, limits, (events) => this.#events += events);
  }

  /** A model beside the own one: its learner and its versions have a topic of parameters of their own. */
  #openVariant(variant: VariantModel, k: number): VariantParts {
    const { roles = ROLES, pauseMs, task: { schema } } = this.#options;
    const { model } = variant;
    const topics = variantTopics(this.#topics, model);
    const common = { now: this.#now, ...(pauseMs === undefined ? {} : { pauseMs }) };
    const serving = new ServingModel(this.#makeModel(variant), schema, k);
    const subscriber = new ParameterSubscriber(this.#log, topics.parameters, serving);
    return {
      serving,
      learners: !roles.includes("learner") ? undefined : new Crew(this.#log, {
        ...common,
        group: `${topics.samples}-learner-${model}`,
        topic: topics.parameters,
        name: () => `learner of ${model}`,
        open: () => this.#openLearner(variant, topics),
      }),
      follower: !roles.includes("task") ? undefined : new Worker<Job>({
        ...common,
        name: `parameters of ${model}`,
        open: () => Promise.resolve(new FollowJob(subscriber, () => {})),
      }),
    };
  }

  async #openLearner(variant?: VariantModel, topics = this.#topics): Promise<LearningJob> {
    const learner = new Learner(this.#makeModel(variant), this.#options.learner);
    const options = {
      keepRows: KEPT_ROWS,
      ...this.#options.learning,
      ...(variant === undefined ? {} : { variant: variant.model }),
    };
    const learning = await Learning.open(this.#log, topics, learner, options);
    logger.info("learner: begins with version {version} after {rows} rows", {
      version: learning.version,
      rows: learning.validation.judged,
    });
    return new LearningJob(learning, this.#tasks === undefined ? undefined : this.#now);
  }

  #makeModel({ model, modelConfig }: VariantModel = this.#options): Model {
    const { task: { schema }, learner } = this.#options;
    const { d, userWidth, contextWidth } = new Assembler(schema, learner.embeddingWidth ?? 16);
    const sizes = { d, user: userWidth, context: contextWidth };
    return createModel(model, sizes, modelConfig, mulberry32(learner.seed ?? 0));
  }
}

/** What runs for a model of variants. */
interface VariantParts {
  readonly serving: ServingModel;
  readonly learners: Crew<LearningJob> | undefined;
  readonly follower: Worker<Job> | undefined;
}

function checkVariants({ model, variants = [] }: ServiceOptions): ModelName[] {
  const names = variants.map((variant) => variant.model);
  const twice = [model, ...names].find((name, at, all) => all.indexOf(name) < at);
  if (twice === undefined) return names;
  throw new RangeError(`Cannot run variants with the models ${names.join(", ")}: ${twice} is there twice`);
}

/** A task of a service. */
class TaskJob implements Job {
  readonly task: Task;
  readonly #limits: Omit<Parameters<Task["step"]>[0], "signal">;
  readonly #onEvents: (events: number) => void;

  constructor(
    task: Task,
    limits: Omit<Parameters<Task["step"]>[0], "signal">,
    onEvents: (events: number) => void,
  ) {
    this.task = task;
    this.#limits = limits;
    this.#onEvents = onEvents;
  }

  async step(signal: AbortSignal): Promise<void> {
    this.#onEvents(await this.task.step({ ...this.#limits, signal }));
  }

  async finish(): Promise<void> {
    if (this.task.isDirty) await this.task.commit();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.task[Symbol.asyncDispose]();
  }
}

/** The learner of a service. */
class LearningJob implements Job {
  readonly learning: Learning;
  readonly #now: (() => number) | undefined;

  /** @param now a clock in milliseconds, when there are tasks to leave half of the time to */
  constructor(learning: Learning, now: (() => number) | undefined) {
    this.learning = learning;
    this.#now = now;
  }

  async step(signal: AbortSignal): Promise<void> {
    const started = this.#now?.() ?? 0;
    if (await this.learning.step()) {
      // A commit of a task takes many turns of the event loop: each would wait for a batch to be learnt.
      if (this.#now) await delay(this.#now() - started, undefined, { signal }).catch(() => {});
    } else await this.learning.step({ waitMs: IDLE_MS, signal });
  }

  async finish(): Promise<void> {
    await this.learning.checkpoint();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.learning[Symbol.asyncDispose]();
  }
}

/** Keeps the live model at the newest version. */
class FollowJob implements Job {
  readonly #subscriber: ParameterSubscriber;
  readonly #onServed: () => void;

  constructor(subscriber: ParameterSubscriber, onServed: () => void) {
    this.#subscriber = subscriber;
    this.#onServed = onServed;
  }

  async step(signal: AbortSignal): Promise<void> {
    if (await this.#subscriber.update({ waitMs: IDLE_MS, signal }) > 0) this.#onServed();
  }

  finish(): Promise<void> {
    return Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }
}

async function learnerStatus(learning: Learning): Promise<LearnerStatus> {
  const lag = await learning.lag();
  // Views, which the next row ends: nothing may be awaited from here on.
  const { rows } = learning.validation;
  const labels = rows.labels.subarray(-WINDOW_ROWS);
  return {
    version: learning.version,
    rows: learning.validation.judged,
    lag,
    auc: auc(labels, rows.predictions.subarray(-WINDOW_ROWS)),
    ctr: labels.length === 0 ? null : labels.reduce((sum, label) => sum + label, 0) / labels.length,
  };
}
