/**
 * The pair head: reorders the best candidates of retrieval by features of each pair of a behaviour and
 * a candidate. It sees counts, never ids, so some 1,400 weights are enough and it pays off after a few thousand
 * behaviours.
 *
 * ```text
 *   v_ij    = W2ᵀ relu(W1ᵀ f_ij + b1) + b2                     f_ij [P] pair inputs of behaviour j and candidate i
 *   u_i     = .3 Σ_j exp(α_a) ∘ v_ij                           a the age of j in behaviours, 0 the newest; α [H, U]
 *   x_i     = [.5 blend features, .2 s_i, u_i]                 s_i the score of the blend
 *   score_i = w s_i + w4ᵀ relu(W3ᵀ x_i + b3) + b4
 *   loss    = −ln softmax(score)_target                        over the K candidates of a list
 * ```
 *
 * w starts at 1 and w4, b4 at 0, so the initial order is the blend's. A sum over behaviours with learnt weights of
 * their pairs is DIN's local activation (Zhou et al., "Deep Interest Network", KDD 2018) with the network in place of
 * the product; the listwise loss is ListNet's for one relevant item (Cao et al., ICML 2007). Left out: embeddings.
 *
 * The second layer of the network is linear, so W2 and exp(α) fold into one matrix [H·N, U], and v is never computed.
 */

import type { Kernels } from "../../kernels/kernels.ts";
import { Parameters } from "../../kernels/parameters.ts";
import { PLAIN } from "../../kernels/plain.ts";
import { Scratch } from "../../kernels/scratch.ts";

// H behaviours, K candidates, P pair inputs, B blend features, N hidden units of a pair, U sums, M of a candidate

const BLEND_SCALE = 0.5;
const SCORE_SCALE = 0.2;
const SUM_SCALE = 0.3;
/** The initial α of age a is −0.15 a. */
const AGE_DECAY = 0.15;

export interface PairHeadSizes {
  /** Most behaviours H of a list. */
  readonly behaviours: number;
  /** Inputs P of a pair. */
  readonly pairs: number;
  /** Features B of a candidate. */
  readonly blend: number;
  /** Hidden units N of a pair. @default {16} */
  readonly pairUnits?: number;
  /** Sums U over behaviours. @default {4} */
  readonly sums?: number;
  /** Hidden units M of a candidate. @default {32} */
  readonly units?: number;
}

/** A list to be ordered. */
export interface PairHeadInput {
  /** Number of behaviours, 0 to the head's H. */
  readonly H: number;
  /** Candidates K, at least 1. */
  readonly K: number;
  /** Inputs of the pairs [K, H, P], behaviours newest first. */
  readonly pairs: Float32Array;
  /** Features of the candidates [K, B]. */
  readonly blend: Float32Array;
  /** Scores of the blend [K]. */
  readonly scores: Float32Array;
}

/** Scores lists, and learns from the item that was taken. */
export class PairHead {
  /** The weights; training writes into them. */
  readonly parameters: Parameters;
  readonly #kernels: Kernels;
  readonly #sizes: Required<PairHeadSizes>;
  /** PReLU slopes of 0, which make it a ReLU. */
  readonly #zeros: Float32Array;
  /** Their gradient: 0, as the results of a ReLU are 0 where a slope counts. */
  readonly #slopeGradients: Float32Array;
  /** .3 exp(α) ∘ W2 [H·N, U], and its gradient. */
  readonly #weights: Float32Array;
  readonly #weightGradients: Float32Array;
  /** The bits of W2, b2 and α of which they were computed; and .3 exp(α) [H, U]. */
  readonly #folded: Uint32Array;
  readonly #scales: Float64Array;
  /** Scratch: relu of the pairs [K, H·N], x [K, B+1+U], relu of the candidates [K, M], scores [K], and gradients. */
  readonly #hidden: Scratch;
  readonly #x: Scratch;
  readonly #top: Scratch;
  readonly #scores: Scratch;
  readonly #sums: Scratch;
  readonly #dScores: Scratch;
  readonly #dTop: Scratch;
  readonly #dx: Scratch;
  readonly #dHidden: Scratch;

  /** Creates a head that keeps the blend's order. @param random uniform in [0, 1) */
  constructor(sizes: PairHeadSizes, random: () => number, kernels: Kernels = PLAIN) {
    const settled = this.#sizes = { pairUnits: 16, sums: 4, units: 32, ...sizes };
    const { behaviours: H, pairs: P, blend: B, pairUnits: N, sums: U, units: M } = settled;
    this.#kernels = kernels;
    this.parameters = new Parameters({
      W1: [P, N],
      b1: [N],
      W2: [N, U],
      b2: [U],
      alpha: [H, U],
      W3: [B + 1 + U, M],
      b3: [M],
      w4: [M],
      b4: [1],
      w: [1],
    }, kernels);
    this.#zeros = kernels.floats(Math.max(N, M));
    this.#slopeGradients = kernels.floats(Math.max(N, M));
    this.#weights = kernels.floats(H * N * U);
    this.#weightGradients = kernels.floats(H * N * U);
    this.#folded = new Uint32Array(N * U + U + H * U).fill(-1);
    this.#scales = new Float64Array(H * U);
    const scratch = () => new Scratch(kernels);
    [this.#hidden, this.#x, this.#top, this.#scores] = [scratch(), scratch(), scratch(), scratch()];
    [this.#sums, this.#dScores, this.#dTop] = [scratch(), scratch(), scratch()];
    [this.#dx, this.#dHidden] = [scratch(), scratch()];
    this.#initialise(random);
  }

  /** Scores [K] of the candidates, larger is better; valid until the next call. */
  score(input: PairHeadInput): Float32Array {
    const kernels = this.#kernels;
    const { behaviours, pairs: P, blend: B, pairUnits: N, sums: U, units: M } = this.#sizes;
    const { H, K, pairs, blend, scores } = input;
    if (
      H > behaviours || pairs.length !== K * H * P || blend.length !== K * B || scores.length !== K || K < 1
    ) {
      throw new TypeError(
        `Cannot order ${K} candidates by ${H} behaviours: current lengths are ${pairs.length}, ${blend.length} ` +
          `and ${scores.length}, the head is for ${behaviours} behaviours, ${P} pair inputs and ${B} features`,
      );
    }
    const { values } = this.parameters;
    const at = (name: string) => this.parameters.offset(name);
    const hidden = this.#hidden.take(K * H * N);
    const sums = this.#sums.zeros(K * U);
    if (H > 0) {
      kernels.affine(hidden, 0, values, at("b1"), pairs, 0, values, at("W1"), K * H, P, N);
      kernels.prelu(hidden, hidden, this.#zeros, 0, K * H, N);
      this.#foldAges();
      kernels.addRows(sums, this.#biasOf(H), 1, K, U);
      kernels.addXW(sums, 0, hidden, 0, this.#weights, 0, K, H * N, U);
    }
    const width = B + 1 + U;
    const x = this.#x.take(K * width);
    for (let i = 0; i < K; i++) {
      const row = i * width;
      for (let f = 0; f < B; f++) x[row + f] = BLEND_SCALE * blend[i * B + f]!;
      x[row + B] = SCORE_SCALE * scores[i]!;
      for (let a = 0; a < U; a++) x[row + B + 1 + a] = sums[i * U + a]!;
    }
    const top = this.#top.take(K * M);
    kernels.affine(top, 0, values, at("b3"), x, 0, values, at("W3"), K, width, M);
    kernels.prelu(top, top, this.#zeros, 0, K, M);
    const out = this.#scores.take(K);
    kernels.affine(out, 0, values, at("b4"), top, 0, values, at("w4"), K, M, 1);
    const w = values[at("w")]!;
    for (let i = 0; i < K; i++) out[i] = out[i]! + w * scores[i]!;
    return out;
  }

  /**
   * −ln of the probability of the candidate that was taken. Adds `weight` times its gradient to `gradients`, in the
   * layout of the parameters.
   */
  loss(input: PairHeadInput, target: number, gradients: Float32Array, weight = 1): number {
    const scores = this.score(input);
    const { K } = input;
    if (!(target >= 0 && target < K)) {
      throw new RangeError(`Cannot learn candidate ${target} of ${K}: current value is out of range`);
    }
    const d = this.#dScores.take(K);
    let highest = -Infinity;
    for (let i = 0; i < K; i++) highest = Math.max(highest, scores[i]!);
    let sum = 0;
    for (let i = 0; i < K; i++) sum += d[i] = Math.exp(scores[i]! - highest);
    for (let i = 0; i < K; i++) d[i] = weight * d[i]! / sum;
    d[target] = d[target]! - weight;
    this.#backward(input, d, gradients);
    return Math.log(sum) + highest - scores[target]!;
  }

  /** Adds the gradients of the list that was scored last. */
  #backward({ H, K, pairs, scores }: PairHeadInput, d: Float32Array, gradients: Float32Array): void {
    const kernels = this.#kernels;
    const { pairs: P, blend: B, pairUnits: N, sums: U, units: M } = this.#sizes;
    const { values } = this.parameters;
    const at = (name: string) => this.parameters.offset(name);
    const width = B + 1 + U;
    let dw = 0;
    for (let i = 0; i < K; i++) dw += d[i]! * scores[i]!;
    gradients[at("w")]! += dw;
    const top = this.#top.current;
    kernels.addRowSum(gradients, at("b4"), d, 0, K, 1);
    kernels.addXtY(gradients, at("w4"), top, 0, d, 0, K, M, 1);
    const dTop = this.#dTop.zeros(K * M);
    kernels.addYWt(dTop, 0, d, 0, values, at("w4"), K, M, 1);
    this.#reluBackward(dTop, top, K, M);
    kernels.addRowSum(gradients, at("b3"), dTop, 0, K, M);
    kernels.addXtY(gradients, at("W3"), this.#x.current, 0, dTop, 0, K, width, M);
    if (H === 0) return;
    const dx = this.#dx.zeros(K * width);
    kernels.addYWt(dx, 0, dTop, 0, values, at("W3"), K, width, M);
    const dSums = this.#sums.take(K * U);
    for (let i = 0; i < K; i++) {
      for (let a = 0; a < U; a++) dSums[i * U + a] = dx[i * width + B + 1 + a]!;
    }
    const hidden = this.#hidden.current;
    const dWeights = kernels.clear(this.#weightGradients);
    kernels.addXtY(dWeights, 0, hidden, 0, dSums, 0, K, H * N, U);
    this.#unfoldAges(H, K, dSums, gradients);
    const dHidden = this.#dHidden.zeros(K * H * N);
    kernels.addYWt(dHidden, 0, dSums, 0, this.#weights, 0, K, H * N, U);
    this.#reluBackward(dHidden, hidden, K * H, N);
    kernels.addRowSum(gradients, at("b1"), dHidden, 0, K * H, N);
    kernels.addXtY(gradients, at("W1"), pairs, 0, dHidden, 0, K * H, P, N);
  }

  /** Writes .3 exp(α) ∘ W2 into `#weights`, unless it is there: between two steps all lists have the same. */
  #foldAges(): void {
    const { behaviours: H, pairUnits: N, sums: U } = this.#sizes;
    const folded = this.#folded;
    const own = bitsOf(this.parameters.values.subarray(this.parameters.offset("W2")), folded.length); // b2 and α follow
    let same = 0;
    while (same < folded.length && folded[same] === own[same]) same++;
    if (same === folded.length) return;
    folded.set(own);
    const alpha = this.parameters.block("alpha"), w2 = this.parameters.block("W2");
    for (let j = 0; j < H; j++) {
      for (let a = 0; a < U; a++) {
        const scale = this.#scales[j * U + a] = SUM_SCALE * Math.exp(alpha[j * U + a]!);
        for (let n = 0; n < N; n++) this.#weights[(j * N + n) * U + a] = scale * w2[n * U + a]!;
      }
    }
  }

  /** .3 Σ exp(α) ∘ b2 of H ages [U]. */
  #biasOf(H: number): Float32Array {
    const { sums: U } = this.#sizes;
    const b2 = this.parameters.block("b2");
    const bias = new Float32Array(U);
    for (let j = 0; j < H; j++) {
      for (let a = 0; a < U; a++) bias[a] = bias[a]! + this.#scales[j * U + a]! * b2[a]!;
    }
    return bias;
  }

  /** Given the gradient of `#weights` for H ages, adds those of W2, b2 and α. */
  #unfoldAges(H: number, K: number, dSums: Float32Array, gradients: Float32Array): void {
    const { pairUnits: N, sums: U } = this.#sizes;
    const dWeights = this.#weightGradients;
    const block = (name: string, of?: Float32Array) => this.parameters.block(name, of);
    const [w2, b2] = [block("W2"), block("b2")];
    const [dAlpha, dW2, dB2] = [block("alpha", gradients), block("W2", gradients), block("b2", gradients)];
    for (let a = 0; a < U; a++) {
      let dBias = 0;
      for (let i = 0; i < K; i++) dBias += dSums[i * U + a]!;
      for (let j = 0; j < H; j++) {
        const scale = this.#scales[j * U + a]!;
        let inner = b2[a]! * dBias;
        for (let n = 0; n < N; n++) {
          const g = dWeights[(j * N + n) * U + a]!;
          dW2[n * U + a]! += scale * g;
          inner += g * w2[n * U + a]!;
        }
        dB2[a]! += scale * dBias;
        dAlpha[j * U + a]! += scale * inner;
      }
    }
  }

  /** df becomes the gradient before the ReLU whose result is f [m, n]. */
  #reluBackward(df: Float32Array, f: Float32Array, m: number, n: number): void {
    this.#kernels.preluBackward(df, f, this.#zeros, this.#slopeGradients, 0, m, n);
  }

  /** Matrices Glorot uniform, α falls with age, w is 1, and the rest is 0. */
  #initialise(random: () => number): void {
    for (const name of ["W1", "W2", "W3"]) {
      const [inputs = 0, outputs = 0] = this.parameters.shapes.get(name) ?? [];
      const limit = Math.sqrt(6 / (inputs + outputs));
      const block = this.parameters.block(name);
      for (let o = 0; o < block.length; o++) block[o] = (2 * random() - 1) * limit;
    }
    const { sums: U } = this.#sizes;
    this.parameters.block("alpha").forEach((_, o, alpha) => alpha[o] = -AGE_DECAY * Math.floor(o / U));
    this.parameters.block("w")[0] = 1;
  }
}

/** The bits of the first `length` floats. */
function bitsOf({ buffer, byteOffset }: Float32Array, length: number): Uint32Array {
  return new Uint32Array(buffer, byteOffset, length);
}
