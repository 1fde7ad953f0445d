/** A model of a service: the serving model, what keeps it at the newest version, and its learner. */

import { settle } from "../../src/options/option.ts";
import { getLogger } from "@logtape/logtape";
import { ignore } from "../log/ignore.ts";
import type { ServingModel } from "../../src/serving/serving_model.ts";
import type { LearnerFigures } from "../learning/learner_figures.ts";
import { LEARNING_OPTIONS, serviceLearning } from "../learning/options.ts";
import { orAborted } from "../log/pause.ts";
import { lagOf } from "../log/reading.ts";
import type { Log } from "../log/log.ts";
import { ParameterSubscriber } from "../topics/parameters.ts";
import { type Topics, variantTopics } from "../topics/topics.ts";
import { WorkerGroup } from "./jobs/worker_group.ts";
import { FollowJob } from "./jobs/follow_job.ts";
import {
  type LearnerJob,
  type LearnerSpec,
  LearningJob,
  makeServingModel,
  openLearning,
} from "./jobs/learner_job.ts";
import type { ModelName } from "../../src/nn/models/registry.ts";
import { ROLES, type ServiceOptions, type VariantModel } from "./jobs/options.ts";
import { groupUnready, stallsOf } from "./readiness.ts";
import type { SharedThread } from "./jobs/shared_thread.ts";
import { ThreadedLearner } from "./jobs/threaded_learner.ts";
import { Worker } from "./jobs/worker.ts";

const logger = getLogger(["meander", "service"]);

/** What the parts of a service share. */
export interface ServiceContext<N extends ModelName = ModelName> {
  readonly log: Log;
  /** Topics of the deployment. */
  readonly topics: Topics;
  readonly options: ServiceOptions<N>;
  /** A monotonic clock, milliseconds. */
  readonly now: () => number;
  readonly thread: SharedThread;
}

/** The deployment's own model, or one of variants, whose versions have a topic of parameters of their own. */
export class ServedModel {
  /** The model that scores here. */
  readonly serving: ServingModel;
  /** Resolves when there is a version to score with. */
  readonly served: Promise<void>;
  /** Resolves when it is at the newest version that was on the log at the start, if there was any. */
  readonly caughtUp: Promise<void>;
  /** Resolves when it has stopped; rejects when it cannot continue. */
  readonly ended: Promise<unknown>;
  readonly #log: Log;
  readonly #spec: LearnerSpec;
  readonly #learnerName: string;
  /** The learner, once it has caught up with the samples from before its start. */
  #caughtUpJob: LearnerJob | undefined;
  readonly #learners: WorkerGroup<LearnerJob> | undefined;
  readonly #follower: Worker<FollowJob> | undefined;

  /**
   * Starts learning and following versions, depending on the roles.
   *
   * @param variant the model, when it is not the deployment's own
   */
  constructor(around: ServiceContext, variant?: VariantModel) {
    const { log, topics, options } = around;
    const { roles = ROLES } = options;
    const { model } = this.#spec = specOf(topics, options, variant);
    const nameOf = (what: string) => variant === undefined ? what : `${what} of ${model}`;
    const isOwn = variant === undefined;
    this.#log = log;
    this.#learnerName = nameOf("learner");
    this.serving = isOwn && options.warm !== undefined ? options.warm.serving : this.make(model);
    const served = Promise.withResolvers<void>(), caughtUp = Promise.withResolvers<void>();
    this.served = served.promise;
    this.caughtUp = caughtUp.promise;
    if (roles.includes("learner")) this.#learners = this.#joinLearners(around, isOwn);
    if (roles.includes("task")) {
      this.#follower = this.#follow(around, { isOwn, name: nameOf("parameters") }, (version) => {
        caughtUp.resolve();
        if (version > 0) served.resolve();
      });
    }
    this.ended = Promise.all([this.#learners?.ended, this.#follower?.ended]);
    ignore(this.ended, "the service watches it");
  }

  /** Joins the group of its learners, of which one learns at a time. */
  #joinLearners(
    { log, options, now, thread }: ServiceContext,
    isOwn: boolean,
  ): WorkerGroup<LearnerJob> {
    const spec = this.#spec;
    const { samples, parameters } = spec.topics;
    return new WorkerGroup<LearnerJob>(log, {
      now,
      thread,
      pauseMs: options.pauseMs,
      group: `${samples}-learner-${spec.model}`,
      topic: parameters,
      name: () => this.#learnerName,
      open: async (_, signal) => {
        await orAborted(Promise.resolve(isOwn ? options.warm?.tasks : undefined), signal);
        return await openLearner(log, spec, options, { now, signal });
      },
    });
  }

  /** Follows the versions. @param onLooked see {@linkcode FollowJob} */
  #follow(
    { log, options, now, thread }: ServiceContext,
    { isOwn, name }: { readonly isOwn: boolean; readonly name: string },
    onLooked: (version: number) => void,
  ): Worker<FollowJob> {
    const { parameters } = this.#spec.topics;
    const warm = isOwn ? options.warm : undefined;
    const last = isOwn ? options.serveVersion : undefined;
    const subscriber = warm?.subscriber ?? new ParameterSubscriber(log, parameters, this.serving, last);
    return new Worker({
      now,
      thread,
      pauseMs: options.pauseMs,
      name,
      open: async (signal) => {
        await orAborted(Promise.resolve(warm?.tasks), signal);
        return new FollowJob(subscriber, onLooked);
      },
    });
  }

  /** Makes another serving model at version 0. */
  make(name: string): ServingModel {
    return makeServingModel(this.#spec, name);
  }

  /** The figures of its learner, if that runs in this process. */
  get figures(): LearnerFigures | undefined {
    return this.#learners?.workers[0]?.[1].job?.figures;
  }

  /** Why its learner has not started; empty if it has, or is on standby. */
  get opening(): readonly string[] {
    return this.#learners === undefined ? [] : groupUnready(this.#learnerName, this.#learners);
  }

  /** Reports that its learner, or what keeps it at the newest version, has made no progress for this long. */
  stalls(ms: number): readonly string[] {
    const follower = this.#follower;
    const own = follower !== undefined && follower.stalledMs >= ms ? follower.stall ?? [] : [];
    return stallsOf(this.#learners, ms).concat(own);
  }

  /** Whether its learner, or what keeps it at the newest version, could not go on because a topic is missing. */
  get lacksTopic(): boolean {
    return this.#learners?.lacksTopic === true || this.#follower?.lacksTopic === true;
  }

  /** Why its learner has not reached new samples yet; empty if it has, or is on standby. */
  async unready(): Promise<readonly string[]> {
    if (this.#learners === undefined) return [];
    const reasons = groupUnready(this.#learnerName, this.#learners);
    const job = this.#learners.workers[0]?.[1].job;
    if (reasons.length > 0 || job === undefined || job === this.#caughtUpJob) return reasons;
    const { positions } = job.figures;
    const lag = await lagOf(this.#log, this.#spec.topics.samples, positions);
    // Samples of an incomplete batch, and transaction markers, do not count.
    if (lag <= 2 * (settle(LEARNING_OPTIONS, this.#spec.learning).batchRows) + 2 * positions.length) {
      this.#caughtUpJob = job;
      return [];
    }
    return [`the ${this.#learnerName} has ${lag} samples to learn from before it started`];
  }

  /** The parts of its learner that have not stopped yet, for people. */
  get unfinished(): readonly string[] {
    return this.#learners?.unfinished ?? [];
  }

  /** Logs stalls. */
  watch(stoodMs: number): void {
    this.#follower?.watch(stoodMs);
    for (const [, worker] of this.#learners?.workers ?? []) worker.watch(stoodMs);
  }

  /** Stops following, then learning. Never rejects; `ended` reports failures. */
  async stop(): Promise<void> {
    await this.#follower?.stop();
    await this.#learners?.stop();
  }
}

function specOf(topics: Topics, options: ServiceOptions, variant?: VariantModel): LearnerSpec {
  const { model, modelConfig } = variant ?? options;
  const { learner, task: { schema } } = options;
  return {
    model,
    modelConfig,
    schema,
    // Retrieval asks only the bank of the deployment's own model.
    learner: variant === undefined ? learner : { ...learner, learnsNext: false },
    learning: { ...serviceLearning(options.learning), variant: variant?.model },
    topics: variant === undefined ? topics : variantTopics(topics, model),
  };
}

async function openLearner(
  log: Log,
  spec: LearnerSpec,
  { learnerThread = false, roles = ROLES }: ServiceOptions,
  { now, signal }: { readonly now: () => number; readonly signal: AbortSignal },
): Promise<LearnerJob> {
  const job = learnerThread === false
    ? new LearningJob(
      await openLearning(log, spec, { now, signal }),
      roles.includes("task") ? now : undefined,
    )
    : await ThreadedLearner.open(log, spec, learnerThread, signal);
  const { version, rows } = job.figures;
  logger.info("learner: starts at version {version}, after {rows} rows", { version, rows });
  return job;
}
