/**
 * Learners, and samples with something to learn: a click is likely when the item's category is the one that the
 * history is about.
 *
 * @module
 */

import { Rows } from "../../src/samples/rows.ts";
import { modelSizes } from "../../src/features/rows/assembler.ts";
import { type FeatureSchema, numericNames } from "../../src/features/schema.ts";
import { Learner } from "../../src/learner/learner.ts";
import type { LearnerOptions } from "../../src/learner/learner_options.ts";
import type { Sample } from "../../src/samples/sample.ts";
import { createModel, type ModelName } from "../../src/nn/models/registry.ts";
import type { Model } from "../../src/nn/models/core/model.ts";
import { mulberry32 } from "../../src/draws/random.ts";

/** Width of an id's embedding in these tests. */
export const WIDTH = 4;

export const SCHEMA: FeatureSchema = {
  userFields: ["age"],
  itemFields: ["band"],
  contextFields: ["hour"],
  crosses: [],
  transitions: null,
};

/** A model with the sizes that {@linkcode SCHEMA} needs. */
export function makeModel(name: ModelName, seed = 0): Model {
  const sizes = modelSizes(SCHEMA, WIDTH);
  return createModel(name, sizes, {}, mulberry32(seed));
}

/** A small learner; the auxiliary loss is on where the model has one. */
export function makeLearner(model: ModelName | Model, over: Partial<LearnerOptions> = {}): Learner {
  const made = typeof model === "string" ? makeModel(model) : model;
  const auxWeight = made.name === "dien" ? 0.2 : 0;
  return new Learner(made, { schema: SCHEMA, embeddingWidth: WIDTH, auxWeight, ...over });
}

/** `count` samples of `list` rows. Same arguments, same samples. */
export function makeSamples(count: number, seed = 1, list = 4): Sample[] {
  const random = mulberry32(seed);
  const below = (n: number) => Math.floor(random() * n);
  const numerics = numericNames(SCHEMA).length;
  return Array.from({ length: count }, (_, s) => {
    const taste = below(3);
    const T = below(7);
    const item = () => below(30);
    const inTaste = () => 3 * below(10) + taste;
    const history = Array.from({ length: T }, () => random() < 0.9 ? inTaste() : item());
    return {
      request: `r${s}`,
      user: `u${below(20)}`,
      time: 1_700_000_000_000 + s * 1000,
      closedTime: 1_700_000_600_000 + s * 1000,
      version: 1,
      newUser: T === 0,
      history: {
        items: history.map((i) => `i${i}`),
        categories: history.map((i) => [`c${i % 3}`]),
        actions: Array.from({ length: T }, () => "click"),
        times: new Float64Array(T).fill(1_700_000_000_000 + s * 1000 - 60_000),
        strengths: new Float32Array(T).fill(1),
      },
      userFields: [below(2) === 0 ? null : "30"],
      contextFields: [String(below(24))],
      rows: Rows.of(Array.from({ length: list }, () => {
        const i = item();
        const likely = T > 0 && i % 3 === taste;
        return {
          item: `i${i}`,
          categories: [`c${i % 3}`],
          fields: [String(i % 2)],
          numerics: Float32Array.from({ length: numerics }, () => random()),
          offset: -1,
          label: random() < (likely ? 0.8 : 0.1) ? 1 : 0,
          prediction: 0.3,
        };
      })),
    };
  });
}

/** The samples in batches of `size`. */
export function batches(samples: readonly Sample[], size = 8): Sample[][] {
  return Array.from(
    { length: Math.ceil(samples.length / size) },
    (_, b) => samples.slice(b * size, (b + 1) * size),
  );
}
