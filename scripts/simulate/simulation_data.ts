/**
 * The figures of a simulation: click rates between random and best lists, the verdict, regret.
 *
 * @module
 */

import type { Figure } from "../../streams/report/report_data.ts";

/** One variant in a stretch of requests. */
export interface SimulationArm {
  /** Requests answered. */
  readonly requests: number;
  /** Clicks per shown item. */
  readonly ctr: Figure;
  /** Mean true probability of a click on what was shown. */
  readonly served: Figure;
  /** The same for the best lists for the same people at the same moments. */
  readonly best: Figure;
  /** The same for random lists. */
  readonly random: Figure;
}

/** What the experiment said at some moment. */
export interface SimulationLook {
  /** Requests by then. */
  readonly requests: number;
  readonly lift: Figure;
  readonly low: Figure;
  readonly high: Figure;
  readonly text: string;
}

/** All figures. */
export interface SimulationData {
  readonly title: string;
  readonly command: string;
  /** Wall clock, milliseconds since the epoch. */
  readonly started: number;
  readonly finished: number;
  /** Names of the variants, the control first. */
  readonly variants: readonly string[];
  readonly requests: number;
  /** Stretches of equal length in order; the arms in the order of `variants`. */
  readonly curve: readonly { readonly requests: number; readonly arms: readonly SimulationArm[] }[];
  /** The last stretch of `tailRequests` requests, and all of them. */
  readonly tail: readonly SimulationArm[];
  readonly tailRequests: number;
  readonly overall: readonly SimulationArm[];
  /** How much more the best lists of the last stretch add to the logit of a click, by variant and part. */
  readonly lacks: readonly (readonly number[])[];
  /** Clicks that each variant has missed by not serving the best lists, cumulative, by stretch. */
  readonly regret: readonly (readonly number[])[];
  readonly looks: readonly SimulationLook[];
}

/** How far from random to the best, as a share; `null` when it is not defined. */
export function wayToBest({ served, best, random }: SimulationArm): Figure {
  return served === null || best === null || random === null || best === random
    ? null
    : (served - random) / (best - random);
}
