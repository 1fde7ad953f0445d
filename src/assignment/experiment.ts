/**
 * What an experiment is: a record on the `experiments` topic. docs/explanation/experiments.md explains the fields.
 *
 * @module
 */

import type { Diversity } from "../events/event.ts";
import type { CandidateSource } from "../events/candidate_source.ts";
import type { PolicyOptions } from "../draws/policy.ts";
import type { MetricName } from "./metrics.ts";

/** What orders retrieved candidates: the model, the retrieval's blend, or the product of both. */
export const RANKINGS = ["model", "blend", "both"] as const;

/** What a variant changes in what is retrieved for requests that name no candidates. */
export interface VariantRetrieval {
  /** What orders the candidates of personal lists. */
  readonly ranking?: typeof RANKINGS[number];
  /** Leaves candidates out that one of these sources says most about, to see what it is worth. */
  readonly without?: readonly CandidateSource[];
}

/** What a variant may change; what is absent stays as the deployment has it. */
export interface VariantSettings {
  /** Name of a model that the deployment runs, or `prior`: the smoothed click rates that all models start from. */
  readonly model?: string;
  /** How the list is chosen from the scores. */
  readonly policy?: PolicyOptions;
  /** Candidates that a request which names none gets at most. */
  readonly maxCandidates?: number;
  /** What is retrieved, and how it is ordered. */
  readonly retrieval?: VariantRetrieval;
  /** How different the items of a list are, where the request does not say. */
  readonly diversity?: Diversity;
}

/** The names of {@linkcode VariantSettings}. */
export const VARIANT_SETTINGS = [
  "model",
  "policy",
  "maxCandidates",
  "retrieval",
  "diversity",
] as const satisfies readonly (
  keyof VariantSettings
)[];

/**
 * Which version of its model scores for a variant: the newest one at any time; one for as long as it runs; or the
 * one that is the newest when the experiment starts, which is a number from then on.
 */
export type VersionPolicy = "latest" | "at-start" | number;

/** One of the things compared. */
export interface Variant extends VariantSettings {
  /** Unique in its experiment. */
  readonly name: string;
  /** Which version of the model scores. @default {"latest"} */
  readonly version?: VersionPolicy;
  /** Its share of the experiment's users, relative to the others'. @default {1} */
  readonly weight?: number;
  /** Scores every request of the experiment and is logged, but never shown; it gets no users of its own. */
  readonly shadow?: boolean;
}

/** A metric that must not get worse. */
export interface GuardRail {
  /** The metric. */
  readonly metric: MetricName;
  /** Relative worsening that is tolerated, 0.02 = 2 %. @default {0} */
  readonly tolerance?: number;
}

/** When an experiment may be read, and when it is over. */
export interface StopRule {
  /** Probability of a wrong verdict at any of all the times that anybody looks. @default {0.05} */
  readonly alpha?: number;
  /** Users that each arm must have before anything is said. @default {100} */
  readonly minUsers?: number;
  /** Users at which an experiment without a verdict is over; intervals are narrowest near two thirds. @default {50000} */
  readonly maxUsers?: number;
}

/** What of a rule is not said. */
export const STOP_RULE: Required<StopRule> = { alpha: 0.05, minUsers: 100, maxUsers: 50_000 };

/** A half-open range of buckets, [from, to). */
export type Span = readonly [from: number, to: number];

/** How users meet the variants. */
export const EXPERIMENT_MODES = ["split", "interleave"] as const;

/** An experiment. */
export interface Experiment {
  /** Unique in the deployment; the key of the record. */
  readonly name: string;
  /** What is expected, and why. */
  readonly hypothesis: string;
  /** What is assigned: always a user. */
  readonly unit: "user";
  /** Experiments of one layer share its users out; those of different layers are independent of each other. */
  readonly layer: string;
  /** Makes the split by variant independent of that of other experiments. */
  readonly salt: string;
  /** Whether a user sees one variant, or lists drafted from the first two. */
  readonly mode: typeof EXPERIMENT_MODES[number];
  /** `running`, `stopped` = nobody is in it, `promoted` = everybody gets `winner`. */
  readonly status: "running" | "stopped" | "promoted";
  /** Share of all users that are in it, in (0, 1]. */
  readonly traffic: number;
  /** The first one is what the others are compared with. */
  readonly variants: readonly Variant[];
  /** What decides. */
  readonly metric: MetricName;
  /** What must not get worse. */
  readonly guardRails: readonly GuardRail[];
  /** When it may be read. */
  readonly stopRule: StopRule;
  /** Variants of some users, whatever their bucket is; they do not count in the metrics. */
  readonly overrides: Readonly<Record<string, string>>;
  /** The promoted variant. */
  readonly winner?: string;
  /** Why it was stopped. */
  readonly reason?: string;
  /** Buckets of the layer that are in the experiment. */
  readonly spans: readonly Span[];
  /** Buckets of the salt that are in each variant, in the order of `variants`; none for a shadow. */
  readonly variantSpans: readonly (readonly Span[])[];
  /** Counts changes from 1. */
  readonly revision: number;
}

/** Users that are kept out of all experiments, to measure what they bring together. */
export interface Holdout {
  /** Its key on the topic. */
  readonly name: "holdout";
  /** Makes it independent of the layers. */
  readonly salt: string;
  /** Share of all users, in [0, 1); 0 = nobody. */
  readonly share: number;
}

/** A record of the topic. */
export type ExperimentRecord = Experiment | Holdout;

/** Whether a record is an experiment. */
export function isExperiment(record: ExperimentRecord): record is Experiment {
  return "variants" in record;
}
