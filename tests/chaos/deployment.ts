/**
 * A deployment, as configured for its processes.
 *
 * @module
 */

import { modelSizes } from "../../src/features/rows/assembler.ts";
import type { LearnerOptions } from "../../src/learner/learner_options.ts";
import { createModel, type ModelConfigs, type ModelName } from "../../src/nn/models/registry.ts";
import type { Model } from "../../src/nn/models/core/model.ts";
import { mulberry32 } from "../../src/draws/random.ts";
import type { TaskOptions } from "../../src/engine/task_options.ts";
import type { LearningOptions } from "../../streams/learning/options.ts";
import type { Delivery } from "../../streams/topics/delivery.ts";

/** What a verifier must know; see `ServiceOptions`. */
export interface Deployment<N extends ModelName = ModelName> {
  readonly prefix: string;
  readonly model: N;
  readonly modelConfig: ModelConfigs[N];
  readonly task: TaskOptions;
  readonly learner: LearnerOptions;
  readonly learning: LearningOptions;
  readonly delivery?: Delivery | undefined;
  /** Folder of local snapshots, from which tasks may also be restored. */
  readonly snapshotsFolder?: string;
  /** The version that the tasks served throughout; without it the right answers are unknown. */
  readonly serveVersion?: number;
}

/** A fresh model of the deployment. */
export function modelOf<N extends ModelName>({ model, modelConfig, task, learner }: Deployment<N>): Model {
  const sizes = modelSizes(task.schema, learner.embeddingWidth ?? 16);
  return createModel(model, sizes, modelConfig, mulberry32(learner.seed ?? 0));
}
