/**
 * A conditional logit over a few scores, learnt online by Newton steps, like the blend (`blend.ts`): how much should
 * each part count?
 */

import type { ByteReader } from "../../codec/byte_reader.ts";
import type { ByteWriter } from "../../codec/byte_writer.ts";
import { Curvature } from "../../nn/optimisers/curvature.ts";

/** How strongly weights are held at their initial values, in steps of one nat each. */
const PRECISION = 30;
/** Steps whose curvature is kept: few weights need few steps, and so they soon follow a part that has changed. */
const NEWEST = 1000;
/** The smallest weight: a part whose order is reversed is left out, not inverted. */
const LEAST = 1e-3;

/** The mapped scores of a list, by part; only of parts that exist. */
export type Mapped = readonly Float64Array[];

export class Choice {
  /** Indices of the parts. */
  readonly parts: readonly number[];
  readonly #weights: Float64Array;
  readonly #before: Float64Array;
  readonly #curvature: Curvature;
  readonly #gradient: Float64Array;
  readonly #outer: Float64Array;
  #shares = new Float64Array(0);

  /** @param begin Initial weights */
  constructor(parts: readonly number[], begin: readonly number[]) {
    this.parts = parts;
    this.#weights = Float64Array.from(begin);
    this.#before = new Float64Array(parts.length);
    this.#curvature = new Curvature(parts.length, PRECISION, NEWEST);
    this.#gradient = new Float64Array(parts.length);
    this.#outer = new Float64Array(parts.length ** 2);
  }

  get weights(): Readonly<Float64Array> {
    return this.#weights;
  }

  /** Computes the scores of `size` candidates. */
  score(of: Mapped, size: number, into: Float64Array): void {
    into.fill(0, 0, size);
    for (const [at, part] of this.parts.entries()) {
      const [weight, z] = [this.#weights[at]!, of[part]!];
      for (let i = 0; i < size; i++) into[i] = into[i]! + weight * z[i]!;
    }
  }

  /**
   * Makes a step towards the candidate that was taken.
   *
   * @param scores The result of {@linkcode Choice.score}
   * @returns The probability that these scores gave the candidate
   */
  learn(of: Mapped, scores: Float64Array, { size, taken, weight }: Taken): number {
    const { parts } = this;
    const F = parts.length;
    if (this.#shares.length < size) this.#shares = new Float64Array(2 * size);
    const shares = this.#shares;
    let [highest, sum] = [-Infinity, 0];
    for (let i = 0; i < size; i++) highest = Math.max(highest, scores[i]!);
    for (let i = 0; i < size; i++) sum += shares[i] = Math.exp(scores[i]! - highest);
    const [gradient, outer] = [this.#gradient, this.#outer.fill(0)];
    for (let f = 0; f < F; f++) {
      const z = of[parts[f]!]!;
      let mean = 0;
      for (let i = 0; i < size; i++) mean += shares[i]! * z[i]!;
      gradient[f] = mean / sum;
    }
    for (let f = 0; f < F; f++) {
      const z = of[parts[f]!]!;
      for (let g = 0; g <= f; g++) {
        const other = of[parts[g]!]!;
        let product = 0;
        for (let i = 0; i < size; i++) product += shares[i]! * z[i]! * other[i]!;
        outer[f * F + g] = weight * (product / sum - gradient[f]! * gradient[g]!);
      }
    }
    for (let f = 0; f < F; f++) gradient[f] = weight * (of[parts[f]!]![taken]! - gradient[f]!);
    const step = this.#curvature.step(gradient, outer, weight);
    this.#before.set(this.#weights);
    if (step !== null) { for (let f = 0; f < F; f++) this.#move(f, step[f]!); }
    return shares[taken]! / sum;
  }

  /** How far the last step moved the weight of a part, counting only what is above the smallest weight. */
  moved(part: number, above = 0): number {
    const at = this.parts.indexOf(part);
    return Math.max(above, this.#weights[at]!) - Math.max(above, this.#before[at]!);
  }

  /** Moves weights without a list. @param by how far, by part */
  move(by: (part: number) => number): void {
    for (const [at, part] of this.parts.entries()) this.#move(at, by(part));
  }

  #move(at: number, by: number): void {
    if (by !== 0) this.#weights[at] = Math.max(LEAST, this.#weights[at]! + by);
  }

  encode(to: ByteWriter): void {
    to.f64s(this.#weights);
    this.#curvature.encode(to);
  }

  /** Reads what {@linkcode Choice.encode} wrote, of the same parts. */
  decode(from: ByteReader): void {
    this.#weights.set(from.f64s(this.#weights.length));
    this.#curvature.decode(from, [...this.parts.keys()]);
  }
}

/** Which candidate of a list was taken. */
export interface Taken {
  readonly size: number;
  /** The place of the one that was taken. */
  readonly taken: number;
  /** How much the list counts, in (0, 1]. */
  readonly weight: number;
}
