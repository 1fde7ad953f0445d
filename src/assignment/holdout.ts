/**
 * The holdout as an experiment: the users held out are its control, and all others its variant. Both meet it with their
 * first list, so the comparison is by intention to treat.
 */

import { BUCKETS } from "./buckets.ts";
import { type Experiment, type Holdout, STOP_RULE } from "./experiment.ts";

/** Key of the holdout's record, its name as an experiment, and the variant of the users held out. */
export const HOLDOUT = "holdout";
/** The variant of all other users. */
export const REST = "rest";

/** Buckets of the users held out. */
export function heldBuckets(share: number): number {
  return Math.round(share * BUCKETS);
}

/** The holdout as an experiment; `null` = there are no figures of it. */
export function holdoutExperiment({ salt, share, lastShare = 0, phase }: Holdout): Experiment | null {
  const held = heldBuckets(lastShare);
  if (phase === undefined || held === 0) return null;
  const rate = held / BUCKETS;
  return {
    name: HOLDOUT,
    hypothesis: "all experiments and promotions together help",
    unit: "user",
    layer: HOLDOUT,
    salt,
    mode: "split",
    status: share > 0 ? "running" : "stopped",
    traffic: 1,
    variants: [{ name: HOLDOUT }, { name: REST }],
    metric: "clicksPerUser",
    guardRails: [],
    // At 1:99, the same precision takes 25 times the users.
    stopRule: { maxUsers: Math.round(STOP_RULE.maxUsers / (4 * rate * (1 - rate))) },
    overrides: {},
    spans: [[0, BUCKETS]],
    variantSpans: [[[0, held]], [[held, BUCKETS]]],
    revision: phase,
    phase,
  };
}
