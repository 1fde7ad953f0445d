/**
 * DIN: attention over the history for each candidate (Zhou et al. 2018, "Deep Interest Network").
 *
 * ```text
 * g_t = unit([q ; e_t ; q−e_t ; q∘e_t])      w = norm(g)      v = Σ w_t e_t · 1/√max(1,T)   (softmax: · 1)
 * z = MLP([xu ; q ; v ; q∘v ; xc])           keepPooled: p = Σe/√max(1,T) and q∘p after q∘v
 * dot head: z += ⟨p, q⟩ + ⟨v, q⟩
 * ```
 *
 * The paper's weights are `linear`; `sigmoid` keeps the intensity of an interest as well and is bounded;
 * `softmax` is the authors' code. Left out: mini-batch-aware L2, and Dice in favour of PReLU.
 */

import { ActivationUnit, activationUnitShapes } from "../../layers/activation_unit.ts";
import { type AttentionNorm, normalise, normaliseBackward } from "../../layers/attention.ts";
import { type Column, columnsWidth, Part } from "../../layers/concat.ts";
import type { Kernels } from "../../kernels/kernels.ts";
import { mlpShapes } from "../../layers/mlp.ts";
import { PLAIN } from "../../kernels/plain.ts";
import { pool, poolBackward, poolScale } from "../../layers/pool.ts";
import { Scratch } from "../../kernels/scratch.ts";
import { Head } from "../core/head.ts";
import { initialise } from "../core/initialise.ts";
import { Inputs } from "../core/inputs.ts";
import type { InputGradients, Model, ModelInput, ModelSizes, TrainingInput } from "../core/model.ts";
import { Parameters } from "../../kernels/parameters.ts";
import { DIN_OPTIONS, type DinConfig } from "./options.ts";
import { type Capabilities, OF_A_SET } from "../core/capabilities.ts";
import type { ModelKind } from "../core/kind.ts";
import { settle } from "../../../options/option.ts";

const CAPABILITIES: Capabilities = { ...OF_A_SET, looks: "behaviours" };

/** DIN; see {@linkcode createModel}. */
class Din implements Model {
  readonly name = "din";
  readonly capabilities = CAPABILITIES;
  readonly sizes: ModelSizes;
  readonly parameters: Parameters;
  /** No state: the history is a set of ids. */
  readonly stateSize = 0;
  readonly #norm: AttentionNorm;
  readonly #inputs: Inputs;
  readonly #p: Part;
  readonly #v: Part;
  readonly #attention: ActivationUnit;
  readonly #head: Head;
  readonly #weights: Scratch;
  readonly #dweights: Scratch;

  /** Creates a model with initial weights drawn from `random`, uniform in [0, 1). */
  constructor(sizes: ModelSizes, config: DinConfig, random: () => number, kernels: Kernels = PLAIN) {
    const { widths, attentionWidths, norm, keepPooled, dotHead } = settle(DIN_OPTIONS, config);
    this.sizes = sizes;
    this.#weights = new Scratch(kernels);
    this.#dweights = new Scratch(kernels);
    this.#norm = norm;
    this.#inputs = new Inputs(sizes, kernels);
    const p = this.#p = new Part(sizes.d, true, kernels);
    const v = this.#v = new Part(sizes.d, false, kernels);
    const { xu, q, xc } = this.#inputs;
    const columns: Column[] = [xu, q, v, [q, v], ...(keepPooled ? [p, [q, p] as const] : []), xc];
    this.parameters = new Parameters({
      ...activationUnitShapes("attention", sizes.d, attentionWidths),
      ...mlpShapes("mlp", [columnsWidth(columns), ...widths, 1]),
    }, kernels);
    initialise(this.parameters, random);
    this.#attention = new ActivationUnit(this.parameters, "attention");
    this.#head = new Head(this.parameters, columns, dotHead ? [[p, q], [v, q]] : []);
  }

  /** An empty state: the history is a set of ids. */
  initState(): Float32Array {
    return new Float32Array(0);
  }

  /** Does nothing: there is no state. */
  step(_state: Float32Array, _e: Float32Array): void {}

  score(input: ModelInput): Float32Array {
    this.#forward(input, false);
    return this.#head.logits(input.K).slice();
  }

  look(input: ModelInput): Float32Array {
    this.#forward(input, false);
    return this.#weights.current.slice(0, input.K * input.T);
  }

  loss(input: TrainingInput, gradients: Float32Array): InputGradients {
    const { T, K } = input;
    const { d } = this.sizes;
    const scores = this.#forward(input, true);
    const { e, q: { values: q } } = this.#inputs;
    const weights = this.#weights.current;
    const history = this.#inputs.history(input);
    const head = this.#head.loss(input, gradients);

    poolBackward(this.parameters.kernels, history.e, this.#p.gradient, T, poolScale("sqrt", T));
    const dv = this.#v.gradient;
    const scale = this.#scale(T);
    for (let o = 0; o < dv.length; o++) dv[o]! *= scale;
    this.parameters.kernels.addXtY(history.e, 0, weights, 0, dv, 0, K, T, d);
    const dweights = this.#dweights.zeros(K * T);
    this.parameters.kernels.addYWt(dweights, 0, dv, 0, e, 0, K, T, d);
    normaliseBackward(dweights, weights, scores, T, this.#norm);
    const into = { h: history.e, q: this.#inputs.q.gradient, parameters: gradients };
    this.#attention.backward({ T, K, h: e, q }, dweights, into);
    return this.#inputs.gradients(head, 0, 0);
  }

  /** Fills p and v; returns the scores [K, T]. */
  #forward(input: ModelInput, keep: boolean): Float32Array {
    const { T, K } = input;
    this.#inputs.bind(input);
    const { e, q: { values: q } } = this.#inputs;
    pool(this.parameters.kernels, this.#p.clear(1), e, T, poolScale("sqrt", T));
    const scores = this.#attention.forward({ T, K, h: e, q }, keep);
    const weights = this.#weights.take(K * T);
    normalise(weights, scores, T, this.#norm, this.parameters.kernels);
    const v = this.#v.clear(K);
    this.parameters.kernels.addXW(v, 0, weights, 0, e, 0, K, T, this.sizes.d);
    const scale = this.#scale(T);
    for (let o = 0; o < v.length; o++) v[o]! *= scale;
    return scores;
  }

  /** Factor of v, which would grow with T where the weights do not sum to one. */
  #scale(T: number): number {
    return this.#norm === "softmax" ? 1 : poolScale("sqrt", T);
  }
}

/** Attention over the history. */
export const DIN: ModelKind<"din", DinConfig> = {
  name: "din",
  options: DIN_OPTIONS,
  capabilities: CAPABILITIES,
  create: (sizes, config, random, kernels) => new Din(sizes, config, random, kernels),
};
