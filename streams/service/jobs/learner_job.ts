/** A learner in the thread of a service's tasks; `threaded_learner.ts` is one in its own thread. */

import { pause } from "../../log/pause.ts";
import { modelSizes } from "../../../src/features/rows/assembler.ts";
import type { FeatureSchema } from "../../../src/features/schema.ts";
import { Learner } from "../../../src/learner/learner.ts";
import { type LearnerOptions, learnerSettings } from "../../../src/learner/learner_options.ts";
import { createModel, type ModelConfigs, type ModelName } from "../../../src/nn/models/registry.ts";
import type { Model } from "../../../src/nn/models/core/model.ts";
import { ServingModel } from "../../../src/serving/serving_model.ts";
import { mulberry32 } from "../../../src/draws/random.ts";
import { FigureTaker, type LearnerFigures } from "../../learning/learner_figures.ts";
import { Learning } from "../../learning/learning.ts";
import type { LearningOptions, LearningRuntime } from "../../learning/options.ts";
import type { UngroupedLog } from "../../log/log.ts";
import { checkEvents } from "../../task/inputs/inputs.ts";
import type { Topics } from "../../topics/topics.ts";
import type { Job } from "./worker.ts";

/** What makes up a learner; can be cloned. */
export interface LearnerSpec<N extends ModelName = ModelName> {
  readonly model: N;
  readonly modelConfig: ModelConfigs[N];
  /** Which attributes are features. */
  readonly schema: FeatureSchema;
  readonly learner: LearnerOptions;
  /** Options of its runtime. */
  readonly learning: LearningOptions;
  /** The topics that it reads and writes. */
  readonly topics: Topics;
}

/** A running learner, here or in another thread. */
export interface LearnerJob extends Job {
  /** Its figures: current, or as last reported. */
  readonly figures: LearnerFigures;
}

/** How long a step waits for samples when there are none. */
export const LEARNER_IDLE_MS = 1000;

/** The model of a learner, with its initial weights. */
export function makeModel<N extends ModelName>(
  { model, modelConfig, schema, learner }: Omit<LearnerSpec<N>, "learning" | "topics">,
): Model {
  const sizes = modelSizes(schema, learnerSettings(learner).embeddingWidth);
  return createModel(model, sizes, modelConfig, mulberry32(learner.seed ?? 0));
}

/** A model that serves what a learner learns, at version 0. @param name by default, that of the model */
export function makeServingModel(
  spec: Omit<LearnerSpec, "learning" | "topics">,
  name?: string,
): ServingModel {
  return new ServingModel(makeModel(spec), spec.schema, learnerSettings(spec.learner).embeddingWidth, name);
}

/** Continues from the last checkpoint of a learner. @throws LogError `topic-mismatch` on a copy of its deployment */
export async function openLearning(
  log: UngroupedLog,
  spec: LearnerSpec,
  runtime: Pick<LearningRuntime, "now" | "signal"> = {},
): Promise<Learning> {
  await checkEvents(log, spec.topics);
  const learner = new Learner(makeModel(spec), spec.learner);
  return await Learning.open(log, spec.topics, learner, { ...spec.learning, ...runtime });
}

/** A learner in the thread of the tasks. */
export class LearningJob implements LearnerJob {
  readonly #learning: Learning;
  readonly #figures: FigureTaker;
  readonly #now: (() => number) | undefined;

  /** @param now a clock in milliseconds, if there are tasks, which get half of the time */
  constructor(learning: Learning, now: (() => number) | undefined) {
    this.#learning = learning;
    this.#figures = new FigureTaker(learning);
    this.#now = now;
  }

  get figures(): LearnerFigures {
    return this.#figures.take();
  }

  async step(signal: AbortSignal): Promise<void> {
    const started = this.#now?.() ?? 0;
    if (await this.#learning.step()) {
      // A commit of a task takes many turns of the event loop, each of which would wait for a batch to be learnt.
      if (this.#now) await pause(this.#now() - started, signal);
    } else await this.#learning.step({ waitMs: LEARNER_IDLE_MS, signal });
  }

  async finish(): Promise<void> {
    await this.#learning.checkpoint();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#learning[Symbol.asyncDispose]();
  }
}
