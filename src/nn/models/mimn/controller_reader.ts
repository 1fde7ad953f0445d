/**
 * How a candidate reads MIMN's memory in the authors' code: it goes through the controller as if it were one
 * more behaviour, and the state it would leave is thrown away. Forward and backward; for parity with that
 * code, so written for brevity and not for speed.
 *
 * ```text
 * c_q = GRU([gain·q ; r], c)    kr, βr = heads([c_q ; stopgrad(shares)])    r_q = Σ address(kr, βr)_i M_i
 * rq = clip([c_q ; r_q]·Wo + bo, ±20)
 * ```
 *
 * @module
 */

import type { Parameters, Shape } from "../../kernels/parameters.ts";
import { Addressing, type AddressInput } from "./addressing.ts";
import { fillRows } from "../../kernels/gemm.ts";
import { usageShares } from "./memory.ts";
import { RowGru } from "../../layers/memory_gru.ts";
import { Heads, LIMIT } from "./heads.ts";
import type { MemoryState } from "./memory_network.ts";
import type { MemoryReader, ReaderGradients } from "./reader.ts";
import type { Kernels } from "../../kernels/kernels.ts";
import { Scratch } from "../../kernels/scratch.ts";

// K candidates, m slots, d width of candidates and slots, Hc controller width

/** Blocks `reader.Wo` [Hc+d, d] and `reader.bo` [d]. */
export function controllerReaderShapes(width: number, controller: number): Record<string, Shape> {
  return { "reader.Wo": [controller + width, width], "reader.bo": [width] };
}

/** The reader of score mode `controller`, over {@linkcode controllerReaderShapes} and the memory's blocks. */
export class ControllerReader implements MemoryReader {
  readonly #kernels: Kernels;
  readonly #parameters: Parameters;
  readonly #slots: number;
  readonly #width: number;
  readonly #w: number;
  readonly #b: number;
  readonly #gru: RowGru;
  readonly #heads: Heads;
  readonly #addressing: Addressing;
  readonly #x: Scratch;
  readonly #reads: Scratch;
  readonly #states: Scratch;
  readonly #out: Scratch;
  readonly #dx: Scratch;
  readonly #gain: number;
  readonly #scaled: Scratch;
  readonly #dscaled: Scratch;
  readonly #dc: Float32Array;
  readonly #dheads: Float32Array;
  readonly #dweights: Float32Array;

  /** Binds the blocks; `gain` is the factor of the behaviours at the memory's input. */
  constructor(parameters: Parameters, slotKeyWeight: number, gain: number) {
    this.#kernels = parameters.kernels;
    const scratch = () => new Scratch(parameters.kernels);
    this.#x = scratch();
    this.#reads = scratch();
    this.#states = scratch();
    this.#out = scratch();
    this.#dx = scratch();
    this.#scaled = scratch();
    this.#dscaled = scratch();
    const [slots = 0, width = 0] = parameters.shapes.get("slotKeys") ?? [];
    this.#parameters = parameters;
    this.#slots = slots;
    this.#width = width;
    this.#w = parameters.offset("reader.Wo");
    this.#b = parameters.offset("reader.bo");
    this.#gain = gain;
    this.#gru = new RowGru(parameters, "controller");
    this.#heads = new Heads(parameters);
    this.#addressing = new Addressing(parameters, slotKeyWeight);
    this.#dc = parameters.kernels.floats(this.#gru.hidden);
    this.#dheads = parameters.kernels.floats(this.#heads.size);
    this.#dweights = parameters.kernels.floats(slots);
  }

  /** See {@linkcode MemoryReader.weights}. */
  get weights(): Float32Array {
    return this.#addressing.weights;
  }

  /** See {@linkcode MemoryReader.forward}. */
  forward(rq: Float32Array, K: number, q: Float32Array, state: MemoryState): void {
    const m = this.#slots, d = this.#width, H = this.#gru.hidden;
    const states = this.#states.take((K + 1) * H), x = this.#x.zeros(K * (H + d));
    const reads = this.#reads.take(K * d);
    states.set(state.controller);
    this.#gru.begin(K);
    const scaled = this.#scaled.take(K * d);
    for (let o = 0; o < scaled.length; o++) scaled[o] = this.#gain * q[o]!;
    this.#gru.addInput(0, K, scaled, 0, 0, d);
    for (let k = 0; k < K; k++) reads.set(state.read, k * d);
    this.#gru.addInput(0, K, reads, 0, d, d);
    this.#heads.begin(K);
    this.#addressing.begin(K);
    for (let k = 0; k < K; k++) {
      const { input } = this.#heads;
      this.#gru.forward(k, states, 0, (k + 1) * H);
      const c = states.subarray((k + 1) * H, (k + 2) * H);
      input.set(c, k * (H + m));
      usageShares(input, k * (H + m) + H, state.usage, 0, m);
      this.#heads.forward(k);
      this.#addressing.forward(this.#lookup(k, state));
      x.set(c, k * (H + d));
      this.#kernels.addXW(x, k * (H + d) + H, this.#addressing.weights, k * m, state.memory, 0, 1, m, d);
    }
    const out = this.#out.take(K * d), values = this.#parameters.values;
    fillRows(out, 0, values, this.#b, K, d);
    this.#kernels.addXW(out, 0, x, 0, values, this.#w, K, H + d, d);
    for (let o = 0; o < out.length; o++) rq[o]! += Math.max(-LIMIT, Math.min(LIMIT, out[o]!));
  }

  /** See {@linkcode MemoryReader.backward}. */
  backward(drq: Float32Array, _q: Float32Array, state: MemoryState, into: ReaderGradients): void {
    const m = this.#slots, d = this.#width, H = this.#gru.hidden, K = drq.length / d;
    const values = this.#parameters.values, gradients = into.parameters;
    const { memory: dmemory, read: dread, controller: dcontroller } = into.state;
    const dout = this.#out.current;
    for (let o = 0; o < dout.length; o++) dout[o] = Math.abs(dout[o]!) < LIMIT ? drq[o]! : 0;
    this.#kernels.addRowSum(gradients, this.#b, dout, 0, K, d);
    this.#kernels.addXtY(gradients, this.#w, this.#x.current, 0, dout, 0, K, H + d, d);
    const dx = this.#dx.zeros(K * (H + d));
    this.#kernels.addYWt(dx, 0, dout, 0, values, this.#w, K, H + d, d);
    this.#gru.beginBackward();
    this.#heads.beginBackward();
    for (let k = 0; k < K; k++) {
      const dc = this.#dc, dheads = this.#dheads.fill(0), dweights = this.#dweights.fill(0);
      const read = k * (H + d) + H;
      for (let j = 0; j < H; j++) dc[j] = dx[k * (H + d) + j]!;
      this.#kernels.addYWt(dweights, 0, dx, read, state.memory, 0, 1, m, d);
      this.#kernels.addXtY(dmemory, 0, this.#addressing.weights, k * m, dx, read, 1, m, d);
      this.#addressing.backward(this.#lookup(k, state), dweights, {
        ...{ keys: dheads, keysAt: 0, memory: dmemory, parameters: gradients },
      });
      this.#heads.backward(k, dheads, dc, 0);
      this.#gru.backward(k, dc, 0);
      for (let j = 0; j < H; j++) dcontroller[j]! += dc[j]!;
      this.#gru.addInputGradient(k, 1, dread, d, d);
    }
    this.#heads.finish(K, gradients);
    this.#gru.finish(K, gradients);
    this.#gru.addWeightGradient(K, this.#scaled.current, 0, d, gradients);
    this.#gru.addWeightGradient(K, this.#reads.current, d, d, gradients);
    const dscaled = this.#dscaled.zeros(K * d);
    this.#gru.addInputGradient(0, K, dscaled, 0, d);
    for (let o = 0; o < dscaled.length; o++) into.q[o]! += this.#gain * dscaled[o]!;
  }

  #lookup(k: number, { memory }: MemoryState): AddressInput {
    const { values, size } = this.#heads;
    return { row: k, n: 1, keys: values, keysAt: k * size, memory, memoryAt: 0 };
  }
}
