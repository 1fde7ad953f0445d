/**
 * DIEN: interests that evolve (Zhou et al. 2019, "Deep Interest Evolution Network for Click-Through Rate
 * Prediction").
 *
 * ```text
 * h_t = GRU1(gain·e_t, h_{t−1})                      extractor.ts, target-independent: the user's state
 * h'_t = AUGRU(h_t, h'_{t−1}, norm(s(h_t, q)))       evolution.ts, per candidate
 * z = MLP([xu ; q ; m ; q∘m ; h'_T ; xc])            m = pool(e_1 … e_T)
 * dot head: z += ⟨Σe/√max(1,T), q⟩                  evolved dot: z += ⟨h'_T, q⟩, where H = d
 * loss += weight · auxiliary(h, e, negatives)        see auxiliary.ts
 * ```
 *
 * H hidden units in both GRUs. The update gate is scaled as in the paper (not as in the authors' code, see
 * layers/gru.ts). The default norm is `sigmoid`: with softmax the whole history writes at most one step's worth
 * into h'_T, and each new behaviour changes all earlier weights.
 */

import type { ScoreInput } from "../../layers/attention.ts";
import { bilinearShapes } from "../../layers/bilinear.ts";
import { type Column, columnsWidth, Part } from "../../layers/concat.ts";
import { gruShapes } from "../../layers/gru.ts";
import type { Kernels } from "../../kernels/kernels.ts";
import { mlpShapes } from "../../layers/mlp.ts";
import { PLAIN } from "../../kernels/plain.ts";
import { pool, poolBackward, type Pooling, poolScale } from "../../layers/pool.ts";
import { Head } from "../core/head.ts";
import { initialise } from "../core/initialise.ts";
import { Inputs } from "../core/inputs.ts";
import type { InputGradients, Model, ModelInput, ModelSizes, TrainingInput } from "../core/model.ts";
import { Parameters } from "../../kernels/parameters.ts";
import { InterestEvolution } from "./evolution.ts";
import { InterestExtractor } from "./extractor.ts";
import { DIEN_OPTIONS, type DienConfig } from "./options.ts";
import type { Capabilities } from "../core/capabilities.ts";
import type { ModelKind } from "../core/kind.ts";
import { settle } from "../../../options/option.ts";

const CAPABILITIES: Capabilities = {
  state: true,
  lifelong: false,
  ordered: true,
  historyObjective: true,
  looks: "behaviours",
};

/** DIEN; see {@linkcode createModel}. */
export class Dien implements Model {
  readonly name = "dien";
  readonly capabilities = CAPABILITIES;
  readonly sizes: ModelSizes;
  readonly parameters: Parameters;
  /** H: the state is h_T. */
  readonly stateSize: number;
  readonly #pooling: Pooling;
  readonly #inputs: Inputs;
  readonly #p: Part;
  readonly #m: Part;
  readonly #final: Part;
  readonly #extractor: InterestExtractor;
  readonly #evolution: InterestEvolution;
  readonly #head: Head;

  /** Creates a model with initial weights drawn from `random`, uniform in [0, 1). */
  constructor(sizes: ModelSizes, config: DienConfig, random: () => number, kernels: Kernels = PLAIN) {
    const settled = settle(DIEN_OPTIONS, config);
    const { hidden, widths, pooling, norm, form, attention } = settled;
    const { inputGain: gain, dotHead, auxiliary, auxiliaryWidths, evolvedDot } = settled;
    const { d } = sizes;
    this.sizes = sizes;
    this.stateSize = hidden;
    this.#pooling = pooling;
    this.#inputs = new Inputs(sizes, kernels);
    const m = this.#m = new Part(d, true, kernels);
    this.#p = new Part(d, true, kernels);
    this.#final = new Part(hidden, false, kernels);
    const { xu, q, xc } = this.#inputs;
    const columns: Column[] = [xu, q, m, [q, m], this.#final, xc];
    this.parameters = new Parameters({
      ...gruShapes("gru1", d, hidden),
      ...bilinearShapes("attention", hidden, d),
      ...gruShapes("gru2", hidden, hidden),
      ...mlpShapes("mlp", [columnsWidth(columns), ...widths, 1]),
      ...(auxiliary === "mlp" &&
        mlpShapes("aux", [hidden + d, ...auxiliaryWidths, 1], { activation: "sigmoid" })),
    }, kernels);
    initialise(this.parameters, random);
    // Zero-initialised, so that training starts at the pooled model rather than from the noise of an untrained
    // recurrence (as zero-initialised residual branches: Goyal et al. 2017, §5.1).
    const before = sizes.user + 3 * d;
    const width = widths[0] ?? 1;
    this.parameters.block("mlp.W1").fill(0, before * width, (before + hidden) * width);
    if (hidden === d) {
      const w = this.parameters.block("attention.W").fill(0);
      for (let j = 0; j < d; j++) w[j * d + j] = 1;
    }
    this.#extractor = new InterestExtractor(this.parameters, { d, gain, auxiliary });
    this.#evolution = new InterestEvolution(this.parameters, {
      norm: attention === "none" ? null : norm,
      form,
    });
    const dots: [Part, Part][] = dotHead ? [[this.#p, q]] : [];
    if (evolvedDot && hidden === d) dots.push([this.#final, q]);
    this.#head = new Head(this.parameters, columns, dots);
  }

  /** h_0 = 0 [H]. */
  initState(): Float32Array {
    return new Float32Array(this.stateSize);
  }

  /** One step of the extractor: bit for bit equal to the batch forward pass. */
  step(state: Float32Array, e: Float32Array): void {
    this.#extractor.step(state, e);
  }

  score(input: ModelInput): Float32Array {
    this.#forward(input, false);
    return this.#head.logits(input.K).slice();
  }

  look(input: ModelInput): Float32Array {
    this.#forward(input, false);
    return this.#evolution.weights.slice(0, input.K * input.T);
  }

  loss(input: TrainingInput, gradients: Float32Array): InputGradients {
    const { T, auxWeight } = input;
    const scored = this.#forward(input, true);
    const history = this.#inputs.history(input);
    const head = this.#head.loss(input, gradients);

    const { kernels } = this.parameters;
    poolBackward(kernels, history.e, this.#m.gradient, T, poolScale(this.#pooling, T));
    poolBackward(kernels, history.e, this.#p.gradient, T, poolScale("sqrt", T));
    const dh = this.#extractor.zeros();
    const into = { h: dh, q: this.#inputs.q.gradient, parameters: gradients };
    this.#evolution.backward(scored, this.#final.gradient, into);
    const { e, negatives } = this.#inputs;
    const aux = this.#extractor.backward(dh, { e, negatives, auxWeight }, history, gradients);
    return this.#inputs.gradients(head, aux, auxWeight);
  }

  /** Fills the parts. @returns what the evolution was run on */
  #forward(input: ModelInput, keep: boolean): ScoreInput {
    const { T, K } = input;
    this.#inputs.bind(input);
    const { e, q: { values: q } } = this.#inputs;
    const { kernels } = this.parameters;
    pool(kernels, this.#m.clear(1), e, T, poolScale(this.#pooling, T));
    pool(kernels, this.#p.clear(1), e, T, poolScale("sqrt", T));
    const scored = { T, K, h: this.#extractor.run(T, e), q };
    this.#final.bind(this.#evolution.run(scored, keep));
    return scored;
  }
}

/** Interest extractor, attention and AUGRU. */
export const DIEN: ModelKind<"dien", DienConfig> = {
  name: "dien",
  options: DIEN_OPTIONS,
  capabilities: CAPABILITIES,
  remarks: ({ form }) =>
    form === "keepScaled"
      ? ["models.dien.form is keepScaled, for parity with published notebooks: attention 0 erases the state"]
      : [],
  create: (sizes, config, random, kernels) => new Dien(sizes, config, random, kernels),
};
