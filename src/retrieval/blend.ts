/**
 * A conditional logit over candidates: which of them does the user take next?
 *
 * ```text
 *   P(j | candidates) = exp(w·x_j) / Σ_k exp(w·x_k)
 * ```
 *
 * One Adagrad step a behaviour on its log-likelihood, whose gradient is x_j − Σ_k P(k) x_k. A handful of weights,
 * one a source and a few properties of items, so it is right after a few hundred behaviours, and reads like a
 * table (McFadden, "Conditional logit analysis of qualitative choice behavior", 1974).
 *
 * @module
 */

import type { ByteReader } from "../codec/byte_reader.ts";
import type { ByteWriter } from "../codec/byte_writer.ts";

const RATE = 0.05;

/** Candidates with their features. */
export interface Features {
  /** Number of candidates, C. */
  readonly count: number;
  /** C × F, row by row. */
  readonly values: Float64Array;
}

/** The weights, learnt online. */
export class Blend {
  readonly #weights: Float64Array;
  readonly #squares: Float64Array;

  /** Weights to start from, one a feature. */
  constructor(weights: readonly number[]) {
    this.#weights = Float64Array.from(weights);
    this.#squares = new Float64Array(weights.length).fill(1);
  }

  /** The weights, F. */
  get weights(): Float64Array {
    return this.#weights;
  }

  /** w·x of each candidate. */
  score({ count, values }: Features): Float64Array {
    const F = this.#weights.length;
    const scores = new Float64Array(count);
    for (let c = 0; c < count; c++) {
      let sum = 0;
      for (let f = 0; f < F; f++) sum += this.#weights[f]! * values[c * F + f]!;
      scores[c] = sum;
    }
    return scores;
  }

  /** One step towards the candidate that was taken. */
  learn(features: Features, taken: number): void {
    const F = this.#weights.length;
    const { count, values } = features;
    const scores = this.score(features);
    const highest = scores.reduce((a, b) => Math.max(a, b), -Infinity);
    const mean = new Float64Array(F);
    let sum = 0;
    for (let c = 0; c < count; c++) {
      const p = Math.exp(scores[c]! - highest);
      sum += p;
      for (let f = 0; f < F; f++) mean[f] = mean[f]! + p * values[c * F + f]!;
    }
    for (let f = 0; f < F; f++) {
      const gradient = values[taken * F + f]! - mean[f]! / sum;
      this.#squares[f] = this.#squares[f]! + gradient * gradient;
      this.#weights[f] = this.#weights[f]! + RATE * gradient / Math.sqrt(this.#squares[f]!);
    }
  }

  /** Writes the weights. */
  encode(to: ByteWriter): void {
    to.uint(this.#weights.length).f64s(this.#weights).f64s(this.#squares);
  }

  /** Reads what {@linkcode Blend.encode} wrote; weights of another number of features are left as they are. */
  decode(from: ByteReader): void {
    const F = from.uint();
    const weights = from.f64s(F);
    const squares = from.f64s(F);
    if (F !== this.#weights.length) return;
    this.#weights.set(weights);
    this.#squares.set(squares);
  }
}
