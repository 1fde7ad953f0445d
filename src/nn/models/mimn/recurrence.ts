/** MIMN's fold: behaviours into a user's state, and the gradient of the state back to them. */

import type { Parameters } from "../../kernels/parameters.ts";
import { InductionUnit } from "./induction.ts";
import { MemoryNetwork, type MemoryOptions } from "./memory_network.ts";
import type { MimnLayout, MimnState } from "./state.ts";
import type { Traces } from "./traces.ts";

/** Memory network, induction unit and traces over one current state. `backward` follows one `start` and one `fold`. */
export class Recurrence {
  /** The current state. */
  readonly state: MimnState;
  /** Its gradient, to which readers add. */
  readonly gradient: MimnState;
  readonly #parameters: Parameters;
  readonly #layout: MimnLayout;
  readonly #memory: MemoryNetwork;
  readonly #induction: InductionUnit;
  readonly #traces: Traces;
  /** Whether the current state started from M0 and r0. */
  #isWhole = true;

  constructor(
    parameters: Parameters,
    layout: MimnLayout,
    traces: Traces,
    { topK, ...options }: MemoryOptions & { readonly topK: number },
  ) {
    this.state = layout.view(parameters.kernels.floats(layout.size));
    this.gradient = layout.view(parameters.kernels.floats(layout.size));
    this.#parameters = parameters;
    this.#layout = layout;
    this.#memory = new MemoryNetwork(parameters, options);
    this.#induction = new InductionUnit(parameters, topK);
    this.#traces = traces;
  }

  /** Sets the state to start from: the given one, else M0, r0 and zeros. @throws TypeError when it has another length */
  start(state: Float32Array | undefined): void {
    this.#isWhole = state === undefined;
    if (state !== undefined) {
      this.#layout.check(state);
      return this.state.flat.set(state);
    }
    this.state.flat.fill(0);
    this.state.memory.set(this.#parameters.block("M0"));
    this.state.read.set(this.#parameters.block("r0"));
  }

  /** Folds the behaviours e [T, d] into the current state. */
  fold(T: number, e: Float32Array): void {
    const { state } = this;
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

  /** Given the gradient of the state, adds to `de` [T, d] and the parameters' gradients. A given start gets none. */
  backward(T: number, e: Float32Array, de: Float32Array, gradients: Float32Array): void {
    const { state, gradient } = this;
    this.#induction.backward(gradient.channels, de, gradients);
    this.#memory.backward(e, gradient, de, gradients);
    if (this.#isWhole) {
      add(this.#parameters.block("M0", gradients), gradient.memory);
      add(this.#parameters.block("r0", gradients), gradient.read);
    }
    this.#traces.backward(T, state, de);
  }
}

function add(to: Float32Array, values: Float32Array): void {
  for (let o = 0; o < to.length; o++) to[o]! += values[o]!;
}
