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
 *
 * @module
 */

import { type Column, columnsWidth, Part } from "../../layers/concat.ts";
import { unevenness } from "./memory.ts";
import type { Kernels } from "../../kernels/kernels.ts";
import { mlpShapes } from "../../layers/mlp.ts";
import { ChannelReader } from "./channels.ts";
import { inductionShapes, InductionUnit } from "./induction.ts";
import { MemoryNetwork, memoryShapes } from "./memory_network.ts";
import { KeyReader, keyReaderShapes } from "./reader.ts";
import { PLAIN } from "../../kernels/plain.ts";
import { Head } from "../core/head.ts";
import { initialise } from "../core/initialise.ts";
import { Inputs } from "../core/inputs.ts";
import { slotHealth, slotPanels } from "./health.ts";
import type { Panel } from "../core/panel.ts";
import { MimnLayout, type MimnState } from "./state.ts";
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
  readonly #rq: Part;
  readonly #v: Part;
  readonly #a: Part;
  readonly #traces: Traces;
  readonly #memory: MemoryNetwork;
  readonly #induction: InductionUnit;
  readonly #reader: KeyReader;
  readonly #channels: ChannelReader;
  readonly #head: Head;
  readonly #state: MimnState;
  readonly #dstate: MimnState;

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
    const rq = this.#rq = new Part(d, false, kernels), v = this.#v = new Part(d, false, kernels);
    const a = this.#a = new Part(d, true, kernels);
    this.#traces = new Traces(rates, d, kernels);
    const { parts: p } = this.#traces;
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
    this.#memory = new MemoryNetwork(this.parameters, { slotKeyWeight, decay });
    this.#induction = new InductionUnit(this.parameters, topK);
    this.#reader = new KeyReader(this.parameters, slotKeyWeight);
    this.#channels = new ChannelReader(this.parameters, d);
    this.#head = new Head(this.parameters, columns, dotHead ? p.map((p) => [p, q] as const) : []);
    this.#state = this.layout.view(kernels.floats(this.stateSize));
    this.#dstate = this.layout.view(kernels.floats(this.stateSize));
  }

  /** M0 and r0, and zeros. */
  initState(): Float32Array {
    const state = new Float32Array(this.stateSize);
    const { memory, read } = this.layout.view(state);
    memory.set(this.parameters.block("M0"));
    read.set(this.parameters.block("r0"));
    return state;
  }

  /** Folds one behaviour into the memory: bit for bit equal to the batch forward pass. */
  step(state: Float32Array, e: Float32Array): void {
    this.#start(state);
    this.#inputs.bindBehaviours({ T: 1, e });
    this.#fold(1, this.#inputs.e);
    state.set(this.#state.flat);
  }

  /** Logits [K]. With all behaviours in `input.state` and none in `input.e`, the cost does not depend on the history. */
  score(input: ModelInput): Float32Array {
    this.#forward(input);
    return this.#head.logits(input.K).slice();
  }

  look(input: ModelInput): Float32Array {
    this.#forward(input);
    return this.#reader.weights.slice(0, input.K * this.layout.slots);
  }

  inspect(state: Float32Array): readonly Panel[] {
    return slotPanels(slotHealth(state, this.layout));
  }

  #forward(input: ModelInput): void {
    const { T } = input;
    const { d } = this.sizes;
    this.#inputs.bind(input);
    const { e } = this.#inputs;
    this.#start(input.state);
    for (let t = 0; t < T; t += CHUNK) {
      const steps = Math.min(CHUNK, T - t);
      this.#fold(steps, e.subarray(t * d, (t + steps) * d));
    }
    this.#read(input);
  }

  loss(input: TrainingInput, gradients: Float32Array): InputGradients {
    const { T, K, weights } = input;
    this.#inputs.bind(input);
    const { e, q: { values: q } } = this.#inputs;
    this.#start(input.state);
    this.#fold(T, e);
    this.#read(input);
    const history = this.#inputs.history(input);
    const head = this.#head.loss(input, gradients);

    this.#dstate.flat.fill(0);
    const state = this.#state, dstate = this.#dstate, n = Math.max(1, state.count[0]!);
    const dq = this.#inputs.q.gradient;
    this.#reader.backward(this.#rq.gradient, q, state, { q: dq, state: dstate, parameters: gradients });
    const into = { q: dq, channels: dstate.channels, parameters: gradients };
    this.#channels.backward(this.#v.gradient, K, q, into);
    for (let j = 0; j < dstate.added.length; j++) dstate.added[j]! += this.#a.gradient[j]! / n;
    const weight = weights.reduce((sum, w) => sum + w, 0) * this.#regularisation;
    const uneven = unevenness(dstate.usage, state.usage, 0, weight);
    this.#induction.backward(dstate.channels, history.e, gradients);
    this.#memory.backward(e, dstate, history.e, gradients);
    if (input.state === undefined) this.#startBackward(gradients);
    this.#traces.backward(T, state, history.e);
    const back = this.#inputs.gradients(head, 0, 0);
    return { ...back, loss: back.loss + weight * uneven, regularisation: this.#regularisation * uneven };
  }

  /** Sets the state to start from: the given one, else M0, r0 and zeros. */
  #start(state: Float32Array | undefined): void {
    if (state !== undefined) {
      this.layout.check(state);
      return this.#state.flat.set(state);
    }
    this.#state.flat.fill(0);
    this.#state.memory.set(this.parameters.block("M0"));
    this.#state.read.set(this.parameters.block("r0"));
  }

  #startBackward(gradients: Float32Array): void {
    const { memory, read } = this.#dstate;
    const m0 = this.parameters.block("M0", gradients), r0 = this.parameters.block("r0", gradients);
    for (let o = 0; o < m0.length; o++) m0[o]! += memory[o]!;
    for (let o = 0; o < r0.length; o++) r0[o]! += read[o]!;
  }

  /** Folds T behaviours into the current state. */
  #fold(T: number, e: Float32Array): void {
    const state = this.#state;
    this.#memory.run(T, e, state);
    const { memory, weights, final } = this.#memory;
    this.#induction.run({ T, e, memory, weights }, state.channels);
    state.memory.set(final.memory);
    state.read.set(final.read);
    state.controller.set(final.controller);
    state.usage.set(final.usage);
    state.added.set(final.added);
    state.channels.set(this.#induction.channels);
    state.count[0]! += T;
    this.#traces.fold(T, e, state);
  }

  /** Fills the parts that depend on the current state. */
  #read({ K }: ModelInput): void {
    const q = this.#inputs.q.values;
    const { added, channels, count } = this.#state;
    const n = Math.max(1, count[0]!);
    this.#reader.forward(this.#rq.clear(K), K, q, this.#state);
    this.#channels.forward(this.#v.clear(K), K, q, channels);
    const a = this.#a.clear(1);
    for (let j = 0; j < a.length; j++) a[j] = added[j]! / n;
    this.#traces.read(this.#state);
  }
}

/** A memory of constant size, one step per behaviour. */
export const MIMN: ModelKind<"mimn", MimnConfig> = {
  name: "mimn",
  options: MIMN_OPTIONS,
  capabilities: CAPABILITIES,
  create: (sizes, config, random, kernels) => new Mimn(sizes, config, random, kernels),
};
