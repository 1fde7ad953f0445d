/**
 * MIMN: a memory of constant size instead of a history (Pi et al. 2019, "Practice on Long Sequential User
 * Behavior Modeling for Click-Through Rate Prediction"), with its user interest centre: `step` folds a
 * behaviour into the user's state when it happens; `score` needs the state and no history.
 *
 * ```text
 * M, r, c, g, A = memory network of e_1 … e_T                        see memory_network.ts
 * S = induction unit                                                 see induction.ts
 * rq = read of M for q    v = attention of q over S
 * p = pooled history, for each trace                                see traces.ts
 * z = MLP([xu ; q ; rq ; v ; q∘A/max(1,n) ; q∘v ; xc])               keepPooled: and each [p ; q∘p]
 * dot head: z += Σ ⟨p, q⟩
 * loss += Σ weights · λ·Σ_i (g_i/Σg − 1/m)²                          utilisation regularisation
 * ```
 *
 * m slots as wide as a behaviour. A training window may start from a stored state, a constant without
 * gradient (mode S); without one it starts from the trained M0 and r0 (mode R). Left out: the authors' shift
 * and sharpening of the write weight (P rebalances it, as in the paper), their way of reading (a candidate goes
 * through the controller as one more behaviour), their bug that forgets the channels
 * that the last behaviour did not choose, and DIEN's auxiliary loss, which they also try.
 */

import { type Column, columnsWidth } from "../../layers/concat.ts";
import { unevenness } from "./memory.ts";
import type { Kernels } from "../../kernels/kernels.ts";
import { mlpShapes } from "../../layers/mlp.ts";
import { inductionShapes } from "./induction.ts";
import { memoryShapes } from "./memory_network.ts";
import { keyReaderShapes } from "./reader.ts";
import { Recurrence } from "./recurrence.ts";
import { ReadParts, StateReads } from "./state_reads.ts";
import { PLAIN } from "../../kernels/plain.ts";
import { Head } from "../core/head.ts";
import { initialise } from "../core/initialise.ts";
import { Inputs } from "../core/inputs.ts";
import { slotHealth, slotPanels } from "./health.ts";
import type { Panel } from "../core/panel.ts";
import { MimnLayout } from "./state.ts";
import { Traces } from "./traces.ts";
import type { InputGradients, Model, ModelInput, ModelSizes, TrainingInput } from "../core/model.ts";
import { Parameters } from "../../kernels/parameters.ts";
import { MIMN_OPTIONS, type MimnConfig } from "./options.ts";
import type { Capabilities } from "../core/capabilities.ts";
import type { ModelKind } from "../core/kind.ts";
import { settle } from "../../../options/option.ts";

/**
 * Initial sharpness β of the memory's heads: the larger, the fewer slots a behaviour reads and writes. If it is low,
 * all slots get the same writes and become alike.
 */
const SHARPNESS = 26;
/** Steps that `score` folds at a time, to bound the memory that a long history takes. */
const CHUNK = 128;

const CAPABILITIES: Capabilities = {
  state: true,
  lifelong: true,
  ordered: true,
  historyObjective: false,
  looks: "slots",
};

/** MIMN; see {@linkcode createModel}. */
export class Mimn implements Model {
  readonly name = "mimn";
  readonly capabilities = CAPABILITIES;
  readonly sizes: ModelSizes;
  readonly parameters: Parameters;
  /** M, r, c, g, A, S, n and, for the pooled parts, the sums. */
  readonly stateSize: number;
  readonly stretches: readonly number[];
  /** Where the parts of a state are. */
  readonly layout: MimnLayout;
  readonly #regularisation: number;
  readonly #inputs: Inputs;
  readonly #recurrence: Recurrence;
  readonly #reads: StateReads;
  readonly #head: Head;

  /** Creates a model with initial weights drawn from `random`, uniform in [0, 1). */
  constructor(sizes: ModelSizes, config: MimnConfig, random: () => number, kernels: Kernels = PLAIN) {
    const settled = settle(MIMN_OPTIONS, config);
    const { slots, hidden, topK, slotKeyWeight, decay, regularisation } = settled;
    const { widths, keepPooled, dotHead, induction } = settled;
    const { d } = sizes;
    const rates = keepPooled || dotHead ? settled.traces : [];
    this.sizes = sizes;
    this.layout = new MimnLayout({ slots, width: d, controller: hidden, traces: rates.length });
    this.stateSize = this.layout.size;
    this.stretches = this.layout.stretches;
    this.#regularisation = regularisation;
    this.#inputs = new Inputs(sizes, kernels);
    const traces = new Traces(rates, d, kernels), reads = new ReadParts(d, traces, kernels);
    const { rq, v, a, traces: { parts: p } } = reads;
    const { xu, q, xc } = this.#inputs;
    const columns: Column[] = [
      xu,
      q,
      rq,
      ...(induction ? [v] : []),
      [q, a],
      ...(induction ? [[q, v] as const] : []),
      ...(keepPooled ? p.flatMap((p): Column[] => [p, [q, p]]) : []),
      xc,
    ];
    this.parameters = new Parameters({
      ...memoryShapes(slots, d, hidden),
      ...inductionShapes(d),
      ...keyReaderShapes(d),
      "reader.W": [d, d],
      ...mlpShapes("mlp", [columnsWidth(columns), ...widths, 1]),
    }, kernels);
    initialise(this.parameters, random);
    const bp = this.parameters.block("bp");
    bp[d] = bp[2 * d + 1] = Math.log(Math.expm1(SHARPNESS / 2 - 1)); // β = 2(1 + softplus(bp))
    const wg = this.parameters.block("Wg").fill(0);
    for (let i = 0; i < slots; i++) wg[i * slots + i] = -4;
    const w = this.parameters.block("reader.W").fill(0);
    for (let j = 0; j < d; j++) w[j * d + j] = 1;
    this.#recurrence = new Recurrence(this.parameters, this.layout, traces, { slotKeyWeight, decay, topK });
    this.#reads = new StateReads(reads, this.parameters, slotKeyWeight);
    this.#head = new Head(this.parameters, columns, dotHead ? p.map((p) => [p, q] as const) : []);
  }

  /** M0 and r0, and zeros. */
  initState(): Float32Array {
    this.#recurrence.start(undefined);
    return this.#recurrence.state.flat.slice();
  }

  /** Folds one behaviour into the memory: bit for bit equal to the batch forward pass. */
  step(state: Float32Array, e: Float32Array): void {
    this.#recurrence.start(state);
    this.#inputs.bindBehaviours({ T: 1, e });
    this.#recurrence.fold(1, this.#inputs.e);
    state.set(this.#recurrence.state.flat);
  }

  /** Logits [K]. With all behaviours in `input.state` and none in `input.e`, the cost does not depend on the history. */
  score(input: ModelInput): Float32Array {
    this.#forward(input);
    return this.#head.logits(input.K).slice();
  }

  look(input: ModelInput): Float32Array {
    this.#forward(input);
    return this.#reads.weights.slice(0, input.K * this.layout.slots);
  }

  inspect(state: Float32Array): readonly Panel[] {
    return slotPanels(slotHealth(state, this.layout));
  }

  #forward(input: ModelInput): void {
    const { T, K } = input;
    const { d } = this.sizes;
    this.#inputs.bind(input);
    const { e, q: { values: q } } = this.#inputs;
    this.#recurrence.start(input.state);
    for (let t = 0; t < T; t += CHUNK) {
      const steps = Math.min(CHUNK, T - t);
      this.#recurrence.fold(steps, e.subarray(t * d, (t + steps) * d));
    }
    this.#reads.forward(K, q, this.#recurrence.state);
  }

  loss(input: TrainingInput, gradients: Float32Array): InputGradients {
    const { T, K, weights } = input;
    this.#inputs.bind(input);
    const { e, q: { values: q, gradient: dq } } = this.#inputs;
    const { state, gradient } = this.#recurrence;
    this.#recurrence.start(input.state);
    this.#recurrence.fold(T, e);
    this.#reads.forward(K, q, state);
    const history = this.#inputs.history(input);
    const head = this.#head.loss(input, gradients);

    gradient.flat.fill(0);
    this.#reads.backward(K, q, state, { q: dq, state: gradient, parameters: gradients });
    const weight = weights.reduce((sum, w) => sum + w, 0) * this.#regularisation;
    const uneven = unevenness(gradient.usage, state.usage, 0, weight);
    this.#recurrence.backward(T, e, history.e, gradients);
    const back = this.#inputs.gradients(head, 0, 0);
    return { ...back, loss: back.loss + weight * uneven, regularisation: this.#regularisation * uneven };
  }
}

/** A memory of constant size, one step per behaviour. */
export const MIMN: ModelKind<"mimn", MimnConfig> = {
  name: "mimn",
  options: MIMN_OPTIONS,
  capabilities: CAPABILITIES,
  create: (sizes, config, random, kernels) => new Mimn(sizes, config, random, kernels),
};
