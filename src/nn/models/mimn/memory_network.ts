/**
 * The left net of MIMN without its induction unit: a controller that reads from and writes to a memory of m
 * slots once per behaviour, independent of the candidates (Pi et al. 2019, "Practice on Long Sequential User Behavior
 * Modeling for Click-Through Rate Prediction"), forward and backward through time.
 *
 * ```text
 * c' = GRU([e ; r], c)                      controller
 * kr, βr, kw, βw, erase, add = heads([c' ; stopgrad(shares)])       shares = g/max(1, Σg)
 * wr = address(kr, βr)                      see addressing.ts
 * w  = ww∘P/Σ(ww∘P),  ww = address(kw, βw),  P = softmax(shares·Wg)
 * r' = Σ wr_i M_i                           read before write
 * M' = M∘(1 − wᵀ·erase) + wᵀ·add            g' = ρg + w        A' = A + add
 * ```
 *
 * P damps the slots that were written most. w is renormalised so that every behaviour writes a mass of one; it
 * is computed in the equivalent form softmax(ln ww + shares·Wg).
 */

import type { Parameters, Shape } from "../../kernels/parameters.ts";
import { Addressing, type AddressInput } from "./addressing.ts";
import { gruShapes } from "../../layers/gru.ts";
import { usageShares, usageSharesBackward, write, writeBackward, type WriteInput } from "./memory.ts";
import { RowGru } from "../../layers/memory_gru.ts";
import { Heads, headShapes } from "./heads.ts";
import { Layer } from "../../layers/layer.ts";

// T steps, m slots, D = d slot and behaviour width, Hc controller width; row 2t reads, row 2t+1 writes

/** Blocks `slotKeys`, `M0` [m, D], `r0` [D], `Wg` [m, m], those of the heads and of the GRU `controller`. */
export function memoryShapes(slots: number, width: number, controller: number): Record<string, Shape> {
  return {
    slotKeys: [slots, width],
    M0: [slots, width],
    r0: [width],
    ...gruShapes("controller", 2 * width, controller),
    ...headShapes(controller, slots, width),
    Wg: [slots, slots],
  };
}

/** The part of a user's state that the memory network updates. */
export interface MemoryState {
  /** M [m, D]. */
  readonly memory: Float32Array;
  /** Read vector r [D]. */
  readonly read: Float32Array;
  /** Controller state c [Hc]. */
  readonly controller: Float32Array;
  /** Write mass g [m]. */
  readonly usage: Float32Array;
  /** Sum A of all add vectors [D]. */
  readonly added: Float32Array;
}

export interface MemoryOptions {
  /** Share of the slot keys in addressing, s in [0, 1]. */
  readonly slotKeyWeight: number;
  /** Share of the write mass that is kept per step, ρ in (0, 1]. */
  readonly decay: number;
}

/** The memory network over the blocks of {@linkcode memoryShapes}. `backward` follows a `run`. */
export class MemoryNetwork extends Layer {
  readonly #slots = this.sizesOf("slotKeys")[0];
  readonly #width = this.sizesOf("slotKeys")[1];
  readonly #wg = this.parameters.offset("Wg");
  readonly #decay: number;
  readonly #gru: RowGru;
  readonly #heads: Heads;
  readonly #addressing: Addressing;
  #T = 0;
  readonly #memory = this.scratch();
  readonly #read = this.scratch();
  readonly #controller = this.scratch();
  readonly #usage = this.scratch();
  readonly #added = this.kernels.floats(this.#width);
  readonly #dweights = this.kernels.floats(2 * this.#slots);
  readonly #dheads: Float32Array;
  readonly #dshares = this.kernels.floats(this.#slots);

  constructor(parameters: Parameters, { slotKeyWeight, decay }: MemoryOptions) {
    super(parameters);
    this.#decay = decay;
    this.#gru = new RowGru(parameters, "controller");
    this.#heads = new Heads(parameters);
    this.#addressing = new Addressing(parameters, slotKeyWeight);
    this.#dheads = this.kernels.floats(this.#heads.size);
  }

  /** Folds the behaviours e [T, d] into a copy of `start`; every step stays readable until the next call. */
  run(T: number, e: Float32Array, start: MemoryState): void {
    const m = this.#slots, D = this.#width, H = this.#gru.hidden;
    this.#T = T;
    this.#memory.take((T + 1) * m * D).set(start.memory);
    this.#read.take((T + 1) * D).set(start.read);
    this.#controller.take((T + 1) * H).set(start.controller);
    this.#usage.take((T + 1) * m).set(start.usage);
    this.#added.set(start.added);
    this.#gru.begin(T);
    this.#gru.addInput(0, T, e, 0, 0, D);
    this.#heads.begin(T);
    this.#addressing.begin(2 * T);
    for (let t = 0; t < T; t++) this.#step(t);
  }

  #step(t: number): void {
    const m = this.#slots, D = this.#width, H = this.#gru.hidden;
    const memory = this.#memory.current, read = this.#read.current, usage = this.#usage.current;
    const controller = this.#controller.current, { input } = this.#heads, { weights } = this.#addressing;
    this.#gru.addInput(t, 1, read, t * D, D, D);
    this.#gru.forward(t, controller, t * H, (t + 1) * H);

    const x = t * (H + m), shares = x + H;
    for (let j = 0; j < H; j++) input[x + j] = controller[(t + 1) * H + j]!;
    usageShares(input, shares, usage, t * m, m);
    this.#heads.forward(t);

    const reading = 2 * t * m, writing = reading + m;
    this.kernels.addXW(weights, writing, input, shares, this.parameters.values, this.#wg, 1, m, m);
    this.#addressing.forward(this.#lookup(t));
    read.fill(0, (t + 1) * D, (t + 2) * D);
    this.kernels.addXW(read, (t + 1) * D, weights, reading, memory, t * m * D, 1, m, D);
    write(memory, (t + 1) * m * D, this.#written(t));
    for (let i = 0; i < m; i++) {
      usage[(t + 1) * m + i] = this.#decay * usage[t * m + i]! + weights[writing + i]!;
    }
    const add = t * this.#heads.size + this.#heads.contentAt + D;
    for (let j = 0; j < D; j++) this.#added[j]! += this.#heads.values[add + j]!;
  }

  /** M before each step and after the last [T+1, m, D]. */
  get memory(): Float32Array {
    return this.#memory.current;
  }

  /** Read and write weights of each step [T, 2, m]. */
  get weights(): Float32Array {
    return this.#addressing.weights;
  }

  /** The state after the last step: views, valid until the next call of `run`. */
  get final(): MemoryState {
    const T = this.#T, m = this.#slots, D = this.#width, H = this.#gru.hidden;
    return {
      memory: this.#memory.current.subarray(T * m * D),
      read: this.#read.current.subarray(T * D),
      controller: this.#controller.current.subarray(T * H),
      usage: this.#usage.current.subarray(T * m),
      added: this.#added,
    };
  }

  /**
   * Given the gradients of the final state, which become those of the start, adds to de [T, d] and to the
   * parameters' gradients, except for those of M0 and r0, which the caller adds if it started from them.
   */
  backward(e: Float32Array, dstate: MemoryState, de: Float32Array, gradients: Float32Array): void {
    const T = this.#T, D = this.#width;
    this.#gru.beginBackward();
    this.#heads.beginBackward();
    for (let t = T - 1; t >= 0; t--) this.#stepBackward(t, dstate, gradients);
    this.#heads.finish(T, gradients);
    this.#gru.finish(T, gradients);
    this.#gru.addWeightGradient(T, e, 0, D, gradients);
    this.#gru.addWeightGradient(T, this.#read.current, D, D, gradients);
    this.#gru.addInputGradient(0, T, de, 0, D);
  }

  #stepBackward(t: number, dstate: MemoryState, gradients: Float32Array): void {
    const m = this.#slots, D = this.#width, H = this.#gru.hidden;
    const { memory, weights } = this;
    const { memory: dmemory, read: dread, controller: dcontroller, usage: dusage, added: dadded } = dstate;
    const dweights = this.#dweights.fill(0), dheads = this.#dheads.fill(0), dshares = this.#dshares.fill(0);
    const contentAt = this.#heads.contentAt;
    const dwrite = { memory: dmemory, weight: dweights, weightAt: m, content: dheads, contentAt };
    writeBackward(this.#written(t), dwrite);
    for (let j = 0; j < D; j++) dheads[contentAt + D + j]! += dadded[j]!;
    for (let i = 0; i < m; i++) {
      dweights[m + i]! += dusage[i]!;
      dusage[i]! *= this.#decay;
    }
    this.kernels.addYWt(dweights, 0, dread, 0, memory, t * m * D, 1, m, D);
    this.kernels.addXtY(dmemory, 0, weights, 2 * t * m, dread, 0, 1, m, D);
    const into = { keys: dheads, keysAt: 0, memory: dmemory, parameters: gradients };
    this.#addressing.backward(this.#lookup(t), dweights, into);

    const { input } = this.#heads;
    this.kernels.addXtY(gradients, this.#wg, input, t * (H + m) + H, dweights, m, 1, m, m);
    this.kernels.addYWt(dshares, 0, dweights, m, this.parameters.values, this.#wg, 1, m, m);
    usageSharesBackward(dusage, dshares, this.#usage.current, t * m, m);

    this.#heads.backward(t, dheads, dcontroller, 0);
    this.#gru.backward(t, dcontroller, 0);
    dread.fill(0);
    this.#gru.addInputGradient(t, 1, dread, D, D);
  }

  #lookup(t: number): AddressInput {
    const { values, size } = this.#heads;
    const memoryAt = t * this.#slots * this.#width;
    return { row: 2 * t, n: 2, keys: values, keysAt: t * size, memory: this.memory, memoryAt };
  }

  #written(t: number): WriteInput {
    const m = this.#slots, D = this.#width;
    const { values, size, contentAt } = this.#heads;
    return {
      memory: this.memory,
      memoryAt: t * m * D,
      weight: this.weights,
      weightAt: (2 * t + 1) * m,
      content: values,
      contentAt: t * size + contentAt,
      slots: m,
      width: D,
    };
  }
}
