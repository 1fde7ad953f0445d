/**
 * A bank of exponential means, which predicts the next item: the state of a user is a few decayed sums of the vectors
 * of their behaviours, a query is a linear map of it, and an item's score is an inner product.
 *
 * ```text
 * state     m_q = Σ_t λ_q^(T − 1 − t) (e_t + a_t)     q = 1..Q; a_t: vector of the strength of t
 * query     u = g + Σ_q √(1 − λ_q²) m_q · W_q          g: vector of the time since the newest
 * score     s_j = b_j + ⟨u, o_j⟩                        o_j [d] and b_j: output vector and bias of item j
 * ```
 *
 * The state is linear in the behaviours' vectors, so its gradient is exact without unrolling.
 *
 * **Loss** of a step from T behaviours to the item y that came next: sampled softmax over y and K drawn items. From the
 * score of each drawn item, the logarithm of its expected number of draws is subtracted (Bengio and Senécal 2008), so
 * that the scores estimate the full softmax. A step may leave out drawn items: y, and those that the user has just had.
 *
 * Steps are learnt B at a time against the same drawn items, so that all but the exponentials are matrix products.
 *
 * Shapes: T behaviours, d width of a vector, Q decays, B steps, K drawn items.
 */

import type { Kernels } from "../nn/kernels/kernels.ts";
import { Parameters } from "../nn/kernels/parameters.ts";
import { PLAIN } from "../nn/kernels/plain.ts";

/** λ: the newest behaviour alone, and means over about 2, 7 and 33. */
const DECAYS = [0, 0.6, 0.85, 0.97] as const;
/** √(1 − λ²) λ^age by decay and age; values below 1e-4 are left out. */
const WEIGHTS = DECAYS.map((decay) => {
  const weights: number[] = [];
  for (let w = Math.sqrt(1 - decay * decay); w >= 1e-4; w *= decay) weights.push(w);
  return weights;
});
/** Upper bounds of the gap to the newest behaviour, milliseconds; two more rows are for longer ones and for none. */
const GAPS_MS = [1000, 60_000, 600_000, 3_600_000, 86_400_000] as const;
const NO_GAP = GAPS_MS.length + 1;
/** Upper bounds of strengths; one more row is for stronger ones. */
const STRENGTHS = [-1, 0, 0.5, 1, 2] as const;
/** Standard deviation of the initial vectors of gaps and strengths. */
const SMALL = 0.01;

export interface BankInput {
  /** Number of behaviours T. */
  readonly T: number;
  /** Vectors of their items, oldest first [T, d]. */
  readonly e: Float32Array;
  /** Signed strengths [T], see `SampleHistory`. */
  readonly strengths: ArrayLike<number>;
  /** Time since the newest of them, milliseconds; ignored when T is 0. */
  readonly gapMs: number;
}

/** Steps that are learnt together, against the same drawn items. */
export interface BankExamples {
  /** Inputs of the queries [B]. */
  readonly inputs: readonly BankInput[];
  /** Output vectors of the next items [B], then of the drawn ones [K], each followed by its bias [B + K, d + 1]. */
  readonly out: Float32Array;
  /** For each step [B], the indices of the drawn items that it leaves out. */
  readonly leftOut: readonly Iterable<number>[];
  /** ln of the expected number of draws of each drawn item [K]. */
  readonly logExpected: ArrayLike<number>;
}

/** Result of {@linkcode EmaBank.loss}; views are valid until the next call. */
export interface BankGradients {
  /** Σ over the steps of −ln of the probability of the next item, nats. */
  readonly loss: number;
  /** ∂loss/∂e of each step [B] of [T, d]. */
  readonly e: readonly Float32Array[];
  /** ∂loss/∂out [B + K, d + 1]. */
  readonly out: Float32Array;
}

/** The dense part of a bank, with its working memory: views are valid until the next call. */
export class EmaBank {
  readonly d: number;
  /** `mix` [Q, d, d], `gap` [gaps, d] and `strength` [strengths, d]. */
  readonly parameters: Parameters;
  readonly #kernels: Kernels;
  readonly #mix: Float32Array;
  readonly #gap: Float32Array;
  readonly #strength: Float32Array;
  /** By step: √(1 − λ²) m [Q, d] and its gradient; u and a 1 [d + 1] and its gradient. */
  #states: Float32Array = new Float32Array(0);
  #dStates: Float32Array = new Float32Array(0);
  #queries: Float32Array = new Float32Array(0);
  #dQueries: Float32Array = new Float32Array(0);
  /** Scores of the drawn items [B, K], and ∂loss/∂out. */
  #scores: Float32Array = new Float32Array(0);
  #dOut: Float32Array = new Float32Array(0);
  #dE: Float32Array = new Float32Array(0);

  static weights(d: number): number {
    return d * (DECAYS.length * d + NO_GAP + 1 + STRENGTHS.length + 1);
  }

  /** Creates a bank with initial weights drawn from `normal`, of mean 0 and deviation 1. */
  constructor(d: number, normal: () => number, kernels: Kernels = PLAIN) {
    const Q = DECAYS.length;
    this.d = d;
    this.#kernels = kernels;
    this.parameters = new Parameters({
      mix: [Q, d, d],
      gap: [NO_GAP + 1, d],
      strength: [STRENGTHS.length + 1, d],
    }, kernels);
    this.#mix = this.parameters.block("mix");
    this.#gap = this.parameters.block("gap");
    for (let i = 0; i < this.#mix.length; i++) this.#mix[i] = normal() / Math.sqrt(Q * d);
    this.#strength = this.parameters.block("strength");
    for (const block of [this.#gap, this.#strength]) {
      for (let i = 0; i < block.length; i++) block[i] = normal() * SMALL;
    }
  }

  /** The query u [d] of some behaviours; valid until the next call. */
  query(input: BankInput): Float32Array {
    this.#reserve(1, 0, 0);
    this.#ask([input]);
    return this.#queries.subarray(0, this.d);
  }

  /**
   * Adds ∂loss/∂parameters of some steps to `gradients`, in the layout of the parameters, and returns the gradients of
   * their vectors.
   */
  loss({ inputs, out, leftOut, logExpected }: BankExamples, gradients: Float32Array): BankGradients {
    const { d } = this;
    const kernels = this.#kernels, Q = DECAYS.length, B = inputs.length, K = logExpected.length, w = d + 1;
    this.#reserve(B, K, inputs.reduce((sum, { T }) => sum + T, 0));
    this.#ask(inputs);
    const queries = this.#queries, scores = kernels.clear(this.#scores.subarray(0, B * K));
    const dOut = this.#dOut.fill(0, 0, (B + K) * w), dQueries = kernels.clear(this.#dQueries);
    kernels.addYWt(scores, 0, queries, 0, out, B * w, B, K, w);
    let loss = 0;
    for (let b = 0; b < B; b++) {
      let target = 0;
      for (let i = 0; i < w; i++) target += queries[b * w + i]! * out[b * w + i]!;
      for (let k = 0, at = b * K; k < K; k++, at++) scores[at]! -= logExpected[k]!;
      for (const k of leftOut[b]!) scores[b * K + k] = -Infinity;
      let highest = target;
      for (let at = b * K; at < (b + 1) * K; at++) highest = Math.max(highest, scores[at]!);
      let sum = Math.exp(target - highest);
      for (let k = 0, at = b * K; k < K; k++, at++) sum += scores[at] = Math.exp(scores[at]! - highest);
      for (let k = 0, at = b * K; k < K; k++, at++) scores[at]! /= sum;
      loss += highest + Math.log(sum) - target;
      const share = Math.exp(target - highest) / sum - 1;
      for (let i = b * w; i < (b + 1) * w; i++) {
        dOut[i] = share * queries[i]!;
        dQueries[i] = share * out[i]!;
      }
    }
    kernels.addXW(dQueries, 0, scores, 0, out, B * w, B, K, w);
    kernels.addXtY(dOut, B * w, scores, 0, queries, 0, B, K, w);
    this.#packQueries(B);
    const dGap = this.parameters.offset("gap");
    for (const [b, { T, gapMs }] of inputs.entries()) {
      const to = dGap + gapRow(T, gapMs) * d;
      for (let i = 0; i < d; i++) gradients[to + i]! += dQueries[b * d + i]!;
    }
    kernels.addXtY(gradients, this.parameters.offset("mix"), this.#states, 0, dQueries, 0, B, Q * d, d);
    const dStates = kernels.clear(this.#dStates);
    kernels.addYWt(dStates, 0, dQueries, 0, this.#mix, 0, B, Q * d, d);
    return { loss, e: this.#backward(inputs, gradients), out: dOut.subarray(0, (B + K) * w) };
  }

  /** Computes the states and queries of some inputs. */
  #ask(inputs: readonly BankInput[]): void {
    const { d } = this;
    const kernels = this.#kernels, Q = DECAYS.length, B = inputs.length, queries = this.#queries;
    const states = kernels.clear(this.#states), kinds = this.#strength;
    for (const [b, { T, e, strengths, gapMs }] of inputs.entries()) {
      for (let t = T - 1, age = 0; t >= 0; t--, age++) {
        const from = t * d, kind = strengthRow(strengths[t]!) * d;
        for (let q = 0; q < Q; q++) {
          const weight = WEIGHTS[q]![age] ?? 0;
          if (weight === 0) continue;
          for (let i = 0, to = (b * Q + q) * d; i < d; i++) {
            states[to + i]! += weight * (e[from + i]! + kinds[kind + i]!);
          }
        }
      }
      const row = gapRow(T, gapMs) * d;
      queries.set(this.#gap.subarray(row, row + d), b * d);
    }
    kernels.addXW(queries, 0, states, 0, this.#mix, 0, B, Q * d, d);
    // Append a 1 to each.
    for (let b = B - 1; b >= 0; b--) {
      queries.copyWithin(b * (d + 1), b * d, (b + 1) * d);
      queries[b * (d + 1) + d] = 1;
    }
  }

  /** Drops the gradient of the 1 that follows each query. */
  #packQueries(B: number): void {
    const { d } = this;
    for (let b = 0; b < B; b++) this.#dQueries.copyWithin(b * d, b * (d + 1), b * (d + 1) + d);
  }

  /** Propagates the gradients of the states to the behaviours. */
  #backward(inputs: readonly BankInput[], gradients: Float32Array): Float32Array[] {
    const { d } = this;
    const Q = DECAYS.length, dStates = this.#dStates, dStrength = this.parameters.offset("strength");
    let at = 0;
    return inputs.map(({ T, strengths }, b) => {
      const dE = this.#dE.subarray(at, at += T * d).fill(0);
      for (let t = T - 1, age = 0; t >= 0; t--, age++) {
        const to = t * d;
        for (let q = 0; q < Q; q++) {
          const weight = WEIGHTS[q]![age] ?? 0;
          if (weight === 0) continue;
          for (let i = 0, from = (b * Q + q) * d; i < d; i++) dE[to + i]! += weight * dStates[from + i]!;
        }
        const kind = dStrength + strengthRow(strengths[t]!) * d;
        for (let i = 0; i < d; i++) gradients[kind + i]! += dE[to + i]!;
      }
      return dE;
    });
  }

  /** Allocates memory for B steps with K drawn items and `behaviours` in all. */
  #reserve(B: number, K: number, behaviours: number): void {
    const { d } = this;
    const Q = DECAYS.length, kernels = this.#kernels;
    if (this.#queries.length < B * (d + 1)) {
      this.#states = kernels.floats(B * Q * d);
      this.#dStates = kernels.floats(B * Q * d);
      this.#queries = kernels.floats(B * (d + 1));
      this.#dQueries = kernels.floats(B * (d + 1));
    }
    // Twice as much, because kernels' memory is never freed and the number of drawn items keeps changing.
    if (this.#scores.length < B * K) this.#scores = kernels.floats(2 * B * K);
    if (this.#dOut.length < (B + K) * (d + 1)) this.#dOut = kernels.floats(2 * (B + K) * (d + 1));
    if (this.#dE.length < behaviours * d) this.#dE = new Float32Array(2 * behaviours * d);
  }
}

/** Which row of `gap` a query adds. */
function gapRow(T: number, gapMs: number): number {
  if (T === 0) return NO_GAP;
  let row = 0;
  while (row < GAPS_MS.length && gapMs >= GAPS_MS[row]!) row++;
  return row;
}

/** Which row of `strength` a behaviour adds. */
function strengthRow(strength: number): number {
  let row = 0;
  while (row < STRENGTHS.length && strength > STRENGTHS[row]!) row++;
  return row;
}
