/**
 * A bank of exponential means: the state of a user is a few decayed sums of the vectors of what they did, a query is a
 * linear map of it, and an item's score is an inner product. It says which item comes next.
 *
 * ```text
 * state     m_q = Σ_t λ_q^(T − 1 − t) (e_t + a_t)     q = 1..Q; a_t: how strong behaviour t was
 * query     u = g + Σ_q √(1 − λ_q²) m_q · W_q          g: how long ago the newest behaviour is
 * score     s_j = b_j + ⟨u, o_j⟩                        o_j [d] and b_j: output vector and bias of item j
 * ```
 *
 * The state is linear in the behaviours' vectors, so its gradient is exact without unrolling.
 *
 * **Loss** of a step from T behaviours to the item y that came next: sampled softmax over y and K drawn items, each
 * drawn one's score less the logarithm of how often it is expected among them (Bengio and Senécal 2008), so that the
 * scores estimate the full softmax.
 *
 * Shapes: T behaviours, d width of a vector, Q decays, C = 1 + K scored items, the first of which is y.
 *
 * @module
 */

import type { Kernels } from "../nn/kernels/kernels.ts";
import { Parameters } from "../nn/kernels/parameters.ts";
import { PLAIN } from "../nn/kernels/plain.ts";

/** λ: the newest behaviour alone, and means over some 2, 7 and 33. */
export const DECAYS = [0, 0.6, 0.85, 0.97] as const;
/** Weights below this are 0. */
const LEAST_WEIGHT = 1e-4;
/** Upper bounds of the gap to the newest behaviour, milliseconds; one more is for no behaviour. */
const GAPS_MS = [1000, 60_000, 600_000, 3_600_000, 86_400_000] as const;
const NO_GAP = GAPS_MS.length + 1;
/** Upper bounds of strengths, one more is for stronger ones. */
const STRENGTHS = [-1, 0, 0.5, 1, 2] as const;
/** Deviation of the vectors of gaps and strengths at the start. */
const SMALL = 0.01;

/** What a query is made from. */
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

/** A step to learn. */
export interface BankExample extends BankInput {
  /** Items scored: the one that came, then those that were drawn. */
  readonly C: number;
  /** Their output vectors, each with its bias behind it [C, d + 1]. */
  readonly out: Float32Array;
  /** ln of how often each is expected among the drawn; 0 for the first [C]. */
  readonly logExpected: Float32Array;
}

/** What learning a step gives. */
export interface BankGradients {
  /** −ln of the probability of what came, nats. */
  readonly loss: number;
  /** ∂loss/∂e [T, d]. */
  readonly e: Float32Array;
  /** ∂loss/∂score of each item [C]: the gradient of its row of `out` is that times `query`. */
  readonly scores: Float32Array;
  /** The query, with a 1 for the bias behind it [d + 1]. */
  readonly query: Float32Array;
}

/** The dense part of a bank, with room for what it computes: views are valid until the next call. */
export class EmaBank {
  /** Width d of all vectors. */
  readonly d: number;
  /** `mix` [Q, d, d], `gap` [gaps, d] and `strength` [strengths, d]. */
  readonly parameters: Parameters;
  readonly #kernels: Kernels;
  readonly #mix: Float32Array;
  readonly #gap: Float32Array;
  readonly #strength: Float32Array;
  /** √(1 − λ²) m [Q, d], and its gradient. */
  readonly #state: Float32Array;
  readonly #dState: Float32Array;
  /** u, and a 1 [d + 1]. */
  readonly #query: Float32Array;
  readonly #dQuery: Float32Array;
  #scores: Float32Array = new Float32Array(0);
  #dE = new Float32Array(0);

  /** Number of dense weights of a bank of width d. */
  static weights(d: number): number {
    return d * (DECAYS.length * d + NO_GAP + 1 + STRENGTHS.length + 1);
  }

  /** Makes a bank with start values drawn from `normal`, of mean 0 and deviation 1. */
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
    this.#state = kernels.floats(Q * d);
    this.#dState = kernels.floats(Q * d);
    this.#query = kernels.floats(d + 1);
    this.#query[d] = 1;
    this.#dQuery = kernels.floats(d + 1);
  }

  /** The query u [d] of some behaviours; valid until the next call. */
  query({ T, e, strengths, gapMs }: BankInput): Float32Array {
    const { d } = this;
    const state = this.#kernels.clear(this.#state), kinds = this.#strength;
    for (const [q, decay] of DECAYS.entries()) {
      let weight = Math.sqrt(1 - decay * decay);
      for (let t = T - 1; t >= 0 && weight >= LEAST_WEIGHT; t--, weight *= decay) {
        const from = t * d, kind = strengthRow(strengths[t]!) * d, to = q * d;
        for (let i = 0; i < d; i++) state[to + i]! += weight * (e[from + i]! + kinds[kind + i]!);
      }
    }
    const row = gapRow(T, gapMs) * d;
    this.#query.set(this.#gap.subarray(row, row + d));
    this.#kernels.addXW(this.#query, 0, state, 0, this.#mix, 0, 1, DECAYS.length * d, d);
    return this.#query.subarray(0, d);
  }

  /**
   * Adds ∂loss/∂parameters of a step to `gradients`, of the layout of the parameters, and gives those of its vectors.
   */
  loss(example: BankExample, gradients: Float32Array): BankGradients {
    const { T, gapMs, C, out, logExpected } = example;
    const { d } = this;
    const kernels = this.#kernels, Q = DECAYS.length;
    this.query(example);
    this.#reserve(T, C);
    const query = this.#query, scores = this.#scores.fill(0, 0, C);
    kernels.addYWt(scores, 0, query, 0, out, 0, 1, C, d + 1);
    let highest = -Infinity;
    for (let c = 0; c < C; c++) highest = Math.max(highest, scores[c]! -= logExpected[c]!);
    const came = scores[0]!;
    let sum = 0;
    for (let c = 0; c < C; c++) sum += scores[c] = Math.exp(scores[c]! - highest);
    for (let c = 0; c < C; c++) scores[c]! /= sum;
    scores[0]! -= 1;
    const dQuery = kernels.clear(this.#dQuery);
    kernels.addXW(dQuery, 0, scores, 0, out, 0, 1, C, d + 1);
    const dGap = this.parameters.offset("gap") + gapRow(T, gapMs) * d;
    for (let i = 0; i < d; i++) gradients[dGap + i]! += dQuery[i]!;
    kernels.addXtY(gradients, this.parameters.offset("mix"), this.#state, 0, dQuery, 0, 1, Q * d, d);
    const dState = kernels.clear(this.#dState);
    kernels.addYWt(dState, 0, dQuery, 0, this.#mix, 0, 1, Q * d, d);
    const e = this.#backward(T);
    const dStrength = this.parameters.offset("strength");
    for (let t = 0; t < T; t++) {
      const to = dStrength + strengthRow(example.strengths[t]!) * d;
      for (let i = 0, from = t * d; i < d; i++) gradients[to + i]! += e[from + i]!;
    }
    return { loss: highest + Math.log(sum) - came, e, scores: scores.subarray(0, C), query };
  }

  /** From the gradient of the state to those of the behaviours. */
  #backward(T: number): Float32Array {
    const { d } = this;
    const dE = this.#dE.fill(0, 0, T * d), dState = this.#dState;
    for (const [q, decay] of DECAYS.entries()) {
      let weight = Math.sqrt(1 - decay * decay);
      for (let t = T - 1; t >= 0 && weight >= LEAST_WEIGHT; t--, weight *= decay) {
        for (let i = 0, to = t * d, from = q * d; i < d; i++) dE[to + i]! += weight * dState[from + i]!;
      }
    }
    return dE.subarray(0, T * d);
  }

  #reserve(T: number, C: number): void {
    const { d } = this;
    if (this.#dE.length < T * d) this.#dE = new Float32Array(2 * T * d);
    if (this.#scores.length < C) this.#scores = this.#kernels.floats(C);
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
