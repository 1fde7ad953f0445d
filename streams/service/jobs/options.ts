/** How a service is set up. */

import type { LearnerOptions } from "../../../src/learner/learner_options.ts";
import type { ModelConfigs, ModelName } from "../../../src/nn/models/registry.ts";
import type { Recommendation } from "../../../src/events/recommendation.ts";
import type { Sample } from "../../../src/samples/sample.ts";
import type { TaskOptions } from "../../../src/engine/task_options.ts";
import type { LearningOptions } from "../../learning/options.ts";
import type { Delivery } from "../../topics/delivery.ts";
import type { FollowedSource } from "./sources_job.ts";
import type { CommitReport } from "../../log/metered_log.ts";
import type { ServingModel } from "../../../src/serving/serving_model.ts";
import type { Task } from "../../task/task.ts";
import type { ParameterSubscriber } from "../../topics/parameters.ts";
import type { PinnedModels } from "../../topics/pinned_models.ts";
import type { Topics } from "../../topics/topics.ts";

/** What a process does: answer for partitions, train a model, watch experiments. */
export type Role = "task" | "learner" | "monitor";

/** Everything that a process can do. */
export const ROLES = ["task", "learner", "monitor"] as const satisfies readonly Role[];

/** A model for variants of experiments. */
export interface VariantModel<N extends ModelName = ModelName> {
  /** Its name, different from the deployment's own model and other variants' models. */
  readonly model: N;
  /** Its options. */
  readonly modelConfig: ModelConfigs[N];
}

/** How learners run in threads of their own. */
export interface LearnerThreadOptions {
  /**
   * Deno permissions of the thread: none on an embedded log, those of a Kafka client on Kafka. Needs the unstable
   * feature `worker-options`. @default {those of the process}
   */
  readonly permissions?: Deno.PermissionOptions;
  /** Module of the thread, for bundled programs. @default {next to the others} */
  readonly module?: string | URL;
  /** Called for each commit on a log that the thread opened by itself. Must not throw. @default {none} */
  readonly committed?: (commit: CommitReport) => void;
}

/** A generation that is already in memory: a service starts with it, as soon as it may, without a restore. */
export interface WarmGeneration {
  /** The model at its newest version. */
  readonly serving: ServingModel;
  /** Keeps the model there. */
  readonly subscriber: ParameterSubscriber;
  /** Its pinned versions. */
  readonly pins: PinnedModels;
  /** Resolves to its tasks, by partition, when they are to answer. Whoever removes a task disposes of it. */
  readonly tasks: Promise<Map<number, Task>>;
}

/** Options of a {@linkcode Service}. */
export interface ServiceOptions<N extends ModelName = ModelName> {
  /** Roles of this process. @default {all} */
  readonly roles?: readonly Role[] | undefined;
  /** Name of the model. */
  readonly model: N;
  /** Its options. */
  readonly modelConfig: ModelConfigs[N];
  /** Options of the tasks. */
  readonly task: TaskOptions;
  /** Options of the learner. */
  readonly learner: LearnerOptions;
  /** Options of the learner's runtime. */
  readonly learning?: LearningOptions | undefined;
  /**
   * Whether each learner runs in its own thread, so that no request waits for a batch. With `false` it shares the
   * tasks' thread and leaves them half of the time. @default {false}
   */
  readonly learnerThread?: false | LearnerThreadOptions | undefined;
  /** Number of partitions of topics that do not exist yet. @default {1} */
  readonly partitions?: number | undefined;
  /** Prefix of the topics. @default {"meander."} */
  readonly prefix?: string | undefined;
  /** Number of the generation that it runs, whose derived topics it reads and writes. @default {1} */
  readonly generation?: number | undefined;
  /** @internal The generation, if it is already in memory. @default {it is restored} */
  readonly warm?: WarmGeneration | undefined;
  /**
   * @internal The topics of a generation that is built alongside from the same events, which are kept until it has read
   * them; `null` = there is none.
   */
  readonly beside?: (() => Topics | null) | undefined;
  /** @internal What is built alongside, for its status. */
  readonly rebuild?:
    | (() => { readonly generation: number; readonly failure: string | null } | null)
    | undefined;
  /**
   * @internal Called by a task before it restores, and again before it works, once it has fenced all others of its
   * partition. Rejects when another generation has taken over.
   */
  readonly mayWork?: ((signal: AbortSignal) => Promise<void>) | undefined;
  /**
   * Topics of other systems that are taken in: mapped, merged by time and put onto the deployment's topics, each record
   * exactly once. One of the processes with tasks does it.
   *
   * @default {none}
   */
  readonly sources?: readonly FollowedSource[] | undefined;
  /** Memory for user states of all partitions, bytes. @default {see TaskRuntime.maxStateBytes} */
  readonly stateBytes?: number | undefined;
  /**
   * Folder of the local snapshots, one per partition, and the time between syncs, milliseconds. Not used on logs that
   * index keys, which do not need them.
   *
   * @default {none}
   */
  readonly snapshots?: { readonly folder: string | undefined; readonly intervalMs?: number } | undefined;
  /** Time between commits, milliseconds. @default {100} */
  readonly commitIntervalMs?: number | undefined;
  /** Time between commits while a recommendation waits for one, milliseconds. @default {commitIntervalMs} */
  readonly answerIntervalMs?: number | undefined;
  /** Longest step of a task before others get their turn, milliseconds. @default {Infinity} */
  readonly sliceMs?: number | undefined;
  /** Most events per commit. @default {1000} */
  readonly commitEvents?: number | undefined;
  /** Whether recommendations wait for the commit. @default {"exactly-once"} */
  readonly delivery?: Delivery | undefined;
  /** Answers of these surfaces go to `recommendations.<ending>` as well; the topics are created. @default {none} */
  readonly surfaceTopics?: Readonly<Record<string, string>> | undefined;
  /** Encodes lists of users, and answers on topics of surfaces. @default {as JSON} */
  readonly encodeLists?: ((recommendation: Recommendation, topic: string) => Uint8Array) | undefined;
  /**
   * Encodes samples of lists for the topic `recommendations.samples`; `null` = leave this one out.
   *
   * @default {no such topic}
   */
  readonly encodeSamples?: ((sample: Sample) => Uint8Array | null) | undefined;
  /** Models for variants of experiments; each has its own learner and versions. @default {none} */
  readonly variants?: readonly VariantModel[] | undefined;
  /**
   * Serves this version of the parameters permanently; it must be on the log, unless it is the first.
   *
   * @default {the newest}
   */
  readonly serveVersion?: number | undefined;
  /** First pause after a failure, milliseconds. @default {1000} */
  readonly pauseMs?: number | undefined;
  /** Time between searches for users to erase from the log, milliseconds. @default {5000} */
  readonly eraseIntervalMs?: number | undefined;
  /** A monotonic clock, milliseconds. @default {performance.now} */
  readonly now?: () => number;
}

/** The names of the models of variants. @throws RangeError when one is named twice */
export function checkVariants({ model, variants = [] }: ServiceOptions): ModelName[] {
  const names = variants.map((variant) => variant.model);
  const twice = [model, ...names].find((name, at, all) => all.indexOf(name) < at);
  if (twice === undefined) return names;
  throw new RangeError(`Cannot run variants with the models ${names.join(", ")}: ${twice} is named twice`);
}
