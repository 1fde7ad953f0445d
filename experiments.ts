/**
 * Experiments: who is in which variant, what each variant earns, and what can be concluded at any time. Pure. The
 * statistics hold however often they are looked at: intervals are confidence sequences, not fixed-sample ones.
 *
 * An experiment of a running service is started by `ExperimentClient` of `./http`.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { Experiments, startExperiment } from "@meander/meander/experiments";
 *
 * const experiment = startExperiment({
 *   name: "explore",
 *   variants: [{ name: "greedy" }, { name: "softmax", policy: { name: "boltzmann", temperature: 0.3 } }],
 * }, { records: new Map(), models: ["dien"] });
 *
 * const experiments = new Experiments([experiment]);
 * const users = Array.from({ length: 1000 }, (_, n) => `user-${n}`);
 * const greedy = users.filter((user) => experiments.assign(user)?.exposures[0]?.variant === "greedy");
 * assert.ok(greedy.length > 450 && greedy.length < 550);
 * ```
 *
 * @module
 */

// What an experiment is, and how it is changed.
export {
  type Experiment,
  EXPERIMENT_MODES,
  type ExperimentRecord,
  type GuardRail,
  type Holdout,
  RANKINGS,
  type Span,
  type StopRule,
  type Variant,
  type VariantRetrieval,
  type VariantSettings,
  type VersionPolicy,
} from "./src/assignment/experiment.ts";
export {
  changeHoldout,
  changeTraffic,
  type ExperimentDraft,
  ExperimentError,
  promoteVariant,
  rollBackExperiment,
  startExperiment,
  stopExperiment,
  type Surroundings,
} from "./src/assignment/changes.ts";

// Who is in which variant.
export { type Assignment, Experiments } from "./src/assignment/assignment.ts";
export { bucketOf, BUCKETS, saltSeed, shareOut } from "./src/assignment/buckets.ts";
export type { Exposure } from "./src/assignment/exposure.ts";

// Figures of users and variants.
export {
  METRIC_FIELDS,
  type MetricField,
  type MetricName,
  METRICS,
  type MetricSpec,
} from "./src/assignment/metrics.ts";
export {
  ExperimentTotals,
  type TotalsOptions,
  USER_SEGMENTS,
  type UserSegment,
} from "./src/experiments/totals.ts";
export { PrePeriod } from "./src/experiments/pre_period.ts";
export { linearise, type LinearMetric, Moments, valueOf } from "./src/experiments/user_metrics.ts";

// Conclusions from them.
export { type Arm, type Effect, effectOf } from "./src/experiments/effect.ts";
export {
  type ConfidenceOptions,
  criticalSquare,
  type Interval,
  sequenceP,
} from "./src/metrics/confidence_sequence.ts";
export { SampleRatio, type SampleRatioOptions } from "./src/experiments/sample_ratio.ts";
export {
  compareVariant,
  type Comparison,
  type Figures,
  type Verdict,
  VERDICTS,
  verdicts,
  type VerdictWord,
} from "./src/experiments/verdict.ts";

// Interleaving of two lists.
export {
  type Drafted,
  InterleavingTotals,
  listPicker,
  type Picker,
  type Preference,
  type Team,
  teamDraft,
} from "./src/assignment/interleaving.ts";
