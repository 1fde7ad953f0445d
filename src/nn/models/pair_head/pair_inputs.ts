/**
 * What the network reads of each pair: values of the pair, of its behaviour and of its candidate, and what is made of
 * several of them. Counts of a quiet shop and of a busy one differ by orders of magnitude, so all of it is standardised.
 *
 * @module
 */

import type { PairHeadInput } from "./pair_head.ts";
import type { PairList, PairNames } from "./pair_list.ts";

/** Values of candidates that are an input of each of their pairs. */
const OF_CANDIDATE: readonly string[] = ["count"];
/** Products of a value of the pair and one of its behaviour. */
const PRODUCTS: readonly (readonly [pair: string, behaviour: string])[] = [["far", "strength"]];
/** A count relative to how often both items are met: its logarithm less shares of theirs. */
const RELATIVE = { pair: "far", behaviour: 0.5, candidate: 0.2 } as const;
/** Standardised values are cut off beyond ± this. */
const CLIP = 5;

/** Maps values to (x − mean) · inverseDeviation. */
export interface Scales {
  /** By value. */
  readonly mean: Float32Array;
  /** By value; 0 maps all to 0. */
  readonly inverseDeviation: Float32Array;
}

/** How the values of lists are mapped. */
export interface PairScales {
  /** Inputs of pairs [P]. */
  readonly pairs: Scales;
  /** Values of candidates [B]. */
  readonly candidates: Scales;
}

/** Makes inputs of values. */
export class PairInputs {
  /** Names of the inputs of a pair, P. */
  readonly names: readonly string[];
  readonly #sizes: readonly [pairs: number, behaviours: number, candidates: number];
  readonly #candidates: readonly number[];
  readonly #products: readonly (readonly [pair: number, behaviour: number])[];
  readonly #relative: readonly [pair: number, behaviour: number, candidate: number];
  #pairs = new Float32Array(0);
  #blend = new Float32Array(0);

  /** Inputs of lists with values of these names. */
  constructor({ pairs, behaviours, candidates }: PairNames) {
    this.#sizes = [pairs.length, behaviours.length, candidates.length];
    this.#candidates = placesOf(candidates, OF_CANDIDATE);
    this.#products = PRODUCTS.map((
      [pair, behaviour],
    ) => [pairs.indexOf(pair), behaviours.indexOf(behaviour)]);
    this.#relative = [pairs.indexOf(RELATIVE.pair), behaviours.indexOf("count"), candidates.indexOf("count")];
    this.names = [
      ...pairs,
      ...behaviours.map((name) => `behaviour: ${name}`),
      ...OF_CANDIDATE.map((name) => `candidate: ${name}`),
      ...PRODUCTS.map((names) => names.join(" × ")),
      `relative ${RELATIVE.pair}`,
    ];
  }

  /** Inputs of a list as they are; valid until the next call. */
  raw({ H, K, pairs, behaviours, candidates, scores }: PairList): PairHeadInput {
    const P = this.names.length;
    const [V, A, B] = this.#sizes;
    const length = K * H * P;
    if (this.#pairs.length < length) this.#pairs = new Float32Array(2 * length);
    const values = this.#pairs;
    // Column by column, in tight loops. What is not there says nothing.
    const rows = K * H;
    let column = 0;
    for (let v = 0; v < V; v++, column++) {
      for (let row = 0, to = column; row < rows; row++, to += P) values[to] = pairs[row * V + v]!;
    }
    for (let a = 0; a < A; a++, column++) {
      for (let j = 0; j < H; j++) {
        const x = behaviours[j * A + a]!;
        for (let i = 0, to = j * P + column; i < K; i++, to += H * P) values[to] = x;
      }
    }
    for (const own of this.#candidates) {
      for (let i = 0, to = column; i < K; i++) {
        const x = own < 0 ? 0 : candidates[i * B + own]!;
        for (let j = 0; j < H; j++, to += P) values[to] = x;
      }
      column++;
    }
    for (const [pair, behaviour] of this.#products) {
      for (let i = 0, row = 0, to = column; i < K; i++) {
        for (let j = 0; j < H; j++, row++, to += P) {
          values[to] = pair < 0 || behaviour < 0
            ? 0
            : pairs[row * V + pair]! * behaviours[j * A + behaviour]!;
        }
      }
      column++;
    }
    const [far, count, own] = this.#relative;
    for (let i = 0, row = 0, to = column; i < K; i++) {
      const candidate = own < 0 ? 0 : RELATIVE.candidate * candidates[i * B + own]!;
      for (let j = 0; j < H; j++, row++, to += P) {
        const behaviour = count < 0 ? 0 : RELATIVE.behaviour * behaviours[j * A + count]!;
        values[to] = (far < 0 ? 0 : pairs[row * V + far]!) - behaviour - candidate;
      }
    }
    return { H, K, pairs: values.subarray(0, length), blend: candidates, scores };
  }

  /** Standardised inputs of a list; valid until the next call. */
  of(list: PairList, scales: PairScales): PairHeadInput {
    const input = this.raw(list);
    const { length } = input.blend;
    if (this.#blend.length < length) this.#blend = new Float32Array(2 * length);
    const blend = this.#blend.subarray(0, length);
    standardise(input.blend, scales.candidates, blend);
    standardise(input.pairs, scales.pairs, input.pairs);
    return { ...input, blend };
  }
}

function placesOf(names: readonly string[], wanted: readonly string[]): number[] {
  return wanted.map((name) => names.indexOf(name));
}

/** Maps rows of values into `to`, which may be the same array. */
function standardise(rows: Float32Array, { mean, inverseDeviation }: Scales, to: Float32Array): void {
  const columns = mean.length;
  // By column: its mean and deviation stay in registers.
  for (let v = 0; v < columns; v++) {
    const m = mean[v]!, inverse = inverseDeviation[v]!;
    for (let at = v; at < rows.length; at += columns) {
      const x = (rows[at]! - m) * inverse;
      to[at] = x > CLIP ? CLIP : x < -CLIP ? -CLIP : x;
    }
  }
}
