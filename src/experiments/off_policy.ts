/**
 * Off-policy evaluation: estimates what another policy would have earned, from a log with the probability of each
 * choice. docs/explanation/off-policy.md derives the estimators.
 *
 * With places k = 1..K of a list, w_k = π(choice)/μ(choice) given the items above, P_k = w_1 · … · w_k (P_0 = 1), and
 * W_k the weight that the *slate* assumption gives place k:
 *
 * ```text
 *   cascade    W_k = P_k    a place's reward depends on what stands there and above (RIPS, McInerney et al., KDD 2020)
 *   standard   W_k = P_K    … and on the whole list
 *
 *   IPS       Σ_k W_k r_k
 *   SNIPS     Σ_k (Σ_lists W_k r_k) / (Σ_lists W_k)                 Swaminathan and Joachims, NeurIPS 2015
 *   DR        Σ_k W_k (r_k − q_k) + P_{k−1} V_k                     Dudík et al., ICML 2011; Kiyohara et al., WSDM 2022
 * ```
 *
 * q is any prediction of the reward given the item and those above, V_k = Σ_a π(a) q(a) its expectation for place k.
 * With true probabilities, π(a) = 0 where μ(a) = 0, and rewards that satisfy the slate assumption:
 *
 * - IPS and DR have no bias, however bad q is: E[W_k q_k] = E_π[q_k] = E[P_{k−1} V_k], since each factor w has the mean 1
 *   given what stands above it;
 * - SNIPS is consistent: places beyond the end of a list earn nothing, with the weight P_K;
 * - cut weights (`clip`) bias all of them.
 *
 * There is no estimator for independent places: its weights would be ratios of an item's marginal probabilities at a
 * place, which a log does not hold.
 *
 * @module
 */

import { mulberry32 } from "../draws/random.ts";
import type { Interval } from "../metrics/confidence_sequence.ts";

/** A place of a logged list. */
export interface LoggedPlace {
  /** Probability of this item under the target policy, given those above. */
  readonly target: number;
  /** Probability of this item under the logging policy, given those above; above 0. */
  readonly logged: number;
  /** Observed reward. */
  readonly reward: number;
  /** Reward that a model predicts for this item. */
  readonly predicted: number;
  /** Reward that the model predicts under the target policy: Σ π(a) q(a). */
  readonly expected: number;
}

/** A logged list. */
export interface LoggedList {
  /** Unit of independence, such as the user. */
  readonly unit: string;
  /** The places, from the top. */
  readonly places: readonly LoggedPlace[];
}

/** The estimators. */
export const ESTIMATORS = ["ips", "snips", "dr"] as const;

/** One of {@linkcode ESTIMATORS}. */
export type EstimatorName = typeof ESTIMATORS[number];

/** What the reward of a place depends on: the places above (`cascade`) or the whole list (`standard`). */
export const SLATES = ["cascade", "standard"] as const;

/** One of {@linkcode SLATES}. */
export type Slate = typeof SLATES[number];

/** Options of {@linkcode evaluatePolicy}. */
export interface EvaluationOptions {
  /**
   * What the reward of a place depends on: the places above (`cascade`) or the whole list (`standard`).
   *
   * @default {"cascade"}
   */
  readonly slate?: Slate | undefined;
  /** Upper bound of the weights: reduces variance for an unknown bias. @default {no cut} */
  readonly clip?: number | undefined;
  /** Resamples of the bootstrap; 0 turns it off. @default {1000} */
  readonly resamples?: number | undefined;
  /** Seed of the bootstrap. @default {0} */
  readonly seed?: number | undefined;
  /** Whether to estimate even when the estimates are unreliable. @default {false} */
  readonly force?: boolean | undefined;
}

/** An estimate of the mean reward per list. */
export interface PolicyEstimate {
  /** The estimator. */
  readonly estimator: EstimatorName;
  /** The estimate. */
  readonly value: number;
  /** 95 % interval of the normal approximation, over units. */
  readonly normal: Interval;
  /** 95 % percentile interval of the bootstrap over units; `null` without resamples. */
  readonly bootstrap: Interval | null;
}

/** How well the log covers the policy. */
export interface Overlap {
  /** Mean weight of the last place; 1 in expectation when the log covers the policy. */
  readonly meanWeight: number;
  /** Its standard error. */
  readonly meanWeightError: number;
  /** Effective sample size (Σ W)²/Σ W² of the last place, in lists. */
  readonly effective: number;
  /** The largest weight. */
  readonly maxWeight: number;
  /** Share of the weight of the last place that `clip` cuts: so much of what the policy would do is left out. */
  readonly cut: number;
  /** Number of lists by weight: 0, then powers of 2 from below 2⁻⁶ to 2⁶ and more. */
  readonly histogram: readonly number[];
}

/** The result of {@linkcode evaluatePolicy}. */
export interface Evaluation {
  /** Lists of the log. */
  readonly lists: number;
  /** Independent units among them. */
  readonly units: number;
  /** Mean reward per list of the policy that made the log. */
  readonly logged: number;
  /** Half-width of the 95 % interval of `logged`. */
  readonly loggedError: number;
  /** How well the log covers the policy. */
  readonly overlap: Overlap;
  /** Why the estimates are unreliable, one sentence each; empty when reliable. */
  readonly refusals: readonly string[];
  /** The estimates; empty when unreliable. */
  readonly estimates: readonly PolicyEstimate[];
}

const Z95 = 1.959963984540054;
/** Deviation of the mean weight from 1, absolute and in standard errors, above which support counts as missing. */
const SUPPORT_MISSING = 0.01, SUPPORT_ERRORS = 3;

/** Tolerance of sums of probabilities. */
const ROUNDING = 1e-9;
/** Lowest effective sample size, as a share of the lists. */
const MIN_EFFECTIVE = 0.1;
/** Fewest effective units, and units that carry a spread: intervals over fewer cover less than stated. */
const MIN_UNITS = 30, MIN_CARRIERS = 10;

/** Columns of a unit's sums; Σ W_k and Σ W_k r_k of place k follow at PLACES + 2k. */
const LISTS = 0;
const REWARD = 1;
const IPS = 2;
const DR = 3;
const PLACES = 4;

/**
 * Estimates the mean reward per list of a policy from logged lists.
 *
 * @throws RangeError When the log is empty, a probability is invalid, a logged one is 0, or a reward or prediction is
 * not finite.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { evaluatePolicy } from "@meander/meander/evaluation";
 *
 * const log = Array.from({ length: 1000 }, (_, n) => ({
 *   unit: `u${n}`,
 *   places: [{ logged: 0.5, target: n % 2, reward: n % 2, predicted: 0.5, expected: 0.5 }],
 * }));
 * const { logged, estimates } = evaluatePolicy(log);
 * assert.deepEqual([logged, estimates[0]?.value], [0.5, 1]); // it always makes the choice that is rewarded
 * ```
 */
export function evaluatePolicy(log: Iterable<LoggedList>, options: EvaluationOptions = {}): Evaluation {
  const { slate = "cascade", clip = Infinity, resamples = 1000, seed = 0 } = options;
  const units = new Map<string, number[]>();
  const last: number[] = [];
  let uncut = 0;
  const lists = [...log];
  const longest = lists.reduce((most, { places }) => Math.max(most, places.length), 0);
  const width = PLACES + 2 * longest;
  const spreads = Array.from({ length: longest }, () => ({ weight: 0, squares: 0, rewards: 0 }));
  for (const { unit, places } of lists) {
    const sums = units.get(unit) ?? new Array<number>(width).fill(0);
    units.set(unit, sums);
    const products = productsOf(places);
    const whole = products.at(-1) ?? 1;
    const cut = (weight: number) => Math.min(clip, weight);
    sums[LISTS]!++;
    places.forEach(({ reward, predicted, expected }, k) => {
      const weight = cut(slate === "cascade" ? products[k]! : whole);
      const baseline = cut(products[k - 1] ?? 1) * expected;
      sums[REWARD]! += reward;
      sums[IPS]! += weight * reward;
      sums[DR]! += weight * (reward - predicted) + baseline;
      sums[PLACES + 2 * k]! += weight;
      sums[PLACES + 2 * k + 1]! += weight * reward;
      const spread = spreads[k]!;
      spread.weight += weight;
      spread.squares += weight * weight;
      spread.rewards += weight * reward * reward;
    });
    for (let k = places.length; k < longest; k++) sums[PLACES + 2 * k]! += cut(whole);
    last.push(cut(whole));
    uncut += whole;
  }
  if (last.length === 0) throw new RangeError("Cannot evaluate a policy on an empty log");
  const table = new Table([...units.values()], width);
  const overlap = overlapOf(last, uncut);
  const refusals = [...refusalsOfUnits(table, spreads), ...refusalsOf(overlap, last.length, options)];
  const given = refusals.length === 0 || options.force === true ? ESTIMATORS : [];
  const resampled = given.length > 0 && resamples > 0 ? table.bootstrap(resamples, seed) : null;
  return {
    lists: last.length,
    units: units.size,
    logged: mean(REWARD)(table.total),
    loggedError: Z95 * table.error(REWARD),
    overlap,
    refusals,
    estimates: given.map((estimator) => {
      const value = VALUE[estimator](table.total);
      const error = estimator === "snips" ? table.selfNormalisedError() : table.error(COLUMN[estimator]);
      return {
        estimator,
        value,
        normal: { low: value - Z95 * error, high: value + Z95 * error },
        bootstrap: resampled === null ? null : percentiles(resampled.map(VALUE[estimator])),
      };
    }),
  };
}

const COLUMN = { ips: IPS, dr: DR } as const;

/** The estimators as functions of the log's sums. */
const VALUE: Readonly<Record<EstimatorName, (sums: Float64Array) => number>> = {
  ips: mean(IPS),
  dr: mean(DR),
  snips: (sums) => {
    let value = 0;
    for (let at = PLACES; at < sums.length; at += 2) value += sums[at] === 0 ? 0 : sums[at + 1]! / sums[at]!;
    return value;
  },
};

function mean(column: number): (sums: Float64Array) => number {
  return (sums) => sums[column]! / sums[LISTS]!;
}

/** The sums of all units, row by row. */
class Table {
  readonly total: Float64Array;
  readonly #rows: Float64Array;
  readonly #units: number;
  readonly #width: number;

  constructor(units: readonly (readonly number[])[], width: number) {
    this.#units = units.length;
    this.#width = width;
    this.#rows = new Float64Array(units.length * width);
    units.forEach((sums, u) => this.#rows.set(sums, u * width));
    this.total = this.#sum((u) => u);
  }

  /**
   * (Σ|x|)²/Σx² over the units' sums of a column: the number of units if all sums were equal or 0.
   *
   * @param least Σx² counts as at least this
   */
  effectiveUnits(column: number, least = 0): number {
    const norm = Math.max(this.#norm((at) => this.#rows[at + column]!), Math.sqrt(least));
    let sum = 0;
    for (let u = 0; u < this.#units; u++) sum += Math.abs(this.#rows[u * this.#width + column]!);
    return norm === 0 ? 0 : (sum / norm) ** 2;
  }

  /**
   * (Σd²)²/Σd⁴ over the deviations d of the units' weights of the last place from 1 per list: the number of units that
   * account for the spread of the weights; Infinity without spread.
   */
  get weightCarriers(): number {
    const deviation = (at: number) => this.#rows[at + this.#width - 2]! - this.#rows[at]!;
    const fourth = this.#norm((at) => deviation(at) ** 2);
    return fourth === 0 ? Infinity : (this.#norm(deviation) ** 2 / fourth) ** 2;
  }

  /** Standard error of a mean per list, over units (delta method). */
  error(column: number): number {
    const value = this.total[column]! / this.total[LISTS]!;
    return this.#widened(
      this.#norm((at) => (this.#rows[at + column]! - value * this.#rows[at]!) / this.total[LISTS]!),
    );
  }

  /** Standard error of SNIPS: the sum of the influences of its ratios. */
  selfNormalisedError(): number {
    return this.#widened(this.#norm((at) => {
      let influence = 0;
      for (let c = PLACES; c < this.#width; c += 2) {
        const weight = this.total[c]!;
        if (weight === 0) continue;
        influence += (this.#rows[at + c + 1]! - this.total[c + 1]! / weight * this.#rows[at + c]!) / weight;
      }
      return influence;
    }));
  }

  /** The sums of resamples of the units. */
  bootstrap(resamples: number, seed: number): Float64Array[] {
    const random = mulberry32(seed);
    return Array.from(
      { length: resamples },
      () => this.#sum(() => Math.floor(random() * this.#units)),
    );
  }

  /** Scales by √(U/(U − 1)): residuals of U units about their own mean are too small, and undefined for one unit. */
  #widened(error: number): number {
    return this.#units < 2 ? Infinity : error * Math.sqrt(this.#units / (this.#units - 1));
  }

  #sum(pick: (n: number) => number): Float64Array {
    const width = this.#width;
    const sums = new Float64Array(width);
    for (let n = 0; n < this.#units; n++) {
      const at = pick(n) * width;
      for (let c = 0; c < width; c++) sums[c]! += this.#rows[at + c]!;
    }
    return sums;
  }

  /** √ Σ f² over units; `f` gets the index of a unit's row. */
  #norm(f: (at: number) => number): number {
    let sum = 0;
    for (let u = 0; u < this.#units; u++) sum += f(u * this.#width) ** 2;
    return Math.sqrt(sum);
  }
}

/**
 * The interval of B resampled values. Since a further value is equally likely to fall into each of the B + 1 gaps
 * around them, the ends are the interpolated order statistics 0.025 (B + 1) and 0.975 (B + 1), from 1 (Davison and
 * Hinkley, "Bootstrap Methods and their Application", 1997, section 5.2.1).
 */
function percentiles(values: number[]): Interval {
  values.sort((a, b) => a - b);
  const end = (share: number) => {
    const place = Math.min(values.length, Math.max(1, share * (values.length + 1))) - 1;
    const [below, above] = [values[Math.floor(place)]!, values[Math.ceil(place)]!];
    return below + (place - Math.floor(place)) * (above - below);
  };
  return { low: end(0.025), high: end(0.975) };
}

/** The products of the weights of the places so far, from the top. */
function productsOf(places: readonly LoggedPlace[]): number[] {
  let product = 1;
  return places.map(({ target, logged, ...numbers }) => {
    if (!(logged > 0 && logged <= 1)) {
      throw new RangeError(
        `Cannot weigh a choice: its logged probability is ${logged}, not in (0, 1]`,
      );
    }
    if (!(target >= 0 && target <= 1 + ROUNDING)) {
      throw new RangeError(
        `Cannot weigh a choice: its target probability is ${target}, not in [0, 1]`,
      );
    }
    for (const [name, value] of Object.entries(numbers)) {
      if (!Number.isFinite(value)) {
        throw new RangeError(`Cannot weigh a choice: its ${name} is ${value}, not a finite number`);
      }
    }
    return product *= target / logged;
  });
}

/** @param uncut sum of the weights before they were cut */
function overlapOf(weights: readonly number[], uncut: number): Overlap {
  let [sum, squares, maxWeight] = [0, 0, 0];
  const histogram = new Array<number>(15).fill(0);
  for (const weight of weights) {
    sum += weight;
    squares += weight * weight;
    maxWeight = Math.max(maxWeight, weight);
    histogram[weight === 0 ? 0 : Math.max(1, Math.min(14, Math.floor(Math.log2(weight)) + 8))]!++;
  }
  const n = weights.length;
  const meanWeight = sum / n;
  return {
    meanWeight,
    meanWeightError: Math.sqrt(Math.max(0, squares / n - meanWeight ** 2) / n),
    effective: squares === 0 ? 0 : sum * sum / squares,
    maxWeight,
    cut: uncut === 0 ? 0 : Math.max(0, 1 - sum / uncut),
    histogram,
  };
}

/** Of a place: Σ W, Σ W² and Σ W r² over lists. */
interface Spread {
  weight: number;
  squares: number;
  rewards: number;
}

/**
 * Why intervals over these units would be unreliable, one sentence each. If rewards do not depend on weights, Σ(W r)² is
 * Σ W² · Σ W r² / Σ W; the observed sum is too small, and so is the estimate, if no list with a large weight was rewarded.
 */
function refusalsOfUnits(table: Table, spreads: readonly Spread[]): string[] {
  const unrelated = spreads.reduce(
    (sum, { weight, squares, rewards }) => sum + (weight === 0 ? 0 : squares * rewards / weight),
    0,
  );
  const refusals: string[] = [];
  const demand = (worth: number, least: number, what: string) => {
    if (worth >= least) return;
    // Each of these counts grows in proportion to the number of units, if further units are alike.
    const enough = worth === 0
      ? ""
      : `; ${Math.ceil(10 * least / worth) / 10} times as many units like these would do`;
    refusals.push(
      `${what} worth ${
        worth.toFixed(1)
      } independent units of equal size, but intervals need ${least} or more${enough}`,
    );
  };
  demand(table.effectiveUnits(LISTS), MIN_UNITS, "the lists are");
  demand(table.effectiveUnits(IPS, unrelated), MIN_CARRIERS, "the rewards of this policy are");
  demand(table.weightCarriers, MIN_CARRIERS, "the spread of the weights is");
  return refusals;
}

function refusalsOf(
  { meanWeight, meanWeightError, effective, maxWeight }: Overlap,
  lists: number,
  { clip }: EvaluationOptions,
): string[] {
  const refusals: string[] = [];
  if (effective < MIN_EFFECTIVE * lists) {
    refusals.push(
      `the log is worth ${Math.round(effective)} of its ${lists} lists to this policy, which needs ` +
        `${Math.ceil(MIN_EFFECTIVE * lists)}; the largest weight is ${Number(maxWeight.toPrecision(3))}`,
    );
  }
  if (
    clip === undefined &&
    Math.abs(1 - meanWeight) > Math.max(SUPPORT_MISSING, SUPPORT_ERRORS * meanWeightError)
  ) {
    const average = `the weights average ${meanWeight.toFixed(3)}, not 1, so`;
    refusals.push(
      meanWeight < 1
        ? `support is missing: ${average} about ${
          Math.round(100 * (1 - meanWeight))
        } % of what the policy would do ` +
          `was never logged`
        : `the logged probabilities are wrong: ${average} lists were not chosen as they say`,
    );
  }
  return refusals;
}
