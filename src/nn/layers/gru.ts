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
 * | agru | a | after | Wu, Uu, bu are unused |
 * | aigru | u | after | the input is a·x |
 * | gruResetBefore, augruResetBefore | u, a·u | before | TF1's cell |
 * | official | 1−(1−a)u | before | the authors' code: u keeps; a = 0 still writes |
 * | keepScaled | 1−a·u | before | a common mistake: a = 0 *erases*; for parity with published notebooks |
 *
 * All are g = α + βu with α, β linear in a, so one loop computes them all.
 */

import type { Parameters, Shape } from "../kernels/parameters.ts";
import type { Gate, GruSteps } from "../kernels/gru_steps.ts";
import { Layer } from "./layer.ts";

// T steps, K lanes (candidates that share the inputs), H hidden, n inputs; gates in the order u, r, c

/** Forms of the GRU whose steps are weighted by an attention a in [0, 1], per lane and step. */
export type AttentionalForm = "augru" | "agru" | "aigru" | "augruResetBefore" | "official" | "keepScaled";

export type GruForm = "gru" | "gruResetBefore" | AttentionalForm;

export const GATES: Readonly<Record<GruForm, Gate>> = {
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

/** Operands that all folds of a GRU share. */
export type GruBlocks = Pick<GruSteps, "H" | "gate" | "values" | "u" | "b">;

/** The blocks `U` and `b` under a prefix, for a form. */
export function gruBlocks(parameters: Parameters, prefix: string, form: GruForm): GruBlocks {
  const [width = 0] = parameters.shapes.get(`${prefix}.b`) ?? [];
  const u = parameters.offset(`${prefix}.U`), b = parameters.offset(`${prefix}.b`);
  return { H: width / 3, gate: GATES[form], values: parameters.values, u, b };
}

export interface GruRun {
  /** Steps T. */
  readonly T: number;
  /** Lanes K. */
  readonly K: number;
  /** Projected inputs x·W of {@linkcode Gru.project} [T, 3H], shared by the lanes. */
  readonly xw: Float32Array;
  /** Start states [K, H]; zeros when absent. */
  readonly start?: Float32Array;
  /** Attention [K, T]; only the attentional forms need it. */
  readonly attention?: Float32Array;
  /** Whether to keep every step for `backward`, or only the newest state. */
  readonly keep: boolean;
}

/** Result of {@linkcode Gru.backward}, valid until the next call. */
export interface GruGradients {
  /** ∂/∂(x·W) [T, 3H], summed over the lanes. */
  readonly xw: Float32Array;
  /** ∂/∂attention [K, T]; zeros for forms without attention. */
  readonly attention: Float32Array;
  /** ∂/∂start [K, H]. */
  readonly start: Float32Array;
}

const NONE = new Float32Array(0);

/** A GRU over the blocks of {@linkcode gruShapes}. `backward` follows a `run` with `keep`. */
export class Gru extends Layer {
  /** Hidden width H. */
  readonly hidden: number;
  readonly #blocks: GruBlocks;
  readonly #inputs: number;
  readonly #w: number;
  readonly #xw = this.scratch();
  readonly #states = this.scratch();
  readonly #gates = this.scratch();
  readonly #products = this.scratch();
  readonly #back = this.scratch();
  readonly #dxw = this.scratch();
  readonly #dattention = this.scratch();
  readonly #dstate = this.scratch();

  constructor(parameters: Parameters, prefix: string, form: GruForm) {
    super(parameters);
    const [inputs, width] = this.sizesOf(`${prefix}.W`);
    this.hidden = width / 3;
    this.#inputs = inputs;
    this.#w = parameters.offset(`${prefix}.W`);
    this.#blocks = gruBlocks(parameters, prefix, form);
  }

  /** x·W [T, 3H] of the inputs x [T, n], in one product; valid until the next call. */
  project(x: Float32Array, T: number): Float32Array {
    const xw = this.#xw.zeros(T * 3 * this.hidden);
    this.kernels.addXW(xw, 0, x, 0, this.parameters.values, this.#w, T, this.#inputs, 3 * this.hidden);
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
    this.kernels.addXtY(gradients, this.#w, x, 0, dxw, 0, T, this.#inputs, width);
    this.kernels.addYWt(dx, 0, dxw, 0, this.parameters.values, this.#w, T, this.#inputs, width);
  }

  /**
   * Folds T steps.
   *
   * @returns with `keep`, all states [T+1, K, H], the start first; otherwise the final states [K, H]; valid until the
   * next call
   */
  run({ T, K, xw, start, attention = NONE, keep }: GruRun): Float32Array {
    const H = this.hidden;
    const slice = K * H;
    const states = this.#states.take((keep ? T + 1 : 2) * slice);
    const gates = this.#gates.take((keep ? T : 1) * 3 * slice);
    const products = this.#products.take((keep ? T : 1) * slice);
    if (start === undefined) states.fill(0, 0, slice);
    else states.set(start);
    this.kernels.gruForward({ ...this.#blocks, T, K, keep, xw, attention, states, gates, products });
    if (keep) return states;
    return states.subarray((T & 1) * slice, ((T & 1) + 1) * slice);
  }

  /**
   * Backward through the kept run; adds to ∂/∂U and ∂/∂b.
   *
   * @param dfinal ∂/∂(final states) [K, H]; may be empty
   * @param dstates gradients that reach each state from elsewhere [T, K, H]; may be empty
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
    const gates = this.#gates.take(T * 3 * slice), products = this.#products.take(T * slice);
    const dxw = this.#dxw.take(T * 3 * H);
    const dattention = this.#dattention.take(K * T);
    const dstate = this.#dstate.zeros(slice);
    if (dfinal.length > 0) dstate.set(dfinal);
    const forward = { ...this.#blocks, T, K, keep: true, xw, attention, states, gates, products };
    this.kernels.gruBackward({ ...forward, dstate, dstates, dxw, dattention, back, gradients });
    return { xw: dxw, attention: dattention, start: dstate };
  }
}
