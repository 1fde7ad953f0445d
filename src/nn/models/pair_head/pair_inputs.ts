/**
 * What the network reads of each pair: values of the pair, its behaviour and its candidate, and combinations of them.
 * Counts differ by orders of magnitude between a quiet shop and a busy one, so all inputs are standardised.
 */

import type { Kernels } from "../../kernels/kernels.ts";
import { PLAIN } from "../../kernels/plain.ts";
import type { PairHeadInput } from "./pair_head.ts";
import type { PairList, PairNames } from "./pair_list.ts";

/** Values of a candidate that are inputs of each of its pairs. */
const OF_CANDIDATE: readonly string[] = ["count"];
/** Products of a value of the pair and one of its behaviour. */
const PRODUCTS: readonly (readonly [pair: string, behaviour: string])[] = [["far", "strength"]];
/** A count relative to how often each of the two items occurs: its logarithm minus fractions of theirs. */
const RELATIVE = { pair: "far", behaviour: 0.5, candidate: 0.2 } as const;
/** Standardised values are clipped to ± this. */
const CLIP = 5;

/** Maps values to (x − mean) · inverseDeviation. */
export interface Scales {
  /** By value. */
  readonly mean: Float32Array;
  /** By value; 0 maps every x to 0. */
  readonly inverseDeviation: Float32Array;
}

/** How the values of lists are mapped. */
export interface PairScales {
  /** Inputs of pairs [P]. */
  readonly pairs: Scales;
  /** Values of candidates [B]. */
  readonly candidates: Scales;
}

/** Computes the inputs of the network from the values of a list. */
export class PairInputs {
  /** Names of the inputs of a pair, P. */
  readonly names: readonly string[];
  readonly #sizes: readonly [pairs: number, behaviours: number, candidates: number];
  readonly #candidates: readonly number[];
  readonly #kernels: Kernels;
  readonly #products: readonly (readonly [pair: number, behaviour: number])[];
  readonly #relative: readonly [pair: number, behaviour: number, candidate: number];
  #pairs: Float32Array = new Float32Array(0);
  #blend: Float32Array = new Float32Array(0);

  /** Computes inputs for lists with values of these names. */
  constructor({ pairs, behaviours, candidates }: PairNames, kernels: Kernels = PLAIN) {
    this.#kernels = kernels;
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

  /** Unscaled inputs of a list; valid until the next call. Half the work of {@linkcode PairInputs.of}. */
  raw({ H, K, pairs, behaviours, candidates, scores }: PairList): PairHeadInput {
    const P = this.names.length;
    const [V, A, B] = this.#sizes;
    const length = K * H * P;
    if (this.#pairs.length < length) this.#pairs = this.#kernels.floats(2 * length);
    const values = this.#pairs;
    // Column by column, in tight loops. A missing value counts as 0.
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

  /** Inputs of a list, standardised and clipped; valid until the next call. */
  of(list: PairList, scales: PairScales): PairHeadInput {
    const { H, K, scores } = list;
    const length = K * H * this.names.length;
    if (this.#pairs.length < length) this.#pairs = this.#kernels.floats(2 * length);
    this.#writePairs(list, scales.pairs);
    this.#writeCandidates(list, scales.pairs);
    return {
      H,
      K,
      pairs: this.#pairs.subarray(0, length),
      blend: this.#blendOf(list, scales.candidates),
      scores,
    };
  }

  /** Writes all inputs of pairs except the candidates' values, column by column. A missing value counts as 0. */
  #writePairs(
    { H, K, pairs, behaviours, candidates }: PairList,
    { mean, inverseDeviation }: Scales,
  ): void {
    const [V, A, B] = this.#sizes;
    const values = this.#pairs, P = this.names.length, rows = K * H;
    for (let v = 0; v < V; v++) {
      const [middle, factor] = [mean[v]!, inverseDeviation[v]!];
      for (let row = 0, from = v, to = v; row < rows; row++, from += V, to += P) {
        values[to] = scaled(pairs[from]!, middle, factor);
      }
    }
    for (let a = 0, column = V; a < A; a++, column++) {
      for (let j = 0; j < H; j++) {
        const x = scaled(behaviours[j * A + a]!, mean[column]!, inverseDeviation[column]!);
        for (let i = 0, to = j * P + column; i < K; i++, to += H * P) values[to] = x;
      }
    }
    let column = V + A + this.#candidates.length;
    for (const [pair, behaviour] of this.#products) {
      const isThere = pair >= 0 && behaviour >= 0;
      const [middle, factor] = [mean[column]!, inverseDeviation[column]!];
      for (let i = 0, row = 0, to = column; i < K; i++) {
        for (let j = 0; j < H; j++, row++, to += P) {
          const product = isThere ? pairs[row * V + pair]! * behaviours[j * A + behaviour]! : 0;
          values[to] = scaled(Math.fround(product), middle, factor);
        }
      }
      column++;
    }
    const [far, count, own] = this.#relative;
    const [middle, factor] = [mean[column]!, inverseDeviation[column]!];
    for (let i = 0, row = 0, to = column; i < K; i++) {
      const candidate = own < 0 ? 0 : RELATIVE.candidate * candidates[i * B + own]!;
      for (let j = 0; j < H; j++, row++, to += P) {
        const behaviour = count < 0 ? 0 : RELATIVE.behaviour * behaviours[j * A + count]!;
        const relative = (far < 0 ? 0 : pairs[row * V + far]!) - behaviour - candidate;
        values[to] = scaled(Math.fround(relative), middle, factor);
      }
    }
  }

  /** Writes the inputs that all pairs of a candidate share. */
  #writeCandidates({ H, K, candidates }: PairList, { mean, inverseDeviation }: Scales): void {
    const [V, A, B] = this.#sizes;
    const values = this.#pairs, P = this.names.length;
    for (const [n, place] of this.#candidates.entries()) {
      const column = V + A + n;
      for (let i = 0, to = column; i < K; i++) {
        const x = scaled(
          place < 0 ? 0 : candidates[i * B + place]!,
          mean[column]!,
          inverseDeviation[column]!,
        );
        for (let j = 0; j < H; j++, to += P) values[to] = x;
      }
    }
  }

  #blendOf({ K, candidates }: PairList, { mean, inverseDeviation }: Scales): Float32Array {
    const B = this.#sizes[2];
    if (this.#blend.length < K * B) this.#blend = this.#kernels.floats(2 * K * B);
    const blend = this.#blend.subarray(0, K * B);
    for (let i = 0, at = 0; i < K; i++) {
      for (let b = 0; b < B; b++, at++) {
        blend[at] = scaled(candidates[at]!, mean[b]!, inverseDeviation[b]!);
      }
    }
    return blend;
  }
}

function placesOf(names: readonly string[], wanted: readonly string[]): number[] {
  return wanted.map((name) => names.indexOf(name));
}

function scaled(value: number, mean: number, inverseDeviation: number): number {
  const x = (value - mean) * inverseDeviation;
  return x > CLIP ? CLIP : x < -CLIP ? -CLIP : x;
}
