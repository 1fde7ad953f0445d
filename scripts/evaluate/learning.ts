/** A learner alongside the task of a protocol: it learns full batches, and serves the result at once. */

import { mulberry32 } from "../../src/draws/random.ts";
import type { TaskOptions } from "../../src/engine/task_options.ts";
import type { TaskOutputs } from "../../src/engine/task_outputs.ts";
import { modelSizes } from "../../src/features/rows/assembler.ts";
import { Learner } from "../../src/learner/learner.ts";
import { learnerSettings } from "../../src/learner/learner_options.ts";
import { Proof } from "../../src/learner/proof.ts";
import { createKernels } from "../../src/nn/kernels/choose.ts";
import { createModel, type ModelName } from "../../src/nn/models/registry.ts";
import { settle } from "../../src/options/option.ts";
import { sizeInBatch } from "../../src/samples/sample.ts";
import { ServingModel } from "../../src/serving/serving_model.ts";
import { type Config, learnerOptions, modelConfig } from "../../streams/config/config.ts";
import { LEARNING_OPTIONS } from "../../streams/learning/options.ts";

/** The model of a protocol, unless another is asked for. */
export const PROTOCOL_MODEL: ModelName = "base";

/** A learner and what serves its versions. */
export class Learning {
  /** What the task scores with. */
  readonly serving: ServingModel;
  readonly #learner: Learner;
  readonly #batchRows: number;
  /** Decides the model's share in ordering; `null`: it always has all of it. */
  readonly #proof: Proof | null;
  readonly #hasModel: boolean;
  #batch: TaskOutputs["samples"][number][] = [];
  #rows = 0;
  #version = 0;

  /** Starts untrained. @param model learns from outcomes; without one, only parts that need just behaviours learn */
  constructor(model: ModelName | undefined, task: TaskOptions, config: Config, seed: number) {
    const name = model ?? PROTOCOL_MODEL;
    this.#hasModel = model !== undefined;
    const { schema } = task;
    const options = learnerOptions(task, config, seed);
    const k = learnerSettings(options).embeddingWidth;
    const sizes = modelSizes(schema, k);
    const make = () => createModel(name, sizes, modelConfig(name, config), mulberry32(seed), createKernels());
    this.serving = new ServingModel(make(), schema, k);
    this.#learner = new Learner(make(), options);
    const { batchRows, proof } = settle(LEARNING_OPTIONS, config);
    this.#batchRows = batchRows;
    this.#proof = proof === null ? null : new Proof(proof);
  }

  /** Collects the samples; a full batch is learnt and published. */
  learn({ samples }: TaskOutputs): void {
    for (const sample of samples) {
      if (!this.#hasModel && sample.rows.length > 0) continue;
      this.#batch.push(sample);
      this.#rows += sizeInBatch(sample);
      if (this.#rows < this.#batchRows) continue;
      this.#proof?.update(this.#batch.filter(({ purpose }) => purpose !== "learn"));
      this.#learner.learn(this.#batch);
      const share = this.#hasModel ? this.#proof?.share ?? 1 : 0;
      this.serving.apply({ ...this.#learner.version("delta", ++this.#version), share });
      this.#batch = [];
      this.#rows = 0;
    }
  }
}
