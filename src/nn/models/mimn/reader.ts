/**
 * How a candidate reads MIMN's memory, by its own key. Forward and backward.
 *
 * ```text
 * kq = tanh(q·Wq + bq)    βq = 1 + softplus(b)    wq = address(kq, βq)    rq = Σ wq_i M_i
 * ```
 */

import { sigmoid, softplus } from "../../losses/logistic.ts";
import type { Parameters, Shape } from "../../kernels/parameters.ts";
import { Addressing } from "./addressing.ts";
import { fillRows } from "../../kernels/gemm.ts";
import type { MemoryState } from "./memory_network.ts";
import { Layer } from "../../layers/layer.ts";

// K candidates, m slots, d width of candidates and slots

/** Where a reader adds its gradients. */
export interface ReaderGradients {
  /** ∂/∂q [K, d]. */
  readonly q: Float32Array;
  readonly state: MemoryState;
  /** ∂/∂parameters, flat. */
  readonly parameters: Float32Array;
}

/** Blocks `reader.Wq` [d, d], `reader.bq` [d] and `reader.beta` [1]. */
export function keyReaderShapes(width: number): Record<string, Shape> {
  return { "reader.Wq": [width, width], "reader.bq": [width], "reader.beta": [1] };
}

/** Reads the memory by each candidate's key, over the blocks of {@linkcode keyReaderShapes}. */
export class KeyReader extends Layer {
  readonly #slots = this.sizesOf("slotKeys")[0];
  readonly #width = this.sizesOf("slotKeys")[1];
  readonly #w = this.parameters.offset("reader.Wq");
  readonly #b = this.parameters.offset("reader.bq");
  readonly #beta = this.parameters.offset("reader.beta");
  readonly #addressing: Addressing;
  readonly #sums = this.scratch();
  readonly #keys = this.scratch();
  readonly #dkeys = this.scratch();
  readonly #dweights = this.scratch();

  constructor(parameters: Parameters, slotKeyWeight: number) {
    super(parameters);
    this.#addressing = new Addressing(parameters, slotKeyWeight);
  }

  /** The weight [K, m] that each q of the last `forward` gave each slot. */
  get weights(): Float32Array {
    return this.#addressing.weights;
  }

  /** Adds what q [K, d] read to rq [K, d]. */
  forward(rq: Float32Array, K: number, q: Float32Array, { memory }: MemoryState): void {
    const d = this.#width, m = this.#slots;
    const values = this.parameters.values;
    const sums = this.#sums.take(K * d), keys = this.#keys.take(K * (d + 1));
    fillRows(sums, 0, values, this.#b, K, d);
    this.kernels.addXW(sums, 0, q, 0, values, this.#w, K, d, d);
    this.kernels.tanh(sums, sums);
    const beta = 1 + softplus(values[this.#beta]!);
    for (let k = 0; k < K; k++) {
      const row = k * (d + 1);
      for (let j = 0; j < d; j++) keys[row + j] = sums[k * d + j]!;
      keys[row + d] = beta;
    }
    this.#addressing.begin(K);
    this.#addressing.forward({ row: 0, n: K, keys, keysAt: 0, memory, memoryAt: 0 });
    this.kernels.addXW(rq, 0, this.#addressing.weights, 0, memory, 0, K, m, d);
  }

  /** Given drq [K, d], adds the gradients of the `forward` before it. */
  backward(drq: Float32Array, q: Float32Array, { memory }: MemoryState, into: ReaderGradients): void {
    const d = this.#width, m = this.#slots, K = drq.length / d;
    const values = this.parameters.values, gradients = into.parameters;
    const keys = this.#keys.current, dsums = this.#sums.current;
    const dkeys = this.#dkeys.zeros(K * (d + 1)), dweights = this.#dweights.zeros(K * m);
    const dmemory = into.state.memory;
    this.kernels.addYWt(dweights, 0, drq, 0, memory, 0, K, m, d);
    this.kernels.addXtY(dmemory, 0, this.#addressing.weights, 0, drq, 0, K, m, d);
    const looked = { row: 0, n: K, keys, keysAt: 0, memory, memoryAt: 0 };
    const back = { keys: dkeys, keysAt: 0, memory: dmemory, parameters: gradients };
    this.#addressing.backward(looked, dweights, back);
    let dbeta = 0;
    for (let k = 0; k < K; k++) {
      const row = k * (d + 1);
      for (let j = 0; j < d; j++) dsums[k * d + j] = dkeys[row + j]! * (1 - keys[row + j]! * keys[row + j]!);
      dbeta += dkeys[row + d]!;
    }
    gradients[this.#beta]! += dbeta * sigmoid(values[this.#beta]!);
    this.kernels.addRowSum(gradients, this.#b, dsums, 0, K, d);
    this.kernels.addXtY(gradients, this.#w, q, 0, dsums, 0, K, d, d);
    this.kernels.addYWt(into.q, 0, dsums, 0, values, this.#w, K, d, d);
  }
}
