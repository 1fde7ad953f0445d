/** Counts of pairs of the first categories of behaviours, and of steps from one to the next. */

import type { ByteReader } from "../../codec/byte_reader.ts";
import type { ByteWriter } from "../../codec/byte_writer.ts";
import type { Portions } from "../../values/portions.ts";
import type { KindSums } from "./pair_statistics.ts";
import { BACK, COUNT, FORTH, pairKey, PairTable, PRODUCT, WEIGHT } from "./pair_table.ts";

/** Pseudo-counts of steps from a category, and of its pairs. */
const STEP_PRIOR = 0.5;
const KIND_PRIOR = 2;
/** Brings the sums to the scale of the logarithm of a count. */
const STEP = 0.3;

/**
 * Counts by pair of categories, which are hashes of names. Behaviours are weighed one after the other into a scratch,
 * which is then learnt, or summed for candidates.
 */
export class CategoryPairs {
  #table: PairTable;
  /** Number of steps, and the weight of all pairs, both ways. */
  #steps = 0;
  #weight = 0;
  /** Scratch: the distinct categories of the behaviours, and the number or weight of behaviours of each. */
  readonly #from: Uint32Array;
  readonly #share: Float64Array;
  /** Number of categories in the scratch; the sums of steps and pairs for a category that none of them has met. */
  #size = 0;
  #notStepped = 0;
  #notPaired = 0;

  /** Starts without counts. @param budget Most bytes @param behaviours Most behaviours that are weighed together */
  constructor(budget: number, behaviours: number) {
    this.#table = new PairTable(budget);
    this.#from = new Uint32Array(behaviours);
    this.#share = new Float64Array(behaviours);
  }

  get bytes(): number {
    return this.#table.bytes;
  }

  clear(): void {
    this.#size = 0;
  }

  /** Adds to the weight of a category in the scratch; 0 = none. */
  weigh(category: number, weight: number): void {
    if (category === 0) return;
    let k = 0;
    while (k < this.#size && this.#from[k] !== category) k++;
    if (k === this.#size) {
      this.#from[this.#size++] = category;
      this.#share[k] = 0;
    }
    this.#share[k] = this.#share[k]! + weight;
  }

  /** Counts pairs of the scratch's categories with b. PRODUCT of a category's own entry is the weight of its pairs. */
  learn(b: number): void {
    if (this.#size === 0) return;
    const table = this.#table;
    let all = 0;
    for (let k = 0; k < this.#size; k++) {
      const a = this.#from[k]!, weight = this.#share[k]!;
      all += weight;
      table.increase(pairKey(a, a), PRODUCT, weight);
      const key = pairKey(a, b);
      table.increase(key, WEIGHT, a === b ? 2 * weight : weight);
      if (a !== b) table.increase(key, COUNT, weight);
    }
    table.increase(pairKey(b, b), PRODUCT, all);
    this.#weight += 2 * all;
  }

  /** A category's own entry counts steps to it as COUNT, steps from it as FORTH, and steps to itself as BACK. */
  learnStep(from: number, to: number): void {
    const table = this.#table;
    this.#steps++;
    table.increase(pairKey(to, to), COUNT, 1);
    table.increase(pairKey(from, from), FORTH, 1);
    table.increase(pairKey(from, to), from < to ? FORTH : BACK, 1);
    if (from !== to) table.increase(pairKey(from, to), COUNT, 1);
  }

  /** Prepares the sums over the scratch's categories. */
  prepare(): void {
    this.#notStepped = 0;
    this.#notPaired = 0;
    for (let k = 0; k < this.#size; k++) {
      const from = this.#from[k]!, n = this.#share[k]!;
      this.#notStepped -= n * Math.log1p(this.#own(from, FORTH) / STEP_PRIOR);
      this.#notPaired -= n * Math.log1p(this.#own(from, PRODUCT) / KIND_PRIOR);
    }
  }

  /**
   * Sums over the scratch's categories, for a candidate's category. With f of l steps from a category, prior p and share
   * s: ln((f + ps)/(l + p)/s) = ln(1 + f/ps) − ln(1 + l/p), where the second term is the same for all candidates.
   */
  sumsWith(to: number): Omit<KindSums, "affinity"> {
    const share = STEP_PRIOR * (this.#own(to, COUNT) + 1) / (this.#steps + 1);
    const weightShare = KIND_PRIOR * (this.#own(to, PRODUCT) + 1) / (this.#weight + 1);
    let steps = this.#notStepped, kinds = this.#notPaired, common = 0;
    const table = this.#table, { numbers } = table;
    for (let k = 0; k < this.#size; k++) {
      const from = this.#from[k]!, n = this.#share[k]!;
      const at = table.find(pairKey(from, to));
      if (at < 0) continue;
      const followed = numbers[at + (from < to ? FORTH : BACK)]!;
      const weight = numbers[at + WEIGHT]!;
      if (followed > 0) steps += n * Math.log1p(followed / share);
      if (weight > 0) {
        kinds += n * Math.log1p(weight / weightShare);
        common += n * Math.log1p(weight);
      }
    }
    return { steps: STEP * steps, kinds: STEP * kinds, common: STEP * common };
  }

  /** A copy of the counts. */
  clone(): CategoryPairs {
    const clone = new CategoryPairs(0, 0);
    clone.#table = this.#table.clone();
    clone.#steps = this.#steps;
    clone.#weight = this.#weight;
    return clone;
  }

  encodeTotals(to: ByteWriter): void {
    to.uint(this.#steps).f64(this.#weight);
  }

  decodeTotals(from: ByteReader): void {
    this.#steps = from.uint();
    this.#weight = from.f64();
  }

  /** Writes the counts of all pairs: same behaviours, same bytes. */
  encode(to: ByteWriter): Portions {
    return this.#table.encode(to);
  }

  /** Reads bytes of {@linkcode CategoryPairs.encode}. @throws SyntaxError */
  decode(from: ByteReader): Portions {
    return this.#table.decode(from);
  }

  /** A number of a category's own entry. */
  #own(category: number, number: number): number {
    return this.#table.get(pairKey(category, category), number);
  }
}
