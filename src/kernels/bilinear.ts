/**
 * The bilinear attention score of DIEN: s = h W qᵀ (Zhou et al. 2019, eq. 13), forward and backward.
 *
 * @module
 */

import type { Parameters, Shape } from "../models/parameters.ts";
import type { AttentionScore, ScoreGradients, ScoreInput } from "./attention.ts";
import { addXtY, addXW, addYWt } from "./gemm.ts";
import { Scratch } from "./scratch.ts";

// T steps, K candidates, H state width, d candidate width

/** Block `W` [H, d] under a prefix. */
export function bilinearShapes(prefix: string, hidden: number, d: number): Record<string, Shape> {
  return { [`${prefix}.W`]: [hidden, d] };
}

/** Scores s [K,T] of states h [T,H] and candidates q [K,d]. */
export class Bilinear implements AttentionScore {
  readonly #parameters: Parameters;
  readonly #w: number;
  readonly #hidden: number;
  readonly #d: number;
  readonly #projected = new Scratch();
  readonly #scores = new Scratch();
  readonly #dprojected = new Scratch();

  /** Binds the block under `prefix`. */
  constructor(parameters: Parameters, prefix: string) {
    const [hidden = 0, d = 0] = parameters.shapes.get(`${prefix}.W`) ?? [];
    this.#parameters = parameters;
    this.#w = parameters.offset(`${prefix}.W`);
    this.#hidden = hidden;
    this.#d = d;
  }

  /** See {@linkcode AttentionScore.forward}. */
  forward({ T, K, h, q }: ScoreInput): Float32Array {
    const H = this.#hidden;
    const projected = this.#projected.zeros(K * H);
    addYWt(projected, 0, q, 0, this.#parameters.values, this.#w, K, H, this.#d);
    const scores = this.#scores.zeros(K * T);
    addYWt(scores, 0, projected, 0, h, 0, K, T, H);
    return scores;
  }

  /** See {@linkcode AttentionScore.backward}. */
  backward({ T, K, h, q }: ScoreInput, ds: Float32Array, into: ScoreGradients): void {
    const H = this.#hidden;
    const projected = this.#projected.current;
    const dprojected = this.#dprojected.zeros(K * H);
    addXW(dprojected, 0, ds, 0, h, 0, K, T, H);
    addXtY(into.h, 0, ds, 0, projected, 0, K, T, H);
    addXW(into.q, 0, dprojected, 0, this.#parameters.values, this.#w, K, H, this.#d);
    addXtY(into.parameters, this.#w, dprojected, 0, q, 0, K, H, this.#d);
  }
}
