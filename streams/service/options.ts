/**
 * How a service is set up.
 *
 * @module
 */

import type { LearnerOptions } from "../../src/learner/learner_options.ts";
import type { ModelConfigs, ModelName } from "../../src/nn/models/registry.ts";
import type { TaskOptions } from "../../src/engine/task_options.ts";
import type { LearningOptions } from "../learning/learning.ts";
import type { Delivery } from "../topics/delivery.ts";
import type { CommitReport } from "../log/metered_log.ts";

/** What a process can do: answer for partitions, train a model, watch experiments. */
export type Role = "task" | "learner" | "monitor";

/** All that a process can do. */
export const ROLES = ["task", "learner", "monitor"] as const satisfies readonly Role[];

/** A model that variants of experiments may want. */
export interface VariantModel<N extends ModelName = ModelName> {
  /** Its name, unlike the deployment's own model and those of the other variants. */
  readonly model: N;
  /** Its options. */
  readonly modelConfig: ModelConfigs[N];
}

/** How learners get threads of their own. */
export interface LearnerThreadOptions {
  /**
   * Deno permissions of the thread, which wants none on a log that is served to it, and those of a client on Kafka. Needs
   * the unstable feature `worker-options`. @default {those of the process}
   */
  readonly permissions?: Deno.PermissionOptions;
  /** Where the module of the thread is, for programs that are bundled. @default {beside the others} */
  readonly module?: string | URL;
  /** Is told of the commits on a log that the thread has opened itself. Must not throw. @default {nobody} */
  readonly committed?: (commit: CommitReport) => void;
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
  /**
   * Whether each learner works in a thread of its own, so that nobody waits for a batch to be learnt; `false` = beside
   * the tasks, which it leaves half of the time. @default {false}
   */
  readonly learnerThread?: false | LearnerThreadOptions;
  /** Partitions of the topics, when they do not exist yet. @default {1} */
  readonly partitions?: number;
  /** Prefix of the topics. @default {"meander."} */
  readonly prefix?: string;
  /**
   * A topic of the same log whose events are put onto those of the deployment by user, each once: for producers that key
   * by something else, or a topic that got more partitions. Done by one of the processes that have tasks.
   *
   * @default {none}
   */
  readonly rekeyFrom?: string;
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
  /** Serve this version of the parameters for good; the log must have it, unless it is the first. @default {the newest} */
  readonly serveVersion?: number;
  /** The first pause after a failure, milliseconds. @default {1000} */
  readonly pauseMs?: number;
  /** Time from one look for users who are to be erased from the log to the next, milliseconds. @default {5000} */
  readonly eraseIntervalMs?: number;
  /** A clock in milliseconds that never goes back. @default {performance.now} */
  readonly now?: () => number;
}

/** The names of the models of variants. @throws RangeError when one is there twice */
export function checkVariants({ model, variants = [] }: ServiceOptions): ModelName[] {
  const names = variants.map((variant) => variant.model);
  const twice = [model, ...names].find((name, at, all) => all.indexOf(name) < at);
  if (twice === undefined) return names;
  throw new RangeError(`Cannot run variants with the models ${names.join(", ")}: ${twice} is there twice`);
}
