/**
 * The networks alone: click models with hand-written backward passes, the kernels that compute them, embedding tables
 * that grow, losses for sampled or delayed clicks, and optimisers. Pure.
 *
 * Symbols: T behaviours, K candidates, d width of an item vector, U user input, C context input. All matrices are
 * row-major `Float32Array`.
 *
 * @example DIN learns that its candidate is liked.
 * ```ts
 * import assert from "node:assert/strict";
 * import { Adagrad, createModel, mulberry32, type TrainingInput } from "@meander/meander/nn";
 *
 * const random = mulberry32(1);
 * const model = createModel("din", { d: 4, user: 2, context: 1 }, { widths: [8] }, random);
 * const floats = (length: number) => Float32Array.from({ length }, () => 2 * random() - 1);
 * const input: TrainingInput = {
 *   T: 3, // behaviours
 *   K: 2, // candidates
 *   e: floats(3 * 4),
 *   q: floats(2 * 4),
 *   xu: floats(2),
 *   xc: floats(2 * 1),
 *   wide: new Float32Array(2),
 *   labels: new Float32Array([1, 0]),
 *   weights: new Float32Array([0.5, 0.5]),
 *   negatives: new Float32Array(0),
 *   auxWeight: 0,
 * };
 *
 * const { values } = model.parameters;
 * const optimiser = new Adagrad(values.length);
 * for (let step = 0; step < 100; step++) {
 *   const gradients = new Float32Array(values.length);
 *   model.loss(input, gradients);
 *   optimiser.step(values, gradients);
 * }
 * const [liked = 0, other = 0] = model.score(input);
 * assert.ok(liked > 0 && other < 0);
 * ```
 *
 * @module
 */

// Models.
export {
  createModel,
  MODEL_NAMES,
  type ModelConfigs,
  type ModelName,
  MODELS,
} from "./src/nn/models/registry.ts";
export type { Capabilities } from "./src/nn/models/core/capabilities.ts";
export type { ModelKind } from "./src/nn/models/core/kind.ts";
export type { Bounds, Declared, Option, OptionKind, OptionsOf, Reach } from "./src/options/option.ts";
export type {
  InputGradients,
  Model,
  ModelInput,
  ModelSizes,
  TrainingInput,
} from "./src/nn/models/core/model.ts";
export type { BaseConfig } from "./src/nn/models/base/options.ts";
export type { DinConfig } from "./src/nn/models/din/options.ts";
export type { DienConfig } from "./src/nn/models/dien/options.ts";
export type { MimnConfig } from "./src/nn/models/mimn/options.ts";
export { type Inspection, meanPanels, type Panel } from "./src/nn/models/core/panel.ts";

// Weights, and what computes with them.
export { Parameters, type Shape } from "./src/nn/kernels/parameters.ts";
export { createKernels, type KernelChoice, resolveKernels } from "./src/nn/kernels/choose.ts";
export { KERNEL_NAMES, type KernelName, type Kernels, type Product } from "./src/nn/kernels/kernels.ts";
export type { Gate, GruBackSteps, GruSteps } from "./src/nn/kernels/gru_steps.ts";
export type { AttentionNorm } from "./src/nn/layers/attention.ts";
export type { AuxiliaryScore } from "./src/nn/models/dien/auxiliary.ts";
export type { AttentionalForm } from "./src/nn/layers/gru.ts";
export type { Pooling } from "./src/nn/layers/pool.ts";

// Embeddings.
export { EmbeddingTable, type EmbeddingTableOptions } from "./src/embeddings/table.ts";
export { ServingTable } from "./src/embeddings/serving_table.ts";

// Losses.
export { logisticLoss, type RowLoss, sigmoid, softplus } from "./src/nn/losses/logistic.ts";
export { lateClickWeight } from "./src/nn/losses/delayed.ts";
export { samplingOffset } from "./src/nn/losses/log_odds.ts";

// Optimisers.
export { clipByGlobalNorm, type Optimiser } from "./src/nn/optimisers/optimiser.ts";
export { Adagrad, type AdagradOptions, type RowAdagradOptions } from "./src/nn/optimisers/adagrad.ts";
export { Adam, type AdamOptions } from "./src/nn/optimisers/adam.ts";

// Random numbers by seed.
export { mulberry32 } from "./src/draws/random.ts";
