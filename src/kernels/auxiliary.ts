/**
 * The auxiliary loss of DIEN's interest extractor: state h_t must score the next behaviour e_{t+1} above a
 * sampled one (Zhou et al. 2019, eq. 6), with a real logistic loss and a mean over the pairs:
 *
 * ```text
 * (1/(T−1)) Σ_{t=1}^{T−1} softplus(−s(h_t, e_{t+1})) + softplus(s(h_t, ê_{t+1}))
 * ```
 *
 * s is one shared MLP on [h ; e] with logistic hidden layers, or the inner product (needs H = d).
 *
 * @module
 */

import type { Parameters } from "../models/parameters.ts";
import { sigmoid, softplus } from "../losses/logistic.ts";
import { Mlp } from "./mlp.ts";
import { Scratch } from "./scratch.ts";

// T behaviours, T−1 pairs, H state width, d vector width

/** How a state scores a behaviour. */
export type AuxiliaryScore = "mlp" | "inner";

/** The states and behaviours, and where their gradients are added. */
export interface AuxiliaryInput {
  /** Behaviours T; the loss is 0 below 2. */
  readonly T: number;
  /** Factor of the loss in the gradients. */
  readonly weight: number;
  /** States [T, H]. */
  readonly h: Float32Array;
  /** Behaviours [T, d]. */
  readonly e: Float32Array;
  /** Sampled negatives [T, d]; row 0 is not used. */
  readonly negatives: Float32Array;
  /** ∂/∂h [T, H]. */
  readonly dh: Float32Array;
  /** ∂/∂e [T, d]. */
  readonly de: Float32Array;
  /** ∂/∂negatives [T, d]. */
  readonly dnegatives: Float32Array;
}

/** The auxiliary loss; the MLP has its blocks under `prefix`. */
export class Auxiliary {
  readonly #mlp: Mlp | null;
  readonly #hidden: number;
  readonly #d: number;
  readonly #ds: Scratch;

  /** Binds the score. @throws RangeError when an inner product is asked of unequal widths. */
  constructor(parameters: Parameters, prefix: string, score: AuxiliaryScore, hidden: number, d: number) {
    const scratch = () => new Scratch(parameters.kernels);
    this.#ds = scratch();
    if (score === "inner" && hidden !== d) {
      throw new RangeError(
        `Cannot use an inner product as auxiliary score: the state is ${hidden} wide, a behaviour ${d}`,
      );
    }
    this.#mlp = score === "mlp" ? new Mlp(parameters, prefix, { activation: "sigmoid" }) : null;
    this.#hidden = hidden;
    this.#d = d;
  }

  /** Returns the unweighted loss and adds all gradients, times `weight`. */
  loss(input: AuxiliaryInput, gradients: Float32Array): number {
    const pairs = input.T - 1;
    if (pairs < 1) return 0;
    const s = this.#mlp === null ? this.#inner(input) : this.#forward(this.#mlp, input);
    const ds = this.#ds.take(2 * pairs);
    let loss = 0;
    for (let i = 0; i < pairs; i++) {
      const positive = s[i]!, negative = s[pairs + i]!;
      loss += softplus(-positive) + softplus(negative);
      ds[i] = input.weight / pairs * (sigmoid(positive) - 1);
      ds[pairs + i] = input.weight / pairs * sigmoid(negative);
    }
    if (this.#mlp === null) this.#innerBackward(input, ds);
    else this.#backward(this.#mlp, input, ds, gradients);
    return loss / pairs;
  }

  #forward(mlp: Mlp, { T, h, e, negatives }: AuxiliaryInput): Float32Array {
    const H = this.#hidden, d = this.#d, width = H + d, pairs = T - 1;
    const x = mlp.input(2 * pairs);
    for (let i = 0; i < 2 * pairs; i++) {
      const t = i % pairs;
      const next = i < pairs ? e : negatives;
      for (let j = 0; j < H; j++) x[i * width + j] = h[t * H + j]!;
      for (let j = 0; j < d; j++) x[i * width + H + j] = next[(t + 1) * d + j]!;
    }
    return mlp.forward(2 * pairs);
  }

  #backward(mlp: Mlp, input: AuxiliaryInput, ds: Float32Array, gradients: Float32Array): void {
    const H = this.#hidden, d = this.#d, width = H + d, pairs = input.T - 1;
    const dx = mlp.backward(ds, 2 * pairs, gradients);
    for (let i = 0; i < 2 * pairs; i++) {
      const t = i % pairs;
      const dnext = i < pairs ? input.de : input.dnegatives;
      for (let j = 0; j < H; j++) input.dh[t * H + j]! += dx[i * width + j]!;
      for (let j = 0; j < d; j++) dnext[(t + 1) * d + j]! += dx[i * width + H + j]!;
    }
  }

  #inner({ T, h, e, negatives }: AuxiliaryInput): Float32Array {
    const d = this.#d, pairs = T - 1;
    const s = this.#ds.zeros(2 * pairs);
    for (let t = 0; t < pairs; t++) {
      let positive = 0, negative = 0;
      for (let j = 0, o = t * d, next = o + d; j < d; j++, o++, next++) {
        positive += h[o]! * e[next]!;
        negative += h[o]! * negatives[next]!;
      }
      s[t] = positive;
      s[pairs + t] = negative;
    }
    return s;
  }

  #innerBackward({ T, h, e, negatives, dh, de, dnegatives }: AuxiliaryInput, ds: Float32Array): void {
    const d = this.#d, pairs = T - 1;
    for (let t = 0; t < pairs; t++) {
      const positive = ds[t]!, negative = ds[pairs + t]!;
      for (let j = 0, o = t * d, next = o + d; j < d; j++, o++, next++) {
        dh[o]! += positive * e[next]! + negative * negatives[next]!;
        de[next]! += positive * h[o]!;
        dnegatives[next]! += negative * h[o]!;
      }
    }
  }
}
