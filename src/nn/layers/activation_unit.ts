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
 * exactly. That is a vector and a small matrix N per candidate, and one [T,d]·[d,A] product instead of [T,4d]·[4d,A].
 */

import type { Parameters, Shape } from "../kernels/parameters.ts";
import type { ScoreGradients, ScoreInput } from "./attention.ts";
import { Mlp, mlpShapes } from "./mlp.ts";
import { Layer } from "./layer.ts";

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
export class ActivationUnit extends Layer {
  readonly #rest: Mlp;
  readonly #w: number;
  readonly #b: number;
  readonly #alpha: number;
  readonly #d: number;
  readonly #width: number;
  readonly #sums = this.scratch();
  readonly #scores = this.scratch();
  /** We − Wm, and N of the current candidate. */
  readonly #difference: Float32Array;
  readonly #matrix: Float32Array;
  readonly #shift: Float32Array;
  readonly #ddifference: Float32Array;
  readonly #dmatrix: Float32Array;
  readonly #dshift: Float32Array;

  constructor(parameters: Parameters, prefix: string) {
    super(parameters);
    const [inputs, width] = this.sizesOf(`${prefix}.W1`);
    this.#d = inputs / 4;
    this.#width = width;
    this.#w = parameters.offset(`${prefix}.W1`);
    this.#b = parameters.offset(`${prefix}.b1`);
    this.#alpha = parameters.offset(`${prefix}.alpha1`);
    this.#rest = new Mlp(parameters, prefix, { first: 2 });
    const matrix = () => parameters.kernels.floats(this.#d * width);
    this.#difference = matrix();
    this.#matrix = matrix();
    this.#ddifference = matrix();
    this.#dmatrix = matrix();
    this.#shift = parameters.kernels.floats(width);
    this.#dshift = parameters.kernels.floats(width);
  }

  /** Scores [K, T], valid until the next call. With `keep`, `backward` may follow. */
  forward(input: ScoreInput, keep: boolean): Float32Array {
    const { T, K, h, q } = input;
    const A = this.#width;
    const values = this.parameters.values;
    const rows = keep ? K * T : T;
    const sums = this.#sums.take(rows * A);
    const scores = this.#scores.take(K * T);
    this.#subtract();
    for (let k = 0; k < K; k++) {
      const at = keep ? k * T * A : 0;
      this.#split(q, k);
      this.kernels.affine(sums, at, this.#shift, 0, h, 0, this.#matrix, 0, T, this.#d, A);
      if (keep) continue;
      this.kernels.prelu(this.#rest.input(T), sums, values, this.#alpha, T, A);
      scores.set(this.#rest.forward(T), k * T);
    }
    if (!keep) return scores;
    this.kernels.prelu(this.#rest.input(rows), sums, values, this.#alpha, rows, A);
    scores.set(this.#rest.forward(rows));
    return scores;
  }

  /** Computes We − Wm, which candidates share. */
  #subtract(): void {
    const n = this.#d * this.#width;
    const values = this.parameters.values;
    for (let o = 0, we = this.#w + n, wm = we + n; o < n; o++) {
      this.#difference[o] = values[we + o]! - values[wm + o]!;
    }
  }

  /** Computes q(Wq+Wm)+b and N = We−Wm+diag(q)Wp of candidate k. */
  #split(q: Float32Array, k: number): void {
    const A = this.#width, d = this.#d, n = d * A;
    const values = this.parameters.values;
    const [wq, wm, wp] = [this.#w, this.#w + 2 * n, this.#w + 3 * n];
    this.kernels.mixRows(this.#matrix, this.#difference, values, wp, q, k * d, d, A);
    this.kernels.affine(this.#shift, 0, values, this.#b, q, k * d, values, wq, 1, d, A);
    this.kernels.addXW(this.#shift, 0, q, k * d, values, wm, 1, d, A);
  }

  /** Adds the gradients of the kept forward pass; `ds` [K, T] is ∂/∂scores. */
  backward(input: ScoreInput, ds: Float32Array, into: ScoreGradients): void {
    const { T, K, h, q } = input;
    const A = this.#width, d = this.#d, n = d * A;
    const values = this.parameters.values;
    const gradients = into.parameters;
    const [wq, we, wm, wp] = [this.#w, this.#w + n, this.#w + 2 * n, this.#w + 3 * n];
    const dsums = this.#rest.backward(ds, K * T, gradients);
    const kernels = this.kernels;
    kernels.preluBackward(dsums, this.#sums.current, values, gradients, this.#alpha, K * T, A);
    const ddifference = this.#ddifference.fill(0);
    for (let k = 0; k < K; k++) {
      const at = k * T * A;
      this.#split(q, k);
      kernels.addYWt(into.h, 0, dsums, at, this.#matrix, 0, T, d, A);
      const dshift = this.#dshift.fill(0);
      kernels.addRowSum(dshift, 0, dsums, at, T, A);
      kernels.addRowSum(gradients, this.#b, dshift, 0, 1, A);
      kernels.addXtY(gradients, wq, q, k * d, dshift, 0, 1, d, A);
      kernels.addXtY(gradients, wm, q, k * d, dshift, 0, 1, d, A);
      kernels.addYWt(into.q, k * d, dshift, 0, values, wq, 1, d, A);
      kernels.addYWt(into.q, k * d, dshift, 0, values, wm, 1, d, A);
      const dmatrix = this.#dmatrix.fill(0);
      kernels.addXtY(dmatrix, 0, h, 0, dsums, at, T, d, A);
      kernels.addRowSum(ddifference, 0, dmatrix, 0, 1, n);
      kernels.mixRowsBackward(gradients, into.q, dmatrix, values, wp, q, k * d, d, A);
    }
    for (let o = 0; o < n; o++) {
      gradients[we + o]! += ddifference[o]!;
      gradients[wm + o]! -= ddifference[o]!;
    }
  }
}
