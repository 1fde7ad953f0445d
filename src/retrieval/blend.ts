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
import type { Features } from "./features.ts";

const RATE = 0.05;

/** A feature. */
export interface Feature {
  /** What its weights are written under. */
  readonly name: string;
  /** Its shared weight before anything was learnt. */
  readonly weight: number;
}

/** The weights, learnt online. */
export class Blend {
  /** Names of the features, in the order of their columns. */
  readonly names: readonly string[];
  readonly #features: number;
  readonly #sets: number;
  /** (1 + groups) × F: the shared weights, then those of each group. */
  readonly #weights: Float64Array;
  readonly #squares: Float64Array;
  /** Scratch: weights of groups with the shared ones, and the mean of the features. */
  readonly #sum: Float64Array;
  readonly #mean: Float64Array;
  #scores = new Float64Array(0);
  #steps = 0;

  /** Nothing learnt. */
  constructor(features: readonly Feature[], groups = 0) {
    const F = features.length;
    this.names = features.map(({ name }) => name);
    this.#features = F;
    this.#sets = 1 + groups;
    this.#weights = new Float64Array(this.#sets * F);
    this.#weights.set(features.map(({ weight }) => weight));
    this.#squares = new Float64Array(this.#sets * F).fill(1);
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

  /** Writes the weights of each feature under its name. */
  encode(to: ByteWriter): void {
    const F = this.#features;
    to.uint(this.#steps).uint(this.#sets).uint(F);
    for (const [f, name] of this.names.entries()) {
      to.string(name);
      for (let at = f; at < this.#weights.length; at += F) to.f64(this.#weights[at]!).f64(this.#squares[at]!);
    }
  }

  /**
   * Reads what {@linkcode Blend.encode} wrote. What is not written stays as it is, and features that there are not any more
   * are left out; with another number of groups all is.
   */
  decode(from: ByteReader): void {
    const F = this.#features;
    const [steps, sets] = [from.uint(), from.uint()];
    for (let n = from.count(); n > 0; n--) {
      const f = this.names.indexOf(from.string());
      const numbers = from.f64s(2 * sets);
      if (f < 0 || sets !== this.#sets) continue;
      for (let set = 0; set < sets; set++) {
        this.#weights[set * F + f] = numbers[2 * set]!;
        this.#squares[set * F + f] = numbers[2 * set + 1]!;
      }
    }
    if (sets === this.#sets) this.#steps = steps;
  }

  #step(at: number, gradient: number): void {
    if (!Number.isFinite(gradient)) return;
    this.#squares[at] = this.#squares[at]! + gradient * gradient;
    this.#weights[at] = this.#weights[at]! + RATE * gradient / Math.sqrt(this.#squares[at]!);
  }
}
