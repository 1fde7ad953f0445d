/**
 * The GRU in the paper's convention and its attentional variants, forward and backward through time.
 *
 * u is the *write* gate (Zhou et al. 2019, "Deep Interest Evolution Network"):
 *
 * ```text
 * u = σ(xWu + hUu + bu)    r = σ(xWr + hUr + br)
 * c = tanh(xWc + r∘(hUc) + bc)        reset after the product; "before": (r∘h)Uc
 * h' = (1−g)∘h + g∘c                  g: the effective write gate, below
 * ```
 *
 * | form | g | reset | remark |
 * | --- | --- | --- | --- |
 * | gru | u | after | |
 * | augru | a·u | after | the DIEN paper: a = 0 keeps h, a = 1 is the GRU |
 * | agru | a | after | Wu, Uu, bu take no part |
 * | aigru | u | after | the input is a·x |
 * | gruResetBefore, augruResetBefore | u, a·u | before | TF1's cell |
 * | official | 1−(1−a)u | before | the authors' code: u keeps; a = 0 still writes |
 * | keepScaled | 1−a·u | before | a common mistake: a = 0 *erases*; for ablations only |
 *
 * All are g = α + βu with α, β linear in a, so one loop serves them.
 *
 * @module
 */

import type { Parameters, Shape } from "../models/parameters.ts";
import { exp } from "./exp.ts";
import { addXtY, addXW, addYWt } from "./gemm.ts";
import { Scratch } from "./scratch.ts";

// T steps, K lanes (candidates that share the inputs), H hidden, n inputs; gates in the order u, r, c

/** Forms with an attention a in [0,1] per lane and step. */
export type AttentionalForm = "augru" | "agru" | "aigru" | "augruResetBefore" | "official" | "keepScaled";

/** A form of {@linkcode Gru}. */
export type GruForm = "gru" | "gruResetBefore" | AttentionalForm;

/** g = (alpha0 + alpha1·a) + (beta0 + beta1·a)·u; the input is scaled by a where `scaled`. */
interface Gate {
  readonly alpha0: number;
  readonly alpha1: number;
  readonly beta0: number;
  readonly beta1: number;
  readonly scaled: boolean;
  readonly before: boolean;
}

const GATES: Readonly<Record<GruForm, Gate>> = {
  gru: { alpha0: 0, alpha1: 0, beta0: 1, beta1: 0, scaled: false, before: false },
  augru: { alpha0: 0, alpha1: 0, beta0: 0, beta1: 1, scaled: false, before: false },
  agru: { alpha0: 0, alpha1: 1, beta0: 0, beta1: 0, scaled: false, before: false },
  aigru: { alpha0: 0, alpha1: 0, beta0: 1, beta1: 0, scaled: true, before: false },
  gruResetBefore: { alpha0: 0, alpha1: 0, beta0: 1, beta1: 0, scaled: false, before: true },
  augruResetBefore: { alpha0: 0, alpha1: 0, beta0: 0, beta1: 1, scaled: false, before: true },
  official: { alpha0: 1, alpha1: 0, beta0: -1, beta1: 1, scaled: false, before: true },
  keepScaled: { alpha0: 1, alpha1: 0, beta0: 0, beta1: -1, scaled: false, before: true },
};

/** Blocks `W` [n, 3H], `U` [H, 3H] and `b` [3H] under a prefix; columns u, r, c. */
export function gruShapes(prefix: string, inputs: number, hidden: number): Record<string, Shape> {
  return {
    [`${prefix}.W`]: [inputs, 3 * hidden],
    [`${prefix}.U`]: [hidden, 3 * hidden],
    [`${prefix}.b`]: [3 * hidden],
  };
}

/** What {@linkcode Gru.run} folds. */
export interface GruRun {
  /** Steps T. */
  readonly T: number;
  /** Lanes K. */
  readonly K: number;
  /** Projected inputs x·W of {@linkcode Gru.project} [T, 3H], shared by the lanes. */
  readonly xw: Float32Array;
  /** Start states [K, H]; zeros when absent. */
  readonly start?: Float32Array;
  /** Attention [K, T]; needed by the attentional forms only. */
  readonly attention?: Float32Array;
  /** Keep every step for `backward`; otherwise only the newest state is held. */
  readonly keep: boolean;
}

/** Gradients that come back from {@linkcode Gru.backward}; valid until the next call. */
export interface GruGradients {
  /** ∂/∂(x·W) [T, 3H], summed over the lanes. */
  readonly xw: Float32Array;
  /** ∂/∂attention [K, T]; zeros for a form without. */
  readonly attention: Float32Array;
  /** ∂/∂start [K, H]. */
  readonly start: Float32Array;
}

const NONE = new Float32Array(0);

/** A GRU over the blocks of {@linkcode gruShapes}. `backward` belongs to the kept `run` before it. */
export class Gru {
  /** Hidden width H. */
  readonly hidden: number;
  readonly #parameters: Parameters;
  readonly #gate: Gate;
  readonly #inputs: number;
  readonly #w: number;
  readonly #u: number;
  readonly #b: number;
  readonly #xw = new Scratch();
  readonly #states = new Scratch();
  readonly #gates = new Scratch();
  readonly #products = new Scratch();
  readonly #back = new Scratch();
  readonly #dxw = new Scratch();
  readonly #dattention = new Scratch();
  readonly #dstate = new Scratch();
  readonly #dbias: Float32Array;
  readonly #input: Float64Array;

  /** Binds the blocks under `prefix`. */
  constructor(parameters: Parameters, prefix: string, form: GruForm) {
    const [inputs = 0, width = 0] = parameters.shapes.get(`${prefix}.W`) ?? [];
    this.hidden = width / 3;
    this.#inputs = inputs;
    this.#parameters = parameters;
    this.#gate = GATES[form];
    this.#w = parameters.offset(`${prefix}.W`);
    this.#u = parameters.offset(`${prefix}.U`);
    this.#b = parameters.offset(`${prefix}.b`);
    this.#dbias = new Float32Array(width);
    this.#input = new Float64Array(width);
  }

  /** x·W [T, 3H] of the inputs x [T, n], in one product; valid until the next call. */
  project(x: Float32Array, T: number): Float32Array {
    const xw = this.#xw.zeros(T * 3 * this.hidden);
    addXW(xw, 0, x, 0, this.#parameters.values, this.#w, T, this.#inputs, 3 * this.hidden);
    return xw;
  }

  /** Backward of {@linkcode Gru.project}: adds to ∂/∂W, and to dx [T, n]. */
  projectBackward(
    dx: Float32Array,
    x: Float32Array,
    dxw: Float32Array,
    T: number,
    gradients: Float32Array,
  ): void {
    const width = 3 * this.hidden;
    addXtY(gradients, this.#w, x, 0, dxw, 0, T, this.#inputs, width);
    addYWt(dx, 0, dxw, 0, this.#parameters.values, this.#w, T, this.#inputs, width);
  }

  /**
   * Folds T steps. Returns, when kept, all states [T+1, K, H] with the start first; otherwise the final
   * states [K, H]. Valid until the next call.
   */
  run({ T, K, xw, start, attention = NONE, keep }: GruRun): Float32Array {
    const H = this.hidden;
    const slice = K * H;
    const states = this.#states.take((keep ? T + 1 : 2) * slice);
    const gates = this.#gates.take((keep ? T : 1) * 3 * slice);
    const products = this.#products.take((keep ? T : 1) * slice);
    if (start === undefined) states.fill(0, 0, slice);
    else states.set(start);
    for (let t = 0; t < T; t++) {
      const from = (keep ? t : t & 1) * slice;
      const to = (keep ? t + 1 : (t + 1) & 1) * slice;
      const at = keep ? t * slice : 0;
      gates.fill(0, 3 * at, 3 * (at + slice));
      addXW(gates, 3 * at, states, from, this.#parameters.values, this.#u, K, H, 3 * H);
      const { scaled } = this.#gate;
      if (!scaled) this.#takeInput(xw, t, 1);
      for (let k = 0; k < K; k++) {
        const a = attention.length > 0 ? attention[k * T + t]! : 1;
        const row = k * H;
        if (scaled) this.#takeInput(xw, t, a);
        this.#cell(a, states, from + row, to + row, gates, 3 * (at + row), products, at + row);
      }
    }
    if (keep) return states;
    return states.subarray((T & 1) * slice, ((T & 1) + 1) * slice);
  }

  /** Holds scale·xW+b of step t for the cells: the lanes share it unless their attention scales it. */
  #takeInput(xw: Float32Array, t: number, scale: number): void {
    const input = this.#input;
    const values = this.#parameters.values;
    const xo = t * input.length, b = this.#b;
    for (let j = 0; j < input.length; j++) input[j] = scale * xw[xo + j]! + values[b + j]!;
  }

  /** One lane's step; from `z`, `gates` holds h·U and receives u, r, c; `products` what r multiplies. */
  #cell(
    a: number,
    states: Float32Array,
    from: number,
    to: number,
    gates: Float32Array,
    z: number,
    products: Float32Array,
    p: number,
  ): void {
    const H = this.hidden;
    const { alpha0, alpha1, beta0, beta1, before } = this.#gate;
    const alpha = alpha0 + alpha1 * a;
    const beta = beta0 + beta1 * a;
    const input = this.#input;
    for (let j = 0; j < 2 * H; j++) gates[z + j] = 1 / (1 + exp(-(input[j]! + gates[z + j]!)));
    if (before) this.#resetBefore(states, from, gates, z);
    for (let j = 0; j < H; j++) {
      const c = z + 2 * H + j;
      const product = gates[c]!;
      const reset = before ? 1 : gates[z + H + j]!;
      const candidate = 1 - 2 / (1 + exp(2 * (input[2 * H + j]! + reset * product))); // tanh
      const g = alpha + beta * gates[z + j]!;
      products[p + j] = product;
      gates[c] = candidate;
      states[to + j] = (1 - g) * states[from + j]! + g * candidate;
    }
  }

  /** Replaces h·Uc by (r∘h)·Uc. Parity only, so plain loops. */
  #resetBefore(states: Float32Array, from: number, gates: Float32Array, z: number): void {
    const H = this.hidden;
    const values = this.#parameters.values;
    for (let j = 0; j < H; j++) {
      let sum = 0;
      for (let i = 0, o = this.#u + 2 * H + j; i < H; i++, o += 3 * H) {
        sum += gates[z + H + i]! * states[from + i]! * values[o]!;
      }
      gates[z + 2 * H + j] = sum;
    }
  }

  /**
   * Backward through the kept run. `dfinal` [K, H] is ∂/∂(final states), `dstates` [T, K, H] are gradients
   * that reach each state from outside; either may be empty. Adds to ∂/∂U and ∂/∂b.
   */
  backward(
    { T, K, xw, attention = NONE }: GruRun,
    dfinal: Float32Array,
    dstates: Float32Array,
    gradients: Float32Array,
  ): GruGradients {
    const H = this.hidden;
    const slice = K * H;
    const states = this.#states.take((T + 1) * slice);
    const back = this.#back.take(T * 3 * slice);
    const dxw = this.#dxw.zeros(T * 3 * H);
    const dattention = this.#dattention.zeros(K * T);
    const dstate = this.#dstate.zeros(slice);
    const dbias = this.#dbias.fill(0);
    if (dfinal.length > 0) dstate.set(dfinal);
    for (let t = T - 1; t >= 0; t--) {
      const at = t * slice;
      if (dstates.length > 0) {
        for (let o = 0; o < slice; o++) dstate[o]! += dstates[at + o]!;
      }
      for (let k = 0; k < K; k++) {
        const a = attention.length > 0 ? attention[k * T + t]! : 1;
        const da = this.#cellBackward(xw, t, a, at + k * H, dstate, k * H, gradients);
        dattention[k * T + t] = da;
      }
      addYWt(dstate, 0, back, 3 * at, this.#parameters.values, this.#u, K, H, 3 * H);
    }
    addXtY(gradients, this.#u, states, 0, back, 0, T * K, H, 3 * H);
    for (let j = 0; j < 3 * H; j++) gradients[this.#b + j]! += dbias[j]!;
    return { xw: dxw, attention: dattention, start: dstate };
  }

  /** One lane's step back. Turns `dstate` from ∂/∂h' into the direct part of ∂/∂h; returns ∂/∂a. */
  #cellBackward(
    xw: Float32Array,
    t: number,
    a: number,
    at: number,
    dstate: Float32Array,
    d: number,
    gradients: Float32Array,
  ): number {
    const H = this.hidden;
    const { alpha0, alpha1, beta0, beta1, scaled, before } = this.#gate;
    const alpha = alpha0 + alpha1 * a;
    const beta = beta0 + beta1 * a;
    const scale = scaled ? a : 1;
    const [states, gates, products] = [this.#states.current, this.#gates.current, this.#products.current];
    const [back, dxw, dbias] = [this.#back.current, this.#dxw.current, this.#dbias];
    const z = 3 * at;
    const xo = t * 3 * H;
    let da = 0;
    for (let j = 0; j < H; j++) {
      const u = gates[z + j]!, r = gates[z + H + j]!, c = gates[z + 2 * H + j]!;
      const g = alpha + beta * u;
      const dh = dstate[d + j]!;
      const dg = dh * (c - states[at + j]!);
      const zc = dh * g * (1 - c * c);
      const zu = dg * beta * u * (1 - u);
      const zr = before ? 0 : zc * products[at + j]! * r * (1 - r);
      da += dg * (alpha1 + beta1 * u);
      dstate[d + j] = dh * (1 - g);
      back[z + j] = zu;
      back[z + H + j] = zr;
      // Reset before: zc is only parked here; #resetBeforeBackward uses it and leaves zero.
      back[z + 2 * H + j] = before ? zc : zc * r;
      dxw[xo + j]! += scale * zu;
      dxw[xo + H + j]! += scale * zr;
      dxw[xo + 2 * H + j]! += scale * zc;
      dbias[j]! += zu;
      dbias[H + j]! += zr;
      dbias[2 * H + j]! += zc;
      if (scaled) da += zu * xw[xo + j]! + zr * xw[xo + H + j]! + zc * xw[xo + 2 * H + j]!;
    }
    if (before) this.#resetBeforeBackward(t, at, dstate, d, gradients);
    return da;
  }

  /** Backward of `#resetBefore`: the reset gate, ∂/∂Uc and ∂/∂h of (r∘h)·Uc. */
  #resetBeforeBackward(
    t: number,
    at: number,
    dstate: Float32Array,
    d: number,
    gradients: Float32Array,
  ): void {
    const H = this.hidden;
    const values = this.#parameters.values;
    const [states, gates, back] = [this.#states.current, this.#gates.current, this.#back.current];
    const z = 3 * at;
    for (let i = 0; i < H; i++) {
      const r = gates[z + H + i]!, h = states[at + i]!;
      let drh = 0;
      for (let j = 0, o = this.#u + i * 3 * H + 2 * H; j < H; j++, o++) {
        drh += back[z + 2 * H + j]! * values[o]!;
        gradients[o]! += r * h * back[z + 2 * H + j]!;
      }
      const zr = drh * h * r * (1 - r);
      dstate[d + i]! += drh * r;
      back[z + H + i] = zr;
      this.#dxw.current[t * 3 * H + H + i]! += zr;
      this.#dbias[H + i]! += zr;
    }
    back.fill(0, z + 2 * H, z + 3 * H);
  }
}
