/** How well a log covers a policy, and whether estimates from it are reliable. */

import { IPS, LISTS, type UnitSums } from "./unit_sums.ts";

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

/** Deviation of the mean weight from 1, absolute and in standard errors, above which support counts as missing. */
const SUPPORT_MISSING = 0.01, SUPPORT_ERRORS = 3;

/** Lowest effective sample size, as a share of the lists. */
const MIN_EFFECTIVE = 0.1;
/** Fewest effective units, and units that carry a spread: intervals over fewer cover less than stated. */
const MIN_UNITS = 30, MIN_CARRIERS = 10;

/** @param uncut sum of the weights before they were cut */
export function overlapOf(weights: readonly number[], uncut: number): Overlap {
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
export interface Spread {
  weight: number;
  squares: number;
  rewards: number;
}

/**
 * Why intervals over these units would be unreliable, one sentence each. If rewards do not depend on weights, Σ(W r)² is
 * Σ W² · Σ W r² / Σ W; the observed sum is too small, and so is the estimate, if no list with a large weight was rewarded.
 */
export function refusalsOfUnits(sums: UnitSums, spreads: readonly Spread[]): string[] {
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
  demand(sums.effectiveUnits(LISTS), MIN_UNITS, "the lists are");
  demand(sums.effectiveUnits(IPS, unrelated), MIN_CARRIERS, "the rewards of this policy are");
  demand(sums.weightCarriers, MIN_CARRIERS, "the spread of the weights is");
  return refusals;
}

/** Why the weights make estimates unreliable, one sentence each. @param isCut whether weights were cut on purpose */
export function refusalsOf(
  { meanWeight, meanWeightError, effective, maxWeight }: Overlap,
  lists: number,
  isCut: boolean,
): string[] {
  const refusals: string[] = [];
  if (effective < MIN_EFFECTIVE * lists) {
    refusals.push(
      `the log is worth ${Math.round(effective)} of its ${lists} lists to this policy, which needs ` +
        `${Math.ceil(MIN_EFFECTIVE * lists)}; the largest weight is ${Number(maxWeight.toPrecision(3))}`,
    );
  }
  if (
    !isCut &&
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
