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
 */

import type { Interval } from "../metrics/confidence_sequence.ts";
import { type Overlap, overlapOf, refusalsOf, refusalsOfUnits, type Spread } from "./policy_overlap.ts";
import { DR, IPS, LISTS, PLACES, REWARD, UnitSums } from "./unit_sums.ts";

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
/** Tolerance of sums of probabilities. */
const ROUNDING = 1e-9;

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
  const { resamples = 1000, seed = 0, clip, force = false } = options;
  const { lists, sums, spreads, weights, uncut } = weigh([...log], options);
  const overlap = overlapOf(weights, uncut);
  const refusals = [...refusalsOfUnits(sums, spreads), ...refusalsOf(overlap, lists, clip !== undefined)];
  const given = refusals.length === 0 || force ? ESTIMATORS : [];
  const resampled = given.length > 0 && resamples > 0 ? sums.bootstrap(resamples, seed) : null;
  return {
    lists,
    units: sums.units,
    logged: mean(REWARD)(sums.total),
    loggedError: Z95 * sums.error(REWARD),
    overlap,
    refusals,
    estimates: given.map((estimator) => {
      const value = VALUE[estimator](sums.total);
      const error = estimator === "snips" ? sums.selfNormalisedError() : sums.error(COLUMN[estimator]);
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

/** Weighted lists. */
interface Weighed {
  readonly lists: number;
  readonly sums: UnitSums;
  /** By place. */
  readonly spreads: readonly Spread[];
  /** By list, the weight of its last place; and the sum of these before they were cut. */
  readonly weights: readonly number[];
  readonly uncut: number;
}

/** Weighs the places of lists. @throws RangeError see {@linkcode evaluatePolicy} */
function weigh(
  lists: readonly LoggedList[],
  { slate = "cascade", clip = Infinity }: EvaluationOptions,
): Weighed {
  if (lists.length === 0) throw new RangeError("Cannot evaluate a policy on an empty log");
  const units = new Map<string, number[]>();
  const weights: number[] = [];
  let uncut = 0;
  const longest = lists.reduce((most, { places }) => Math.max(most, places.length), 0);
  const width = PLACES + 2 * longest;
  const spreads = Array.from({ length: longest }, () => ({ weight: 0, squares: 0, rewards: 0 }));
  const cut = (weight: number) => Math.min(clip, weight);
  for (const { unit, places } of lists) {
    const sums = units.get(unit) ?? new Array<number>(width).fill(0);
    units.set(unit, sums);
    const products = productsOf(places);
    const whole = products.at(-1) ?? 1;
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
    weights.push(cut(whole));
    uncut += whole;
  }
  return { lists: lists.length, sums: new UnitSums([...units.values()], width), spreads, weights, uncut };
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
