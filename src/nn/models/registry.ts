/** Models by name. */

import { isOneOf } from "../../values/one_of.ts";
import { keysOf } from "../../values/record.ts";
import { createKernels } from "../kernels/choose.ts";
import type { Kernels } from "../kernels/kernels.ts";
import { BASE } from "./base/base.ts";
import type { Capabilities } from "./core/capabilities.ts";
import type { ModelKind } from "./core/kind.ts";
import type { Model, ModelSizes } from "./core/model.ts";
import { DIEN } from "./dien/dien.ts";
import { DIN } from "./din/din.ts";
import { MIMN } from "./mimn/mimn.ts";

/** All models by name, simplest first. Outside its folder, a new one needs this line and its config type in `nn.ts`. */
export const MODELS = { base: BASE, din: DIN, dien: DIEN, mimn: MIMN } as const;

/** Name of a model in the registry. */
export type ModelName = keyof typeof MODELS;

/** The options of each model. */
export type ModelConfigs = {
  readonly [N in ModelName]: (typeof MODELS)[N] extends ModelKind<string, infer C> ? C : never;
};

/** The names of all models, simplest first. */
export const MODEL_NAMES: readonly ModelName[] = keysOf(MODELS);

/** The default model of commands. */
export const DEFAULT_MODEL: ModelName = DIEN.name;

/** The names, in Markdown, of the models with a capability, for the descriptions of options. */
export function modelsThat(has: (capabilities: Capabilities) => boolean): string {
  const names = MODEL_NAMES.filter((name) => has(MODELS[name].capabilities)).map((name) => `\`${name}\``);
  return [names.slice(0, -1).join(", "), ...names.slice(-1)].filter((part) => part !== "").join(" and ");
}

/** The kind with this name; a kind is returned as is. @throws RangeError when there is no such name */
export function kindOf(model: ModelName | ModelKind): ModelKind {
  return typeof model === "string" ? MODELS[modelName(model)] : model;
}

/** Narrows a name to that of a model. @throws RangeError when there is no such model */
export function modelName(model: string): ModelName {
  if (isOneOf(MODEL_NAMES, model)) return model;
  throw new RangeError(`Cannot take ${model} as the name of a model: names are ${MODEL_NAMES.join(", ")}`);
}

/**
 * Creates a model with fresh weights: Glorot uniform matrices, zero biases, PReLU slopes 0.1. Exceptions: bilinear
 * attention starts as the identity where it is square; DIEN's output MLP with zeros for the evolved state; MIMN's
 * rebalancing Wg as −4 times the identity, and its heads with a sharpness of 26.
 *
 * @param sizes widths of its inputs; for a feature schema, those of `modelSizes()`
 * @param config its options; `{}` takes all defaults
 * @param random uniform in [0, 1); the same numbers give the same weights, bit for bit
 * @param kernels its arithmetic: by default the fastest that this machine runs, with a memory of the model's own
 * @throws RangeError when there is no such model, or options do not fit the sizes
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { createModel } from "@meander/meander/nn";
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
  return kindOf(name).create(sizes, config, random, kernels);
}
