/** Experiments, as records on the `experiments` topic. docs/how-to/run-an-experiment.md explains the fields. */

import type { Diversity, RequestEvent } from "../events/event.ts";
import type { CandidateSource } from "../events/candidate_source.ts";
import type { PolicyOptions } from "../draws/policy.ts";
import type { MetricName } from "./metrics.ts";

/** What orders retrieved candidates: the best known order, the model, the blend of sources, or the product of both. */
export const RANKINGS = ["auto", "model", "blend", "both"] as const;

/** Retrieval settings of a variant, for requests without candidates. */
export interface VariantRetrieval {
  /** The list that users get who ask for a personal one. */
  readonly list?: NonNullable<RequestEvent["list"]>;
  /** What orders the candidates of personal lists. */
  readonly ranking?: typeof RANKINGS[number];
  /** Sources to exclude, to measure their contribution. */
  readonly without?: readonly CandidateSource[];
}

/** Settings that a variant may change. Absent fields stay as deployed. */
export interface VariantSettings {
  /** Name of a model of the deployment, or `prior`: the smoothed click rates that all models start from. */
  readonly model?: string;
  /** How the list is chosen from the scores. */
  readonly policy?: PolicyOptions;
  /** Most candidates of a request without candidates. */
  readonly maxCandidates?: number;
  /** Retrieval and its ranking. */
  readonly retrieval?: VariantRetrieval;
  /** Diversity of lists, unless set by the request. */
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
 * The model version of a variant: always the newest (`latest`), a fixed one (its number), or the newest when the
 * experiment starts (`at-start`, which then becomes a number).
 */
export type VersionPolicy = "latest" | "at-start" | number;

/** A variant of an experiment. */
export interface Variant extends VariantSettings {
  /** Unique name in the experiment. */
  readonly name: string;
  /** Model version. @default {"latest"} */
  readonly version?: VersionPolicy;
  /** Weight of its share of users, relative to the other variants. @default {1} */
  readonly weight?: number;
  /** Whether it only scores the experiment's requests for the log, without users. */
  readonly shadow?: boolean;
}

/** A metric that must not get worse. */
export interface GuardRail {
  /** The metric. */
  readonly metric: MetricName;
  /** Tolerated relative worsening, 0.02 = 2 %. @default {0} */
  readonly tolerance?: number;
}

/** When an experiment is decided, and when it ends. */
export interface StopRule {
  /** Probability of ever giving a wrong verdict, however often it is read. @default {0.05} */
  readonly alpha?: number;
  /** Fewest users per arm before any verdict. @default {100} */
  readonly minUsers?: number;
  /**
   * Users after which `undecided` becomes `no difference`; intervals are narrowest near two thirds of them. @default {50000}
   */
  readonly maxUsers?: number;
}

export const STOP_RULE: Required<StopRule> = { alpha: 0.05, minUsers: 100, maxUsers: 50_000 };

/**
 * Most users whose figures are kept for an experiment, unless its `maxUsers` is more. They take up to 0.8 KB each, and
 * anybody who may ask for lists can make up users.
 */
export const MAX_COUNTED_USERS = 1_000_000;

/** A half-open range of buckets, [from, to). */
export type Span = readonly [from: number, to: number];

/** Most characters of a hypothesis, and of a reason. */
export const MAX_TEXT = 2000;

/** How users meet the variants: one each (`split`), or lists interleaved from two (`interleave`). */
export const EXPERIMENT_MODES = ["split", "interleave"] as const;

/** An experiment. */
export interface Experiment {
  /** Unique name in the deployment; the key of the record. */
  readonly name: string;
  /** Hypothesis. */
  readonly hypothesis: string;
  /** Unit of assignment: always the user. */
  readonly unit: "user";
  /** Experiments of one layer have disjoint users; those of different layers are independent. */
  readonly layer: string;
  /** Makes the split independent of other experiments. */
  readonly salt: string;
  /** Whether users see one variant, or lists drafted from the first two. */
  readonly mode: typeof EXPERIMENT_MODES[number];
  /** `running`; `stopped`: no user is in it; `promoted`: every user outside the holdout gets the variant `winner`. */
  readonly status: "running" | "stopped" | "promoted";
  /** Share of all users in it, in (0, 1]. */
  readonly traffic: number;
  /** The variants; the first is the control. */
  readonly variants: readonly Variant[];
  /** The metric that decides. */
  readonly metric: MetricName;
  /** Guard rail metrics. */
  readonly guardRails: readonly GuardRail[];
  /** Stop rule. */
  readonly stopRule: StopRule;
  /** Variants of individual users, by user id; these users are excluded from the metrics. */
  readonly overrides: Readonly<Record<string, string>>;
  /** The promoted variant. */
  readonly winner?: string;
  /** Why it stopped, or a note on its newest phase. */
  readonly reason?: string;
  /** Buckets of the layer in the experiment. */
  readonly spans: readonly Span[];
  /** The buckets of the salt that each variant takes, in the order of `variants`; a shadow takes none. */
  readonly variantSpans: readonly (readonly Span[])[];
  /** Revision, from 1. */
  readonly revision: number;
  /** How often what it compares has changed; lists and figures of earlier phases do not count. @default {0} */
  readonly phase?: number;
  /**
   * Settings that it varies and that others had promoted when its phase began, or that were defaults then and are no
   * more, as JSON: they are part of its control.
   * @default {none}
   */
  readonly over?: string;
}

/** Users held out of all experiments and promotions, to measure their joint gain. */
export interface Holdout {
  /** Its key on the topic. */
  readonly name: "holdout";
  /** Makes the holdout independent of the layers. */
  readonly salt: string;
  /** Share of all users, in [0, 1). */
  readonly share: number;
  /** The newest share above 0, whose figures are kept. @default {none are} */
  readonly lastShare?: number;
  /** How often it was set to another share. @default {set by a release that kept no figures} */
  readonly phase?: number;
}

/** A record on the `experiments` topic. */
export type ExperimentRecord = Experiment | Holdout;

export function isExperiment(record: ExperimentRecord): record is Experiment {
  return "variants" in record;
}

/** All but the holdout. */
export function experimentsIn(records: ReadonlyMap<string, ExperimentRecord>): Experiment[] {
  return [...records.values()].filter(isExperiment);
}
