/** Tests whether users arrive in the arms in the intended ratio, valid after every user. */

import type { ByteReader } from "../codec/byte_reader.ts";
import type { ByteWriter } from "../codec/byte_writer.ts";

/** Probability of ever raising a false alarm. */
const ALPHA = 0.01;

/** Options of {@linkcode SampleRatio}. */
export interface SampleRatioOptions {
  /**
   * Weight of the prior, in users: the larger it is, the smaller the deviation that the test detects best; one
   * percentage point by default.
   *
   * @default {2500}
   */
  readonly concentration?: number;
}

/**
 * Sequential test of a multinomial against given shares, by its Bayes factor with a Dirichlet prior around them
 * (Lindon and Malek, "Anytime-valid inference for multinomial count data", NeurIPS 2022):
 *
 * after each user of arm i, B ← B · (k θᵢ + xᵢ) / (k + n) / θᵢ
 *
 * B is a martingale that starts at 1 when the shares are right, so P(B ever ≥ 1/α) ≤ α. If the shares s differ from user
 * to user, B ← B · ρᵢ / Σⱼ sⱼ ρⱼ with ρᵢ = (k θᵢ + xᵢ) / (k θᵢ + Σ sᵢ), the sum over earlier users.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { SampleRatio } from "@meander/meander/experiments";
 *
 * const ratio = new SampleRatio([0.5, 0.5]);
 * for (let user = 0; user < 1000; user++) ratio.update(user % 4 === 0 ? 0 : 1);
 * assert.ok(ratio.mismatch);
 * assert.deepEqual(ratio.counts, [250, 750]);
 * ```
 */
export class SampleRatio {
  readonly #shares: readonly number[];
  readonly #concentration: number;
  readonly #counts: number[];
  /** Users expected in each arm so far, beyond n θ. */
  readonly #excess: number[];
  #n = 0;
  #logFactor = 0;
  #largest = 0;

  /**
   * Makes a test without users.
   *
   * @param shares intended share of each arm, above 0; they sum to 1
   * @throws RangeError when they do not
   */
  constructor(shares: readonly number[], { concentration = 2500 }: SampleRatioOptions = {}) {
    const sum = shares.reduce((sum, share) => sum + share, 0);
    if (shares.some((share) => !(share > 0)) || Math.abs(sum - 1) > 1e-9) {
      throw new RangeError(`Cannot take ${shares.join(", ")} as shares: they must be above 0 and sum to 1`);
    }
    this.#shares = shares;
    this.#concentration = concentration;
    this.#counts = shares.map(() => 0);
    this.#excess = shares.map(() => 0);
  }

  /** Number of users per arm. */
  get counts(): readonly number[] {
    return this.#counts;
  }

  /** Anytime-valid p-value: the smallest α that would have raised the alarm. */
  get p(): number {
    return Math.min(1, Math.exp(-this.#largest));
  }

  /** Whether the alarm was raised, which is permanent. */
  get mismatch(): boolean {
    return this.p <= ALPHA;
  }

  /**
   * Counts a new user of an arm.
   *
   * @param shares probability of each arm for this user, given those before
   * @throws RangeError when the arm does not exist
   */
  update(arm: number, shares: readonly number[] = this.#shares): void {
    if (this.#shares[arm] === undefined) {
      throw new RangeError(`Cannot count a user of arm ${arm}: there is none`);
    }
    const k = this.#concentration;
    const rates = this.#shares.map((share, i) =>
      (k * share + this.#counts[i]!) / ((k + this.#n) * share + this.#excess[i]!)
    );
    const mean = rates.reduce((sum, rate, i) => sum + shares[i]! * rate, 0);
    this.#logFactor += Math.log(rates[arm]! / mean);
    for (const [i, share] of this.#shares.entries()) this.#excess[i]! += shares[i]! - share;
    this.#counts[arm]!++;
    this.#n++;
    this.#largest = Math.max(this.#largest, this.#logFactor);
  }

  /** @internal Encodes the counts. */
  encode(to: ByteWriter): void {
    for (const count of this.#counts) to.uint(count);
    to.f64(this.#logFactor).f64(this.#largest);
  }

  /** @internal Replaces its state with the output of {@linkcode SampleRatio.encode} for the same shares. */
  decode(from: ByteReader): void {
    for (let arm = 0; arm < this.#counts.length; arm++) this.#counts[arm] = from.uint();
    this.#n = this.#counts.reduce((sum, count) => sum + count, 0);
    this.#logFactor = from.f64();
    this.#largest = from.f64();
    this.#excess.fill(0);
  }

  /** @internal Encodes what {@linkcode SampleRatio.encode} omits: the users expected where shares differ. */
  encodeExcess(to: ByteWriter): void {
    for (const excess of this.#excess) to.f64(excess);
  }

  /** @internal Decodes the output of {@linkcode SampleRatio.encodeExcess}. */
  decodeExcess(from: ByteReader): void {
    for (let arm = 0; arm < this.#excess.length; arm++) this.#excess[arm] = from.f64();
  }
}

/**
 * The share of one arm's users that must be lost for {@linkcode SampleRatio} with defaults to detect it in about 95 %
 * of cases: z / √(n θ (1 − θ)). A test read once would have z = 4.22 at its α of 1 %; this test may be read at any
 * time, which takes z = 5.
 *
 * @param users All users, n; from 5,000 on. With fewer, the test detects less than this.
 * @param share Intended share of the arm, θ in (0, 1).
 */
export function seenLoss(users: number, share: number): number {
  return 5 / Math.sqrt(users * share * (1 - share));
}
