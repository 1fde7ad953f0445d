/**
 * The auxiliary loss of DIEN's interest extractor: state h_t must score the next behaviour e_{t+1} above a
 * sampled one (Zhou et al. 2019, eq. 6), with a logistic loss and a mean over the pairs:
 *
 * ```text
 * (1/(T−1)) Σ_{t=1}^{T−1} softplus(−s(h_t, e_{t+1})) + softplus(s(h_t, ê_{t+1}))
 * ```
 *
 * s is one shared MLP on [h ; e] with logistic hidden layers, or the inner product (needs H = d). The MLP's
 * first layer never builds [h ; e]: h Wh + b is computed once per step, and e We of both behaviours is added to it.
 */

import type { Parameters } from "../../kernels/parameters.ts";
import { sigmoid, softplus } from "../../losses/logistic.ts";
import { Mlp } from "../../layers/mlp.ts";
import { Layer } from "../../layers/layer.ts";

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

/** The first layer of the MLP: its width, the offsets of W1 and b1, and whether it is the output. */
interface FirstLayer {
  readonly width: number;
  readonly w: number;
  readonly b: number;
  readonly last: boolean;
}

/** The auxiliary loss; the MLP's blocks are under `prefix`. */
export class Auxiliary extends Layer {
  readonly #first: FirstLayer | null;
  readonly #rest: Mlp;
  readonly #hidden: number;
  readonly #d: number;
  readonly #ds = this.scratch();
  readonly #sums = this.scratch();
  readonly #shared = this.scratch();

  /** Binds the score. @throws RangeError when an inner product is requested with unequal widths */
  constructor(parameters: Parameters, prefix: string, score: AuxiliaryScore, hidden: number, d: number) {
    super(parameters);
    if (score === "inner" && hidden !== d) {
      throw new RangeError(
        `Cannot use an inner product as auxiliary score: the state is ${hidden} wide, a behaviour ${d}`,
      );
    }
    this.#rest = new Mlp(parameters, prefix, { activation: "sigmoid", first: 2 });
    this.#first = score === "inner" ? null : {
      width: this.sizesOf(`${prefix}.b1`)[0],
      w: parameters.offset(`${prefix}.W1`),
      b: parameters.offset(`${prefix}.b1`),
      last: !parameters.shapes.has(`${prefix}.W2`),
    };
    this.#hidden = hidden;
    this.#d = d;
  }

  /** Returns the unweighted loss and adds all gradients, times `weight`. */
  loss(input: AuxiliaryInput, gradients: Float32Array): number {
    const pairs = input.T - 1;
    if (pairs < 1) return 0;
    const s = this.#first === null ? this.#inner(input) : this.#forward(this.#first, input);
    const ds = this.#ds.take(2 * pairs);
    let loss = 0;
    for (let i = 0; i < pairs; i++) {
      const positive = s[i]!, negative = s[pairs + i]!;
      loss += softplus(-positive) + softplus(negative);
      ds[i] = input.weight / pairs * (sigmoid(positive) - 1);
      ds[pairs + i] = input.weight / pairs * sigmoid(negative);
    }
    if (this.#first === null) this.#innerBackward(input, ds);
    else this.#backward(this.#first, input, ds, gradients);
    return loss / pairs;
  }

  /** Scores [2, T−1] of the behaviours, then of the negatives. */
  #forward({ width, w, b, last }: FirstLayer, { T, h, e, negatives }: AuxiliaryInput): Float32Array {
    const { kernels, values } = this.parameters;
    const H = this.#hidden, d = this.#d, pairs = T - 1, size = pairs * width;
    const shared = this.#shared.take(size);
    kernels.affine(shared, 0, values, b, h, 0, values, w, pairs, H, width);
    const sums = this.#sums.take(2 * size);
    const we = w + H * width;
    kernels.affine(sums, 0, shared, 0, e, d, values, we, pairs, d, width, width);
    kernels.affine(sums, size, shared, 0, negatives, d, values, we, pairs, d, width, width);
    if (last) return sums;
    kernels.sigmoid(this.#rest.input(2 * pairs), sums);
    return this.#rest.forward(2 * pairs);
  }

  #backward(
    { width, w, b, last }: FirstLayer,
    { T, h, e, negatives, dh, de, dnegatives }: AuxiliaryInput,
    ds: Float32Array,
    gradients: Float32Array,
  ): void {
    const { kernels, values } = this.parameters;
    const H = this.#hidden, d = this.#d, pairs = T - 1, size = pairs * width;
    const we = w + H * width;
    let dsums = ds;
    if (!last) {
      dsums = this.#rest.backward(ds, 2 * pairs, gradients);
      kernels.sigmoidBackward(dsums, this.#rest.input(2 * pairs));
    }
    kernels.addRowSum(gradients, b, dsums, 0, 2 * pairs, width);
    kernels.addXtY(gradients, we, e, d, dsums, 0, pairs, d, width);
    kernels.addXtY(gradients, we, negatives, d, dsums, size, pairs, d, width);
    kernels.addYWt(de, d, dsums, 0, values, we, pairs, d, width);
    kernels.addYWt(dnegatives, d, dsums, size, values, we, pairs, d, width);
    kernels.addRowSum(dsums, 0, dsums, size, 1, size); // the state is in both
    kernels.addXtY(gradients, w, h, 0, dsums, 0, pairs, H, width);
    kernels.addYWt(dh, 0, dsums, 0, values, w, pairs, H, width);
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
