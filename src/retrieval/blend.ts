/**
 * A conditional logit over candidates: which of them does the user take next?
 *
 * ```text
 *   P(j | candidates) = exp(w·x_j) / Σ_k exp(w·x_k)        w = shared weights + those of the request's groups
 * ```
 *
 * One Adagrad step a behaviour on its log-likelihood, whose gradient is x_j − Σ_k P(k) x_k. A handful of weights,
 * one a source and a few properties of items, so it is right after a few hundred behaviours, and reads like a
 * table (McFadden, "Conditional logit analysis of qualitative choice behavior", 1974). Groups are by how much is
 * known of the user, what others did in the same hour says most to somebody who has just come, and by how long ago
 * the newest behaviour is: who is still on a page goes on with it. A group's weights start at 0, so that one that is
 * seldom seen has the shared ones.
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
  /** Groups that the request is in, for weights beside the shared ones. */
  readonly groups: readonly number[];
}

/** The weights, learnt online. */
export class Blend {
  readonly #features: number;
  /** (1 + groups) × F: the shared weights, then those of each group. */
  readonly #weights: Float64Array;
  readonly #squares: Float64Array;
  /** Scratch: weights of groups with the shared ones, and the mean of the features. */
  readonly #sum: Float64Array;
  readonly #mean: Float64Array;
  #scores = new Float64Array(0);
  #steps = 0;

  /** Shared weights to start from, one a feature. */
  constructor(weights: readonly number[], groups = 0) {
    const F = weights.length;
    this.#features = F;
    this.#weights = new Float64Array((1 + groups) * F);
    this.#weights.set(weights);
    this.#squares = new Float64Array((1 + groups) * F).fill(1);
    this.#sum = new Float64Array(F);
    this.#mean = new Float64Array(F);
  }

  /** Steps ever made. */
  get steps(): number {
    return this.#steps;
  }

  /** The shared weights, F. */
  get weights(): Float64Array {
    return this.#weights.subarray(0, this.#features);
  }

  /** The weights of groups with the shared ones, F; valid until the next call. */
  weightsOf(groups: readonly number[]): Float64Array {
    const F = this.#features;
    for (let f = 0; f < F; f++) {
      let sum = this.#weights[f]!;
      for (const group of groups) sum += this.#weights[(1 + group) * F + f]!;
      this.#sum[f] = sum;
    }
    return this.#sum;
  }

  /** w·x of each candidate; valid until the next call. */
  score({ count, values, groups }: Features): Float64Array {
    const F = this.#features;
    const weights = this.weightsOf(groups);
    if (this.#scores.length < count) this.#scores = new Float64Array(2 * count);
    for (let c = 0, at = 0; c < count; c++) {
      let sum = 0;
      for (let f = 0; f < F; f++) sum += weights[f]! * values[at++]!;
      this.#scores[c] = sum;
    }
    return this.#scores.subarray(0, count);
  }

  /** One step towards the candidate that was taken; none in a weight whose gradient is not finite. */
  learn(features: Features, taken: number): void {
    const F = this.#features;
    const { count, values, groups } = features;
    const scores = this.score(features);
    let highest = -Infinity;
    for (let c = 0; c < count; c++) highest = Math.max(highest, scores[c]!);
    const mean = this.#mean.fill(0);
    let sum = 0;
    for (let c = 0, at = 0; c < count; c++) {
      const p = Math.exp(scores[c]! - highest);
      sum += p;
      for (let f = 0; f < F; f++) mean[f] = mean[f]! + p * values[at++]!;
    }
    this.#steps++;
    for (let f = 0; f < F; f++) {
      const gradient = values[taken * F + f]! - mean[f]! / sum;
      this.#step(f, gradient);
      for (const group of groups) this.#step((1 + group) * F + f, gradient);
    }
  }

  /** Writes the weights. */
  encode(to: ByteWriter): void {
    to.uint(this.#weights.length).f64s(this.#weights).f64s(this.#squares).uint(this.#steps);
  }

  /**
   * Reads what {@linkcode Blend.encode} wrote. Where the last feature was not yet known, its weights stay as they are;
   * weights of other features or groups are not taken.
   */
  decode(from: ByteReader): void {
    const length = from.uint();
    const weights = from.f64s(length);
    const squares = from.f64s(length);
    const sets = this.#weights.length / this.#features;
    const features = length / sets;
    if (features !== this.#features && features !== this.#features - 1) return;
    for (let set = 0; set < sets; set++) {
      const [start, end, at] = [set * features, (set + 1) * features, set * this.#features];
      this.#weights.set(weights.subarray(start, end), at);
      this.#squares.set(squares.subarray(start, end), at);
    }
    this.#steps = from.uint();
  }

  #step(at: number, gradient: number): void {
    if (!Number.isFinite(gradient)) return;
    this.#squares[at] = this.#squares[at]! + gradient * gradient;
    this.#weights[at] = this.#weights[at]! + RATE * gradient / Math.sqrt(this.#squares[at]!);
  }
}
