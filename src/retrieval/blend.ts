/**
 * A conditional logit over candidates: which of them does the user take next?
 *
 * ```text
 *   P(j | candidates) = exp(w_j·x_j) / Σ_k exp(w_k·x_k)        w_j = shared weights + those of the request's groups,
 *                                                              or, for items the user already had, those of returns
 * ```
 *
 * A handful of weights, one per source and a few for properties of items, that can be read like a table (McFadden,
 * "Conditional logit analysis of qualitative choice behavior", 1974). Requests are grouped by how much is known about
 * the user (for a new one, the best evidence is what others did within the hour) and by the age of the newest behaviour
 * (a user who is still on a page continues there). A group's weights start at 0, so a rare group uses
 * the shared ones. Why somebody returns to an item is a different question from why a new one is wanted, so returns
 * have weights of their own.
 *
 * Each behaviour makes a Newton step on its log-likelihood, in each set of weights S that it concerns:
 *
 * ```text
 *   g = x_taken·[taken in S] − Σ_{j in S} P(j) x_j        H_S ← (1 − ε) H_S + ε Λ_S + Σ_{j in S} P(j) x_j x_jᵀ − m mᵀ
 *   w_S ← w_S + 2/n · H_S⁻¹ g                             m = Σ_{j in S} P(j) x_j,  n sets,  Λ_S the prior precision
 * ```
 *
 * Sources agree on most candidates, and the size of their scores differs between streams; with curvature, no learning
 * rate has to be chosen for either. ε keeps the newest 1/ε steps, so that weights keep following the stream.
 */

import type { ByteReader } from "../codec/byte_reader.ts";
import type { ByteWriter } from "../codec/byte_writer.ts";
import { type Features, isReturn } from "./features.ts";
import { Curvature } from "../nn/optimisers/curvature.ts";

/** Newton steps per behaviour, over all its sets. Above 1, early mistakes are soon forgotten. */
const STEP = 2;
/** Prior precision of the shared weights, those of groups and those of returns, in steps of one nat each. */
const PRECISION = { shared: 20, group: 80, returns: 20 } as const;
/** Steps whose curvature is kept. */
const NEWEST = 4000;

/** Features are logarithms and shares: a step with a larger sum is broken, and would outweigh all that was learnt. */
const LARGEST = 1e9;

export interface Feature {
  /** The name under which its weights are written. */
  readonly name: string;
  /** Its initial shared weight. */
  readonly weight: number;
  /** Whether the initial weight for items that the user already had is the same; if not, 0. @default {false} */
  readonly judgesReturns?: boolean;
}

/** The weights, learnt online. */
export class Blend {
  /** Names of the features, in the order of their columns. */
  readonly names: readonly string[];
  readonly #features: number;
  readonly #sets: number;
  /** (2 + groups) × F: the shared weights, those of each group, and those of returns. */
  readonly #weights: Float64Array;
  readonly #curvatures: readonly Curvature[];
  /** Scratch: sums of weights of groups and the shared ones; gradient and curvature of a step. */
  readonly #sum: Float64Array;
  readonly #gradient: Float64Array;
  readonly #outer: Float64Array;
  /** Columns of a candidate that are not 0. */
  readonly #known: Uint16Array;
  #scores = new Float64Array(0);
  #shares = new Float64Array(0);
  #steps = 0;

  /** A blend that has learnt nothing. */
  constructor(features: readonly Feature[], groups = 0) {
    const F = features.length;
    this.names = features.map(({ name }) => name);
    this.#features = F;
    this.#sets = 2 + groups;
    this.#weights = new Float64Array(this.#sets * F);
    this.#weights.set(features.map(({ weight }) => weight));
    this.returnWeights.set(features.map(({ weight, judgesReturns }) => judgesReturns === true ? weight : 0));
    const { shared, group, returns } = PRECISION;
    this.#curvatures = Array.from({ length: this.#sets }, (_, set) => {
      return new Curvature(F, set === 0 ? shared : set === 1 + groups ? returns : group, NEWEST);
    });
    this.#sum = new Float64Array(F);
    this.#gradient = new Float64Array(F);
    this.#outer = new Float64Array(F * F);
    this.#known = new Uint16Array(F);
  }

  /** Number of steps made so far. */
  get steps(): number {
    return this.#steps;
  }

  /** The shared weights, F. */
  get weights(): Float64Array {
    return this.#weights.subarray(0, this.#features);
  }

  /** The weights for items that the user already had, F. */
  get returnWeights(): Float64Array {
    return this.#weights.subarray((this.#sets - 1) * this.#features);
  }

  /** The sums of the weights of groups and the shared ones, F; valid until the next call. */
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
  score(features: Features): Float64Array {
    const { count, values, groups } = features;
    const F = this.#features;
    const weights = this.weightsOf(groups);
    const { returnWeights } = this;
    if (this.#scores.length < count) {
      this.#scores = new Float64Array(2 * count);
      this.#shares = new Float64Array(2 * count);
    }
    for (let c = 0, at = 0; c < count; c++) {
      let sum = 0;
      const own = isReturn(features, F, c) ? returnWeights : weights;
      for (let f = 0; f < F; f++) sum += own[f]! * values[at++]!;
      this.#scores[c] = sum;
    }
    return this.#scores.subarray(0, count);
  }

  /** Takes one step towards the candidate that was taken; none if it would not be finite. */
  learn(features: Features, taken: number): void {
    const F = this.#features;
    const { count, groups } = features;
    const scores = this.score(features);
    const shares = this.#shares;
    let highest = -Infinity;
    for (let c = 0; c < count; c++) highest = Math.max(highest, scores[c]!);
    let sum = 0;
    let had = 0;
    for (let c = 0; c < count; c++) {
      sum += shares[c] = Math.exp(scores[c]! - highest);
      if (isReturn(features, F, c)) had++;
    }
    this.#steps++;
    if (!(sum > 0 && sum < Infinity)) return;
    for (let c = 0; c < count; c++) shares[c] = shares[c]! / sum;
    if (had < count && this.#prepareStep(features, taken, false)) {
      const step = STEP / (1 + groups.length);
      this.#step(0, step);
      for (const group of groups) this.#step(1 + group, step);
    }
    if (had > 0 && this.#prepareStep(features, taken, true)) this.#step(this.#sets - 1, STEP);
  }

  /** Writes the weights of each feature under its name, then the curvature of each set. */
  encode(to: ByteWriter): void {
    const F = this.#features;
    to.uint(this.#steps).uint(this.#sets).uint(F);
    for (const [f, name] of this.names.entries()) {
      to.string(name);
      for (let at = f; at < this.#weights.length; at += F) to.f64(this.#weights[at]!);
    }
    for (const curvature of this.#curvatures) curvature.encode(to);
  }

  /**
   * Reads what {@linkcode Blend.encode} wrote. Features that are missing keep their weights, features that no longer
   * exist are skipped, and with a different number of groups nothing is read.
   */
  decode(from: ByteReader): void {
    const F = this.#features;
    const [steps, sets] = [from.uint(), from.uint()];
    const columns: number[] = [];
    for (let n = from.count(); n > 0; n--) {
      const f = this.names.indexOf(from.string());
      columns.push(sets === this.#sets ? f : -1);
      const weights = from.f64s(sets);
      if (columns.at(-1)! >= 0) weights.forEach((weight, set) => this.#weights[set * F + f] = weight);
    }
    for (let set = 0; set < sets; set++) {
      (this.#curvatures[set] ?? new Curvature(F, 1, NEWEST)).decode(from, columns);
    }
    if (sets === this.#sets) this.#steps = steps;
  }

  /**
   * Reads what 0.2.0 wrote: weights without curvature and without those of returns, each followed by an unused number.
   */
  decodeWithoutCurvature(from: ByteReader): void {
    const [steps, sets] = [from.uint(), from.uint()];
    const isKnown = sets === this.#sets - 1;
    for (let n = from.count(); n > 0; n--) {
      const f = this.names.indexOf(from.string());
      const numbers = from.f64s(2 * sets);
      if (f < 0 || !isKnown) continue;
      for (let set = 0; set < sets; set++) this.#weights[set * this.#features + f] = numbers[2 * set]!;
    }
    if (isKnown) this.#steps = steps;
  }

  /**
   * Computes the gradient and curvature of a step into the scratch, over items that the user already had or over new
   * ones.
   *
   * @returns whether its size is plausible
   */
  #prepareStep(features: Features, taken: number, had: boolean): boolean {
    const F = this.#features;
    const { count, values } = features;
    const [mean, outer, shares, known] = [
      this.#gradient.fill(0),
      this.#outer.fill(0),
      this.#shares,
      this.#known,
    ];
    for (let c = 0; c < count; c++) {
      const at = c * F;
      if (isReturn(features, F, c) !== had) continue;
      const p = shares[c]!;
      let size = 0;
      for (let f = 0; f < F; f++) {
        const px = p * values[at + f]!;
        if (px === 0) continue;
        mean[f] = mean[f]! + px;
        known[size++] = f;
        const row = f * F;
        for (let k = 0; k < size; k++) {
          const g = known[k]!;
          outer[row + g] = outer[row + g]! + px * values[at + g]!;
        }
      }
    }
    for (let f = 0; f < F; f++) {
      for (let g = 0; g <= f; g++) outer[f * F + g] = outer[f * F + g]! - mean[f]! * mean[g]!;
    }
    const isTaken = isReturn(features, F, taken) === had;
    let total = 0;
    for (let f = 0; f < F; f++) {
      mean[f] = (isTaken ? values[taken * F + f]! : 0) - mean[f]!;
      total += Math.abs(mean[f]!) + outer[f * F + f]!;
    }
    return total < LARGEST; // false for NaN
  }

  #step(set: number, size: number): void {
    const by = this.#curvatures[set]!.step(this.#gradient, this.#outer);
    if (by === null) return;
    const at = set * this.#features;
    for (let f = 0; f < by.length; f++) this.#weights[at + f] = this.#weights[at + f]! + size * by[f]!;
  }
}
