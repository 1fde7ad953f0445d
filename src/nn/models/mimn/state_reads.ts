/**
 * What candidates read of MIMN's state: the memory by their own key, the channels by attention, the mean of what was
 * added, and the traces. Forward and backward.
 */

import type { Parameters } from "../../kernels/parameters.ts";
import { Part } from "../../layers/concat.ts";
import type { Kernels } from "../../kernels/kernels.ts";
import { ChannelReader } from "./channels.ts";
import { KeyReader } from "./reader.ts";
import type { MimnState } from "./state.ts";
import type { Traces } from "./traces.ts";

/** The parts of the candidates' input that come from a state. */
export class ReadParts {
  /** Read of M for q [K, d]. */
  readonly rq: Part;
  /** Attention of q over S [K, d]. */
  readonly v: Part;
  /** A/max(1, n) [d]. */
  readonly a: Part;
  readonly traces: Traces;

  constructor(d: number, traces: Traces, kernels: Kernels) {
    this.rq = new Part(d, false, kernels);
    this.v = new Part(d, false, kernels);
    this.a = new Part(d, true, kernels);
    this.traces = traces;
  }
}

/** Fills the parts, and gives their gradients back. `backward` follows a `forward`. */
export class StateReads {
  readonly #parts: ReadParts;
  readonly #reader: KeyReader;
  readonly #channels: ChannelReader;

  constructor(parts: ReadParts, parameters: Parameters, slotKeyWeight: number) {
    this.#parts = parts;
    this.#reader = new KeyReader(parameters, slotKeyWeight);
    this.#channels = new ChannelReader(parameters, parts.rq.width);
  }

  /** How much each candidate reads each slot [K, m]. */
  get weights(): Float32Array {
    return this.#reader.weights;
  }

  /** Fills the parts for q [K, d]. */
  forward(K: number, q: Float32Array, state: MimnState): void {
    const { rq, v, a, traces } = this.#parts;
    this.#reader.forward(rq.clear(K), K, q, state);
    this.#channels.forward(v.clear(K), K, q, state.channels);
    const mean = a.clear(1), n = Math.max(1, state.count[0]!);
    for (let j = 0; j < mean.length; j++) mean[j] = state.added[j]! / n;
    traces.read(state);
  }

  /** Given the gradients of the parts, adds to dq [K, d], the state's and the parameters' gradients. */
  backward(
    K: number,
    q: Float32Array,
    state: MimnState,
    into: { readonly q: Float32Array; readonly state: MimnState; readonly parameters: Float32Array },
  ): void {
    const { rq, v, a } = this.#parts;
    this.#reader.backward(rq.gradient, q, state, into);
    const { q: dq, state: dstate, parameters } = into;
    this.#channels.backward(v.gradient, K, q, { q: dq, channels: dstate.channels, parameters });
    const n = Math.max(1, state.count[0]!);
    for (let j = 0; j < dstate.added.length; j++) dstate.added[j]! += a.gradient[j]! / n;
  }
}
