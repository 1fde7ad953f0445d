/** All steps of a GRU, forward and backward, in plain TypeScript. The formulas and forms are in `gru.ts`. */

import { exp } from "./exp.ts";
import { addXtY, addXW, addYWt } from "./gemm.ts";

// T steps, K lanes (candidates that share the inputs), H hidden; gates in the order u, r, c

/** g = (alpha0 + alpha1·a) + (beta0 + beta1·a)·u; the input is scaled by a where `scaled`. */
export interface Gate {
  /** Constant part of α. */
  readonly alpha0: number;
  /** Part of α that attention scales. */
  readonly alpha1: number;
  /** Constant part of β. */
  readonly beta0: number;
  /** Part of β that attention scales. */
  readonly beta1: number;
  /** Whether attention scales the input. */
  readonly scaled: boolean;
  /** Whether r is applied before the product with Uc. */
  readonly before: boolean;
}

/** Operands of a fold. With `keep` every step stays in memory for the backward pass. */
export interface GruSteps {
  /** Steps T. */
  readonly T: number;
  /** Lanes K. */
  readonly K: number;
  /** Hidden width H. */
  readonly H: number;
  /** Whether every step is kept; if not, states hold two slots, used alternately, gates and products one. */
  readonly keep: boolean;
  /** How the write gate is made. */
  readonly gate: Gate;
  /** Projected inputs [T, 3H]. */
  readonly xw: Float32Array;
  /** Attention [K, T]; empty = 1. */
  readonly attention: Float32Array;
  /** The dense weights. */
  readonly values: Float32Array;
  /** Where U [H, 3H] begins in them. */
  readonly u: number;
  /** Where the biases [3H] begin in them. */
  readonly b: number;
  /** The start in the first slot [K, H], then the state after each step. */
  readonly states: Float32Array;
  /** u, r, c of each step [K, 3H]. */
  readonly gates: Float32Array;
  /** h·Uc of each step [K, H]; where r is applied before, (r∘h)·Uc. */
  readonly products: Float32Array;
}

/** Operands of the backward pass. */
export interface GruBackSteps extends GruSteps {
  /** ∂/∂(final states) [K, H], becomes ∂/∂start. */
  readonly dstate: Float32Array;
  /** Gradients that reach each state from outside [T, K, H]; empty = none. */
  readonly dstates: Float32Array;
  /** Receives ∂/∂xw [T, 3H], summed over the lanes. */
  readonly dxw: Float32Array;
  /** Receives ∂/∂attention [K, T]. */
  readonly dattention: Float32Array;
  /** Working memory [T, K, 3H]. */
  readonly back: Float32Array;
  /** ∂/∂U and ∂/∂b are added here, in the layout of the weights. */
  readonly gradients: Float32Array;
}

/** Folds T steps. */
export function gruForward(steps: GruSteps): void {
  const { T, K, H, keep, gate, xw, attention, values, u, states, gates } = steps;
  const slice = K * H;
  const input = new Float64Array(3 * H);
  for (let t = 0; t < T; t++) {
    const from = (keep ? t : t & 1) * slice;
    const to = (keep ? t + 1 : (t + 1) & 1) * slice;
    const at = keep ? t * slice : 0;
    gates.fill(0, 3 * at, 3 * (at + slice));
    addXW(gates, 3 * at, states, from, values, u, K, H, 3 * H);
    if (!gate.scaled) takeInput(input, xw, t, 1, steps);
    for (let k = 0; k < K; k++) {
      const a = attention.length > 0 ? attention[k * T + t]! : 1;
      if (gate.scaled) takeInput(input, xw, t, a, steps);
      cell(a, input, steps, from + k * H, to + k * H, at + k * H);
    }
  }
}

/** scale·xW+b of step t: the lanes share it unless their attention scales it. */
function takeInput(
  input: Float64Array,
  xw: Float32Array,
  t: number,
  scale: number,
  { values, b }: GruSteps,
): void {
  const xo = t * input.length;
  for (let j = 0; j < input.length; j++) input[j] = scale * xw[xo + j]! + values[b + j]!;
}

/** One lane's step; from 3p, `gates` holds h·U and receives u, r, c; `products` receives what r multiplies. */
function cell(
  a: number,
  input: Float64Array,
  steps: GruSteps,
  from: number,
  to: number,
  p: number,
): void {
  const { H, states, gates, products, gate: { alpha0, alpha1, beta0, beta1, before } } = steps;
  const alpha = alpha0 + alpha1 * a;
  const beta = beta0 + beta1 * a;
  const z = 3 * p;
  for (let j = 0; j < 2 * H; j++) gates[z + j] = 1 / (1 + exp(-(input[j]! + gates[z + j]!)));
  if (before) resetBefore(steps, from, z);
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

/** Replaces h·Uc by (r∘h)·Uc. */
function resetBefore({ H, values, u, states, gates }: GruSteps, from: number, z: number): void {
  for (let j = 0; j < H; j++) {
    let sum = 0;
    for (let i = 0, o = u + 2 * H + j; i < H; i++, o += 3 * H) {
      sum += gates[z + H + i]! * states[from + i]! * values[o]!;
    }
    gates[z + 2 * H + j] = sum;
  }
}

/** Backward through the kept steps of {@linkcode gruForward}. */
export function gruBackward(steps: GruBackSteps): void {
  const { T, K, H, attention, values, u, b, states, dstate, dstates, dxw, back, gradients } = steps;
  const slice = K * H;
  const dbias = new Float32Array(3 * H);
  dxw.fill(0);
  for (let t = T - 1; t >= 0; t--) {
    const at = t * slice;
    if (dstates.length > 0) {
      for (let o = 0; o < slice; o++) dstate[o]! += dstates[at + o]!;
    }
    for (let k = 0; k < K; k++) {
      const a = attention.length > 0 ? attention[k * T + t]! : 1;
      steps.dattention[k * T + t] = cellBackward(steps, t, a, at + k * H, k * H, dbias);
    }
    addYWt(dstate, 0, back, 3 * at, values, u, K, H, 3 * H);
  }
  addXtY(gradients, u, states, 0, back, 0, T * K, H, 3 * H);
  for (let j = 0; j < 3 * H; j++) gradients[b + j]! += dbias[j]!;
}

/** One lane's step back. Turns `dstate` from ∂/∂h' into the direct part of ∂/∂h; returns ∂/∂a. */
function cellBackward(
  steps: GruBackSteps,
  t: number,
  a: number,
  at: number,
  d: number,
  dbias: Float32Array,
): number {
  const { H, xw, states, gates, products, dstate, dxw, back, gate } = steps;
  const { alpha0, alpha1, beta0, beta1, scaled, before } = gate;
  const alpha = alpha0 + alpha1 * a;
  const beta = beta0 + beta1 * a;
  const scale = scaled ? a : 1;
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
    // Reset before: zc is only parked here; resetBeforeBackward uses it and leaves zero.
    back[z + 2 * H + j] = before ? zc : zc * r;
    dxw[xo + j]! += scale * zu;
    dxw[xo + H + j]! += scale * zr;
    dxw[xo + 2 * H + j]! += scale * zc;
    dbias[j]! += zu;
    dbias[H + j]! += zr;
    dbias[2 * H + j]! += zc;
    if (scaled) da += zu * xw[xo + j]! + zr * xw[xo + H + j]! + zc * xw[xo + 2 * H + j]!;
  }
  if (before) resetBeforeBackward(steps, t, at, d, dbias);
  return da;
}

/** Backward of `resetBefore`: the reset gate, ∂/∂Uc and ∂/∂h of (r∘h)·Uc. */
function resetBeforeBackward(
  steps: GruBackSteps,
  t: number,
  at: number,
  d: number,
  dbias: Float32Array,
): void {
  const { H, values, u, states, gates, dstate, dxw, back, gradients } = steps;
  const z = 3 * at;
  for (let i = 0; i < H; i++) {
    const r = gates[z + H + i]!, h = states[at + i]!;
    let drh = 0;
    for (let j = 0, o = u + i * 3 * H + 2 * H; j < H; j++, o++) {
      drh += back[z + 2 * H + j]! * values[o]!;
      gradients[o]! += r * h * back[z + 2 * H + j]!;
    }
    const zr = drh * h * r * (1 - r);
    dstate[d + i]! += drh * r;
    back[z + H + i] = zr;
    dxw[t * 3 * H + H + i]! += zr;
    dbias[H + i]! += zr;
  }
  back.fill(0, z + 2 * H, z + 3 * H);
}
