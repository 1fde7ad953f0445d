/**
 * Base: embedding and MLP over a pooled history, the yardstick of the other models (the base model of Zhou et
 * al. 2018, "Deep Interest Network", with PReLU and one logit).
 *
 * ```text
 * s = pool(e_1 … e_T)        z = MLP([xu ; q ; s ; xc])        dot head: z += ⟨Σe/√max(1,T), q⟩
 * ```
 *
 * Left out: mini-batch-aware L2 (the embedding tables have Adagrad and expiry instead).
 */

import { type Column, columnsWidth, Part } from "../../layers/concat.ts";
import type { Kernels } from "../../kernels/kernels.ts";
import { mlpShapes } from "../../layers/mlp.ts";
import { PLAIN } from "../../kernels/plain.ts";
import { pool, poolBackward, type Pooling, poolScale } from "../../layers/pool.ts";
import { Head } from "../core/head.ts";
import { initialise } from "../core/initialise.ts";
import { Inputs } from "../core/inputs.ts";
import type { InputGradients, Model, ModelInput, ModelSizes, TrainingInput } from "../core/model.ts";
import { Parameters } from "../../kernels/parameters.ts";
import { BASE_OPTIONS, type BaseConfig } from "./options.ts";
import { type Capabilities, OF_A_SET } from "../core/capabilities.ts";
import type { ModelKind } from "../core/kind.ts";
import { settle } from "../../../options/option.ts";

const CAPABILITIES: Capabilities = OF_A_SET;

/** The base model; see {@linkcode createModel}. */
export class Base implements Model {
  readonly name = "base";
  readonly capabilities = CAPABILITIES;
  readonly sizes: ModelSizes;
  readonly parameters: Parameters;
  /** No state: the history is a set of ids. */
  readonly stateSize = 0;
  readonly #pooling: Pooling;
  readonly #inputs: Inputs;
  readonly #s: Part;
  readonly #p: Part;
  readonly #head: Head;

  /** Creates a model with initial weights drawn from `random`, uniform in [0, 1). */
  constructor(sizes: ModelSizes, config: BaseConfig, random: () => number, kernels: Kernels = PLAIN) {
    const { widths, pooling, product, dotHead } = settle(BASE_OPTIONS, config);
    this.sizes = sizes;
    this.#pooling = pooling;
    this.#inputs = new Inputs(sizes, kernels);
    this.#s = new Part(sizes.d, true, kernels);
    this.#p = new Part(sizes.d, true, kernels);
    const { xu, q, xc } = this.#inputs;
    const columns: Column[] = [xu, q, this.#s, ...(product ? [[q, this.#s] as const] : []), xc];
    this.parameters = new Parameters(mlpShapes("mlp", [columnsWidth(columns), ...widths, 1]), kernels);
    initialise(this.parameters, random);
    this.#head = new Head(this.parameters, columns, dotHead ? [[this.#p, q]] : []);
  }

  /** An empty state: the history is a set of ids. */
  initState(): Float32Array {
    return new Float32Array(0);
  }

  /** Does nothing: there is no state. */
  step(_state: Float32Array, _e: Float32Array): void {}

  score(input: ModelInput): Float32Array {
    this.#forward(input);
    return this.#head.logits(input.K).slice();
  }

  loss(input: TrainingInput, gradients: Float32Array): InputGradients {
    this.#forward(input);
    const history = this.#inputs.history(input);
    const head = this.#head.loss(input, gradients);
    const { T } = input, { kernels } = this.parameters;
    poolBackward(kernels, history.e, this.#s.gradient, T, poolScale(this.#pooling, T));
    poolBackward(kernels, history.e, this.#p.gradient, T, poolScale("sqrt", T));
    return this.#inputs.gradients(head, 0, 0);
  }

  #forward(input: ModelInput): void {
    this.#inputs.bind(input);
    const { T } = input, { kernels } = this.parameters, { e } = this.#inputs;
    pool(kernels, this.#s.clear(1), e, T, poolScale(this.#pooling, T));
    pool(kernels, this.#p.clear(1), e, T, poolScale("sqrt", T));
  }
}

/** Embedding + MLP. */
export const BASE: ModelKind<"base", BaseConfig> = {
  name: "base",
  options: BASE_OPTIONS,
  capabilities: CAPABILITIES,
  create: (sizes, config, random, kernels) => new Base(sizes, config, random, kernels),
};
