/**
 * Models by name.
 *
 * @module
 */

import { createKernels } from "../kernels/choose.ts";
import type { Kernels } from "../kernels/kernels.ts";
import type { OptionsOf } from "../../options/option.ts";
import { Base, BASE_OPTIONS, type BaseConfig } from "./base/base.ts";
import { Dien, DIEN_OPTIONS, type DienConfig } from "./dien/dien.ts";
import { Din, DIN_OPTIONS, type DinConfig } from "./din/din.ts";
import { Mimn, MIMN_OPTIONS, type MimnConfig } from "./mimn/mimn.ts";
import type { Model, ModelSizes } from "./core/model.ts";

/** The options of each model. */
export interface ModelConfigs {
  /** Embedding + MLP. */
  readonly base: BaseConfig;
  /** Attention over the history. */
  readonly din: DinConfig;
  /** Interest extractor, attention and AUGRU. */
  readonly dien: DienConfig;
  /** Memory of constant size, one step a behaviour. */
  readonly mimn: MimnConfig;
}

/** A name that {@linkcode createModel} knows. */
export type ModelName = keyof ModelConfigs;

/** The names of all models, simplest first. */
export const MODEL_NAMES = ["base", "din", "dien", "mimn"] as const satisfies readonly ModelName[];

/** The options of each model, with their defaults: what one-pass learning starts from. */
export const MODEL_OPTIONS: { readonly [N in ModelName]: OptionsOf<ModelConfigs[N]> } = {
  base: BASE_OPTIONS,
  din: DIN_OPTIONS,
  dien: DIEN_OPTIONS,
  mimn: MIMN_OPTIONS,
};

const MAKERS: {
  readonly [N in ModelName]: (
    sizes: ModelSizes,
    config: ModelConfigs[N],
    random: () => number,
    kernels: Kernels,
  ) => Model;
} = {
  base: (sizes, config, random, kernels) => new Base(sizes, config, random, kernels),
  din: (sizes, config, random, kernels) => new Din(sizes, config, random, kernels),
  dien: (sizes, config, random, kernels) => new Dien(sizes, config, random, kernels),
  mimn: (sizes, config, random, kernels) => new Mimn(sizes, config, random, kernels),
};

/**
 * Makes a model with fresh weights: Glorot uniform matrices, zero biases, PReLU slopes 0.1; the bilinear
 * attention starts as the identity where it is square, MIMN's rebalancing Wg as −4 times the identity.
 *
 * @param random uniform in [0, 1); the same numbers give the same weights, bit for bit.
 * @param kernels what computes it: by default the fastest that this machine runs, on a memory of the model's own.
 *
 * ```ts
 * import assert from "node:assert/strict";
 * import { createModel } from "./registry.ts";
 *
 * const sizes = { d: 2, user: 1, context: 0 };
 * const model = createModel("dien", sizes, { hidden: 4 }, () => 0.25);
 * const state = model.initState();
 * model.step(state, new Float32Array([1, -1]));
 * assert.equal(state.length, 4);
 * const logits = model.score({
 *   T: 0,
 *   K: 3,
 *   e: new Float32Array(0),
 *   q: new Float32Array(6),
 *   xu: new Float32Array(1),
 *   xc: new Float32Array(0),
 * });
 * assert.deepEqual([...logits], [0, 0, 0]);
 * ```
 */
export function createModel<N extends ModelName>(
  name: N,
  sizes: ModelSizes,
  config: ModelConfigs[N],
  random: () => number,
  kernels: Kernels = createKernels(),
): Model {
  return MAKERS[name](sizes, config, random, kernels);
}
