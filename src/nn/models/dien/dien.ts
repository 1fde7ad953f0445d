/**
 * DIEN: interests that evolve (Zhou et al. 2019, "Deep Interest Evolution Network for Click-Through Rate
 * Prediction").
 *
 * ```text
 * h_t = GRU1(gain·e_t, h_{t−1})                      interest extractor, target-independent: the user's state
 * a_t = norm(s(h_t, q))                              attention of a candidate
 * h'_t = AUGRU(h_t, h'_{t−1}, a_t)                   interest evolution, per candidate
 * z = MLP([xu ; q ; m ; q∘m ; h'_T ; xc])            m = pool(e_1 … e_T)
 * dot head: z += ⟨Σe/√max(1,T), q⟩                  evolved dot: z += ⟨h'_T, q⟩, where H = d
 * loss += weight · auxiliary(h, e, negatives)        see auxiliary.ts
 * ```
 *
 * H hidden units in both GRUs. The update gate is scaled as in the paper (not as in the authors' code, see
 * layers/gru.ts). The default norm is `sigmoid`: with softmax the whole history writes at most one step's worth
 * into h'_T, and each new behaviour changes all earlier weights.
 *
 * @module
 */

import { type AttentionNorm, normalise, normaliseBackward } from "../../layers/attention.ts";
import { Auxiliary } from "./auxiliary.ts";
import { Bilinear, bilinearShapes } from "../../layers/bilinear.ts";
import { type Column, columnsWidth, Part } from "../../layers/concat.ts";
import { Gru, type GruRun, gruShapes } from "../../layers/gru.ts";
import type { Kernels } from "../../kernels/kernels.ts";
import { mlpShapes } from "../../layers/mlp.ts";
import { PLAIN } from "../../kernels/plain.ts";
import { pool, poolBackward, type Pooling, poolScale } from "../../layers/pool.ts";
import { Scratch } from "../../kernels/scratch.ts";
import { Head } from "../core/head.ts";
import { initialise } from "../core/initialise.ts";
import { Inputs } from "../core/inputs.ts";
import type {
  HistoryGradients,
  HistoryInput,
  InputGradients,
  Model,
  ModelInput,
  ModelSizes,
  TrainingInput,
} from "../core/model.ts";
import { Parameters } from "../../kernels/parameters.ts";
import { DIEN_OPTIONS, type DienConfig } from "./options.ts";
import type { Capabilities } from "../core/capabilities.ts";
import type { ModelKind } from "../core/kind.ts";
import { settle } from "../../../options/option.ts";

const NONE = new Float32Array(0);

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
  readonly #norm: AttentionNorm;
  readonly #gain: number;
  readonly #inputs: Inputs;
  readonly #p: Part;
  readonly #m: Part;
  readonly #final: Part;
  readonly #extractor: Gru;
  readonly #attention: Bilinear;
  readonly #attends: boolean;
  readonly #evolution: Gru;
  readonly #auxiliary: Auxiliary;
  readonly #head: Head;
  readonly #scaled: Scratch;
  readonly #dscaled: Scratch;
  readonly #dh: Scratch;
  readonly #weights: Scratch;

  /** Creates a model with initial weights drawn from `random`, uniform in [0, 1). */
  constructor(sizes: ModelSizes, config: DienConfig, random: () => number, kernels: Kernels = PLAIN) {
    const settled = settle(DIEN_OPTIONS, config);
    const { hidden, widths, pooling, norm, form, attention } = settled;
    const { inputGain, dotHead, auxiliary, auxiliaryWidths, evolvedDot } = settled;
    const { d } = sizes;
    this.sizes = sizes;
    this.#scaled = new Scratch(kernels);
    this.#dscaled = new Scratch(kernels);
    this.#dh = new Scratch(kernels);
    this.#weights = new Scratch(kernels);
    this.stateSize = hidden;
    this.#pooling = pooling;
    this.#norm = norm;
    this.#gain = inputGain;
    this.#inputs = new Inputs(sizes, kernels);
    const m = this.#m = new Part(d, true, kernels);
    this.#p = new Part(d, true, kernels);
    this.#final = new Part(hidden, false, kernels);
    const { xu, q, xc } = this.#inputs;
    const columns: Column[] = [xu, q, m, [q, m], this.#final, xc];
    this.#attends = attention !== "none";
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
    this.#extractor = new Gru(this.parameters, "gru1", "gru");
    this.#attention = new Bilinear(this.parameters, "attention");
    this.#evolution = new Gru(this.parameters, "gru2", form);
    this.#auxiliary = new Auxiliary(this.parameters, "aux", auxiliary, hidden, d);
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
    const xw = this.#extractor.project(this.#scale(e), 1);
    state.set(this.#extractor.run({ T: 1, K: 1, xw, start: state, keep: false }));
  }

  score(input: ModelInput): Float32Array {
    this.#forward(input, false);
    return this.#head.logits(input.K).slice();
  }

  look(input: ModelInput): Float32Array {
    this.#forward(input, false);
    return this.#weights.current.slice(0, input.K * input.T);
  }

  loss(input: TrainingInput, gradients: Float32Array): InputGradients {
    const { T, K, auxWeight } = input;
    const { scores, evolved, ...extraction } = this.#forward(input, true);
    const { h } = extraction;
    const { q: { values: q } } = this.#inputs;
    const history = this.#inputs.history(input);
    const head = this.#head.loss(input, gradients);

    poolBackward(this.parameters.kernels, history.e, this.#m.gradient, T, poolScale(this.#pooling, T));
    poolBackward(this.parameters.kernels, history.e, this.#p.gradient, T, poolScale("sqrt", T));
    const dh = this.#dh.zeros(T * this.stateSize);
    const evolution = this.#evolution.backward(evolved, this.#final.gradient, NONE, gradients);
    this.#evolution.projectBackward(dh, h, evolution.xw, T, gradients);
    if (this.#attends) {
      normaliseBackward(evolution.attention, this.#weights.current, scores, T, this.#norm);
      const into = { h: dh, q: this.#inputs.q.gradient, parameters: gradients };
      this.#attention.backward({ T, K, h, q }, evolution.attention, into);
    }
    const aux = this.#extractBackward(extraction, { ...history, h: dh }, auxWeight, gradients);
    return this.#inputs.gradients(head, aux, auxWeight);
  }

  /** See {@linkcode Model.historyLoss}: the extractor and its auxiliary loss, without the candidates' part. */
  historyLoss(input: HistoryInput, gradients: Float32Array): HistoryGradients {
    const { T, auxWeight } = input;
    this.#inputs.bindBehaviours(input);
    const history = this.#inputs.negativesOf(input);
    const dh = this.#dh.zeros(T * this.stateSize);
    const aux = this.#extractBackward(this.#extract(T), { ...history, h: dh }, auxWeight, gradients);
    return this.#inputs.historyGradients(aux, auxWeight);
  }

  /** The states of the bound behaviours. */
  #extract(T: number): Extraction {
    const x = this.#scale(this.#inputs.e);
    const extracted = { T, K: 1, xw: this.#extractor.project(x, T), keep: true };
    return { x, h: this.#extractor.run(extracted).subarray(this.stateSize), extracted };
  }

  /** Adds the auxiliary loss to the gradients `d` of states and behaviours, and propagates them through the extractor. */
  #extractBackward(
    { x, h, extracted }: Extraction,
    d: { readonly h: Float32Array; readonly e: Float32Array; readonly negatives: Float32Array },
    auxWeight: number,
    gradients: Float32Array,
  ): number {
    const { e, negatives } = this.#inputs;
    const { T } = extracted;
    const into = { dh: d.h, de: d.e, dnegatives: d.negatives };
    const input = { T, weight: auxWeight, h, e, negatives, ...into };
    const aux = negatives.length === 0 ? 0 : this.#auxiliary.loss(input, gradients);
    const extractor = this.#extractor.backward(extracted, NONE, d.h, gradients);
    const dx = this.#dscaled.zeros(e.length);
    this.#extractor.projectBackward(dx, x, extractor.xw, T, gradients);
    for (let o = 0; o < dx.length; o++) d.e[o]! += this.#gain * dx[o]!;
    return aux;
  }

  /** Fills the parts. @returns what the backward pass needs */
  #forward(input: ModelInput, keep: boolean): Forward {
    const { T, K } = input;
    const H = this.stateSize;
    this.#inputs.bind(input);
    const { e, q: { values: q } } = this.#inputs;
    pool(this.parameters.kernels, this.#m.clear(1), e, T, poolScale(this.#pooling, T));
    pool(this.parameters.kernels, this.#p.clear(1), e, T, poolScale("sqrt", T));
    const { x, h, extracted } = this.#extract(T);
    const scores = this.#attention.forward({ T, K, h, q });
    const attention = this.#weights.take(K * T);
    if (this.#attends) normalise(attention, scores, T, this.#norm, this.parameters.kernels);
    else attention.fill(1);
    const evolved = { T, K, xw: this.#evolution.project(h, T), attention, keep };
    const states = this.#evolution.run(evolved);
    this.#final.bind(states.subarray(states.length - K * H));
    return { x, h, scores, extracted, evolved };
  }

  #scale(e: Float32Array): Float32Array {
    const x = this.#scaled.take(e.length);
    if (this.#gain === 1) x.set(e);
    else for (let o = 0; o < x.length; o++) x[o] = this.#gain * e[o]!;
    return x;
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

interface Extraction {
  /** Extractor inputs [T, d], states [T, H]. */
  readonly x: Float32Array;
  readonly h: Float32Array;
  readonly extracted: GruRun;
}

interface Forward extends Extraction {
  /** Attention scores [K, T]. */
  readonly scores: Float32Array;
  readonly evolved: GruRun;
}
