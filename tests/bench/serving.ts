/**
 * Models that serve a published version, for benches: every step reads real embedding rows.
 *
 * @module
 */

import { modelSizes } from "../../src/features/rows/assembler.ts";
import { DEFAULT_SCHEMA } from "../../src/features/schema.ts";
import { Learner } from "../../src/learner/learner.ts";
import { createModel, type ModelName } from "../../src/nn/models/registry.ts";
import { mulberry32 } from "../../src/draws/random.ts";
import { ServingModel } from "../../src/serving/serving_model.ts";

const K = 16;

/** Serves a model that has seen `item-0` to `item-<items - 1>` at one time. */
export function serve(name: ModelName, items: number, time: number): ServingModel {
  const sizes = modelSizes(DEFAULT_SCHEMA, K);
  const make = () => createModel(name, sizes, {}, mulberry32(1));
  const learner = new Learner(make(), { schema: DEFAULT_SCHEMA, embeddingWidth: K });
  for (let item = 0; item < items; item++) learner.tables.get("item")?.use(`item-${item}`, time);
  const serving = new ServingModel(make(), DEFAULT_SCHEMA, K);
  serving.apply(learner.version("full", 1));
  return serving;
}
