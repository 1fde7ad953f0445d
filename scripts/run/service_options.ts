/** The options of the services of `run`. */

import { SERVICE_PROFILE } from "../../streams/config/blueprint.ts";
import {
  type Config,
  learnerOptions,
  learningOptions,
  modelConfig,
  taskOptions,
} from "../../streams/config/config.ts";
import type { ModelName } from "../../src/nn/models/registry.ts";
import type { Outputs } from "../../streams/formats/output_settings.ts";
import type { Metrics } from "../../streams/http/metrics.ts";
import type { LearnerThreadOptions, ServiceOptions } from "../../streams/service/jobs/options.ts";
import { COMMIT_INTERVAL_MS, type Flags } from "./flags.ts";
import type { RunSettings } from "./settings.ts";
import { workerPermissions } from "./permissions.ts";

/** Slices of a task that shares its thread with a server, which must be able to answer. */
const SLICE_MS = 4;

/** How a generation is made. */
export interface GenerationSetup {
  readonly config: Config;
  readonly model: ModelName;
  readonly seed: number;
  /** Number of tasks. */
  readonly partitions: number;
  readonly variants: readonly ModelName[];
}

/** What all services of a process have in common. */
export interface RunParts {
  readonly metrics: Metrics;
  /** Memory of each service for states and embeddings, bytes. */
  readonly memory: number | undefined;
  readonly outputs: Outputs | undefined;
}

/**
 * Memory of each generation, bytes: while one is built alongside another, each gets half, since together they may take
 * no more.
 */
export function memoryOf({ memory }: Pick<Flags, "memory">, generations: 1 | 2): number | undefined {
  return memory && Math.floor(memory / generations);
}

export function serviceOptions(
  setup: GenerationSetup,
  run: RunSettings,
  { metrics, memory, outputs }: RunParts,
): ServiceOptions {
  const { flags, config, kind, roles, http, sources, delivery, snapshots } = run;
  const commitIntervalMs = flags.commitInterval ?? COMMIT_INTERVAL_MS[delivery];
  return {
    roles,
    ...generationOptions(setup, memory),
    variants: setup.variants.map((model) => ({ model, modelConfig: modelConfig(model, setup.config) })),
    learnerThread: learnerThreadOf(run, metrics),
    partitions: setup.partitions,
    prefix: flags.prefix,
    sources,
    commitIntervalMs,
    answerIntervalMs: Math.min(commitIntervalMs, kind.answerIntervalMs),
    sliceMs: http && SLICE_MS,
    delivery,
    surfaceTopics: config.surfaceTopics,
    ...outputs,
    serveVersion: flags.serveVersion,
    stateBytes: memory && memory / 2,
    snapshots,
  };
}

/** How the tasks and the learner of a generation work. */
export function generationOptions(
  { config, model, seed }: Pick<GenerationSetup, "config" | "model" | "seed">,
  memory: number | undefined,
): Pick<ServiceOptions, "model" | "modelConfig" | "task" | "learner" | "learning"> {
  const task = {
    ...taskOptions(SERVICE_PROFILE, config, model),
    seed,
    nowMicros: () => Math.round(performance.now() * 1000),
  };
  // Half of the memory for user states; a quarter each for the learner's tables and the scorer's copy of them.
  const tableBytes = memory && Math.floor(memory / 4);
  return {
    model,
    modelConfig: modelConfig(model, config),
    task,
    learner: { tableBytes, ...learnerOptions(task, config, seed) },
    learning: learningOptions(config),
  };
}

/** A thread for the learner, if it shares the process with other roles. */
function learnerThreadOf(
  { flags: { roles }, kind }: RunSettings,
  metrics: Metrics,
): false | LearnerThreadOptions {
  if (roles !== undefined && (!roles.includes("learner") || roles.length === 1)) return false;
  return {
    permissions: workerPermissions(kind.capabilities),
    committed: (commit) => metrics.committedInThread(commit),
  };
}
