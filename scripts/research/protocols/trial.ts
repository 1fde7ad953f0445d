/** A model under test: our learner, and a serving model that has only what the learner published. */

import { LEARNING_OPTIONS } from "../../../streams/learning/options.ts";
import { settle } from "../../../src/options/option.ts";
import { learnerSettings } from "../../../src/learner/learner_options.ts";
import { modelSizes } from "../../../src/features/rows/assembler.ts";
import type { FeatureSchema } from "../../../src/features/schema.ts";
import { Learner } from "../../../src/learner/learner.ts";
import type { Sample } from "../../../src/samples/sample.ts";
import { createModel, type ModelName } from "../../../src/nn/models/registry.ts";
import type { Model } from "../../../src/nn/models/core/model.ts";
import { mulberry32 } from "../../../src/draws/random.ts";
import { ServingModel } from "../../../src/serving/serving_model.ts";
import { type Config, learnerOptions, modelConfig } from "../../../streams/config/config.ts";

/** A model, learner and seed to try. */
export interface TrialOptions {
  readonly schema: FeatureSchema;
  readonly model: ModelName;
  /** Learner, model and batch; everything else in it is for tasks. */
  readonly config: Config;
  /** Seed of initial weights. */
  readonly seed: number;
}

/** Predictions and outcomes, row by row in the order of the samples. */
export interface Judged {
  /** Index of each row's user, from 0. */
  readonly users: Uint32Array;
  readonly labels: Uint8Array;
  /** Probabilities. */
  readonly predictions: Float64Array;
}

/** Learns samples, publishes as a replay does, and predicts with what was published. */
export class Trial {
  readonly #learner: Learner;
  readonly #serving: ServingModel;
  readonly #batchRows: number;
  #version = 0;

  /** An untrained model, whose initial weights are version 1. */
  constructor({ schema, model, config, seed }: TrialOptions) {
    const options = learnerOptions({ schema }, config, seed);
    const k = learnerSettings(options).embeddingWidth;
    const sizes = modelSizes(schema, k);
    const make = (): Model => createModel(model, sizes, modelConfig(model, config), mulberry32(seed));
    this.#learner = new Learner(make(), options);
    this.#serving = new ServingModel(make(), schema, k);
    this.#batchRows = settle(LEARNING_OPTIONS, config).batchRows;
    this.#publish("full");
  }

  /** One pass over the samples, then one published version. */
  learn(samples: readonly Sample[]): void {
    for (const batch of batches(samples, this.#batchRows)) this.#learner.learn(batch);
    this.#publish("full");
  }

  /** Predicts the samples with the published version, without learning. */
  predict(samples: readonly Sample[]): Judged {
    return judge(samples, samples.map((sample) => this.#serving.score(sample)));
  }

  /** Predicts each batch, then learns and publishes it: no row is predicted by a model that saw it. */
  progress(samples: readonly Sample[]): Judged {
    const logits: Float32Array[] = [];
    for (const batch of batches(samples, this.#batchRows)) {
      for (const sample of batch) logits.push(this.#serving.score(sample));
      this.#learner.learn(batch);
      this.#publish("delta");
    }
    return judge(samples, logits);
  }

  #publish(kind: "full" | "delta"): void {
    if (!this.#serving.apply(this.#learner.version(kind, ++this.#version))) {
      throw new Error(`Cannot apply version ${this.#version}: current version is ${this.#serving.version}`);
    }
  }
}

/** Groups samples into batches of at least `rows` rows, the last one perhaps smaller. */
export function* batches(samples: readonly Sample[], rows: number): Generator<readonly Sample[]> {
  let batch: Sample[] = [];
  let filled = 0;
  for (const sample of samples) {
    batch.push(sample);
    filled += sample.rows.length;
    if (filled < rows) continue;
    yield batch;
    batch = [];
    filled = 0;
  }
  if (batch.length > 0) yield batch;
}

/** The rows from sample `start` on. */
export function judgedFrom(judged: Judged, samples: readonly Sample[], start: number): Judged {
  let row = 0;
  for (let s = 0; s < start; s++) row += samples[s]?.rows.length ?? 0;
  return {
    users: judged.users.subarray(row),
    labels: judged.labels.subarray(row),
    predictions: judged.predictions.subarray(row),
  };
}

function judge(samples: readonly Sample[], logits: readonly Float32Array[]): Judged {
  const rows = samples.reduce((sum, sample) => sum + sample.rows.length, 0);
  const judged = {
    users: new Uint32Array(rows),
    labels: new Uint8Array(rows),
    predictions: new Float64Array(rows),
  };
  const indices = new Map<string, number>();
  let at = 0;
  samples.forEach((sample, s) => {
    const user = indices.get(sample.user) ?? indices.size;
    indices.set(sample.user, user);
    for (let row = 0; row < sample.rows.length; row++) {
      judged.users[at] = user;
      judged.labels[at] = sample.rows.label(row);
      judged.predictions[at] = 1 / (1 + Math.exp(-(logits[s]?.[row] ?? NaN)));
      at++;
    }
  });
  return judged;
}
