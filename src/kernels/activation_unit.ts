/**
 * The local activation unit of DIN (Zhou et al. 2018): an MLP over f = [q ; e ; q−e ; q∘e] that scores each
 * behaviour e for a candidate q.
 *
 * The first layer never builds f. With W₁ in four blocks of d rows for q, e, q−e and q∘e,
 *
 * ```text
 * f W₁ = q(Wq + Wm) + e(We − Wm + diag(q)Wp)
 * ```
 *
 * exactly: a vector and a small matrix N per candidate, then one [T,d]·[d,A] product instead of [T,4d]·[4d,A].
 *
 * @module
 */

import type { Parameters, Shape } from "../models/parameters.ts";
import { prelu, preluBackward } from "./prelu.ts";
import type { AttentionScore, ScoreGradients, ScoreInput } from "./attention.ts";
import { addRowSum, addXtY, addXW, addYWt, fillRows } from "./gemm.ts";
import { Mlp, mlpShapes } from "./mlp.ts";
import { Scratch } from "./scratch.ts";

// T behaviours, K candidates, d vector width, A width of the first hidden layer

/** Blocks of an activation unit: an MLP 4d → hidden → 1 with PReLU. */
export function activationUnitShapes(
  prefix: string,
  d: number,
  hidden: readonly number[],
): Record<string, Shape> {
  return mlpShapes(prefix, [4 * d, ...hidden, 1]);
}

/** An activation unit over the blocks of {@linkcode activationUnitShapes}; at least one hidden layer. */
export class ActivationUnit implements AttentionScore {
  readonly #parameters: Parameters;
  readonly #rest: Mlp;
  readonly #w: number;
  readonly #b: number;
  readonly #alpha: number;
  readonly #d: number;
  readonly #width: number;
  readonly #sums = new Scratch();
  readonly #scores = new Scratch();
  readonly #matrix: Float32Array;
  readonly #shift: Float32Array;
  readonly #dmatrix: Float32Array;
  readonly #dshift: Float32Array;

  /** Binds the blocks under `prefix`. */
  constructor(parameters: Parameters, prefix: string) {
    const [inputs = 0, width = 0] = parameters.shapes.get(`${prefix}.W1`) ?? [];
    this.#parameters = parameters;
    this.#d = inputs / 4;
    this.#width = width;
    this.#w = parameters.offset(`${prefix}.W1`);
    this.#b = parameters.offset(`${prefix}.b1`);
    this.#alpha = parameters.offset(`${prefix}.alpha1`);
    this.#rest = new Mlp(parameters, prefix, { first: 2 });
    this.#matrix = new Float32Array(this.#d * width);
    this.#shift = new Float32Array(width);
    this.#dmatrix = new Float32Array(this.#d * width);
    this.#dshift = new Float32Array(width);
  }

  /** See {@linkcode AttentionScore.forward}. */
  forward(input: ScoreInput, keep: boolean): Float32Array {
    const { T, K, h, q } = input;
    const A = this.#width;
    const values = this.#parameters.values;
    const rows = keep ? K * T : T;
    const sums = this.#sums.take(rows * A);
    const scores = this.#scores.take(K * T);
    for (let k = 0; k < K; k++) {
      const at = keep ? k * T * A : 0;
      this.#split(q, k);
      fillRows(sums, at, this.#shift, 0, T, A);
      addXW(sums, at, h, 0, this.#matrix, 0, T, this.#d, A);
      if (keep) continue;
      prelu(this.#rest.input(T), sums, values, this.#alpha, T, A);
      scores.set(this.#rest.forward(T), k * T);
    }
    if (!keep) return scores;
    prelu(this.#rest.input(rows), sums, values, this.#alpha, rows, A);
    scores.set(this.#rest.forward(rows));
    return scores;
  }

  /** Makes q(Wq+Wm)+b and N = We−Wm+diag(q)Wp of candidate k. */
  #split(q: Float32Array, k: number): void {
    const A = this.#width, d = this.#d, n = d * A;
    const values = this.#parameters.values;
    const [wq, we, wm, wp] = [this.#w, this.#w + n, this.#w + 2 * n, this.#w + 3 * n];
    for (let i = 0, o = 0; i < d; i++) {
      const x = q[k * d + i]!;
      for (let j = 0; j < A; j++, o++) {
        this.#matrix[o] = values[we + o]! - values[wm + o]! + x * values[wp + o]!;
      }
    }
    for (let j = 0; j < A; j++) this.#shift[j] = values[this.#b + j]!;
    addXW(this.#shift, 0, q, k * d, values, wq, 1, d, A);
    addXW(this.#shift, 0, q, k * d, values, wm, 1, d, A);
  }

  /** See {@linkcode AttentionScore.backward}. */
  backward(input: ScoreInput, ds: Float32Array, into: ScoreGradients): void {
    const { T, K, h, q } = input;
    const A = this.#width, d = this.#d, n = d * A;
    const values = this.#parameters.values;
    const gradients = into.parameters;
    const [wq, we, wm, wp] = [this.#w, this.#w + n, this.#w + 2 * n, this.#w + 3 * n];
    const dsums = this.#rest.backward(ds, K * T, gradients);
    preluBackward(dsums, this.#sums.current, values, gradients, this.#alpha, K * T, A);
    const dmatrix = this.#dmatrix;
    const dshift = this.#dshift;
    for (let k = 0; k < K; k++) {
      const at = k * T * A;
      this.#split(q, k);
      addYWt(into.h, 0, dsums, at, this.#matrix, 0, T, d, A);
      dshift.fill(0);
      addRowSum(dshift, 0, dsums, at, T, A);
      addRowSum(gradients, this.#b, dshift, 0, 1, A);
      addXtY(gradients, wq, q, k * d, dshift, 0, 1, d, A);
      addXtY(gradients, wm, q, k * d, dshift, 0, 1, d, A);
      addYWt(into.q, k * d, dshift, 0, values, wq, 1, d, A);
      addYWt(into.q, k * d, dshift, 0, values, wm, 1, d, A);
      dmatrix.fill(0);
      addXtY(dmatrix, 0, h, 0, dsums, at, T, d, A);
      for (let i = 0, o = 0; i < d; i++) {
        const x = q[k * d + i]!;
        let dq = 0;
        for (let j = 0; j < A; j++, o++) {
          const g = dmatrix[o]!;
          gradients[we + o]! += g;
          gradients[wm + o]! -= g;
          gradients[wp + o]! += x * g;
          dq += g * values[wp + o]!;
        }
        into.q[k * d + i]! += dq;
      }
    }
  }
}
