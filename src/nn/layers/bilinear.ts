/** The bilinear attention score of DIEN: s = h W qᵀ (Zhou et al. 2019, eq. 13), forward and backward. */

import type { Parameters, Shape } from "../kernels/parameters.ts";
import type { ScoreGradients, ScoreInput } from "./attention.ts";
import { Layer } from "./layer.ts";

// T steps, K candidates, H state width, d candidate width

/** Block `W` [H, d] under a prefix. */
export function bilinearShapes(prefix: string, hidden: number, d: number): Record<string, Shape> {
  return { [`${prefix}.W`]: [hidden, d] };
}

/** Scores s [K,T] of states h [T,H] and candidates q [K,d]. */
export class Bilinear extends Layer {
  readonly #w: number;
  readonly #hidden: number;
  readonly #d: number;
  readonly #projected = this.scratch();
  readonly #scores = this.scratch();
  readonly #dprojected = this.scratch();

  constructor(parameters: Parameters, prefix: string) {
    super(parameters);
    const [hidden, d] = this.sizesOf(`${prefix}.W`);
    this.#w = parameters.offset(`${prefix}.W`);
    this.#hidden = hidden;
    this.#d = d;
  }

  /** Scores [K, T], valid until the next call. */
  forward({ T, K, h, q }: ScoreInput): Float32Array {
    const H = this.#hidden;
    const projected = this.#projected.zeros(K * H);
    this.kernels.addYWt(projected, 0, q, 0, this.parameters.values, this.#w, K, H, this.#d);
    const scores = this.#scores.zeros(K * T);
    this.kernels.addYWt(scores, 0, projected, 0, h, 0, K, T, H);
    return scores;
  }

  /** Adds the gradients of the last forward pass; `ds` [K, T] is ∂/∂scores. */
  backward({ T, K, h, q }: ScoreInput, ds: Float32Array, into: ScoreGradients): void {
    const H = this.#hidden;
    const projected = this.#projected.current;
    const dprojected = this.#dprojected.zeros(K * H);
    this.kernels.addXW(dprojected, 0, ds, 0, h, 0, K, T, H);
    this.kernels.addXtY(into.h, 0, ds, 0, projected, 0, K, T, H);
    this.kernels.addXW(into.q, 0, dprojected, 0, this.parameters.values, this.#w, K, H, this.#d);
    this.kernels.addXtY(into.parameters, this.#w, dprojected, 0, q, 0, K, H, this.#d);
  }
}
