/**
 * The recommendation for a request, as on the `recommendations` topic: enough to explain, audit and re-evaluate it.
 *
 * @module
 */

/**
 * What ordered a list: `model`; `prior`, the click rates so far, and `mix`, half of each, until the model has proved that
 * it ranks better; `blend`, what retrieval has learnt; `both`, blend and scores; `stack`, several parts, or the pair head
 * or the bank alone; `list`, the requested list, which has its own order; `several`, two interleaved variants whose
 * orders differ.
 */
export const ORDERED_BY = ["model", "prior", "mix", "blend", "both", "stack", "list", "several"] as const;

/** One of {@linkcode ORDERED_BY}. */
export type OrderedBy = typeof ORDERED_BY[number];

/**
 * Kinds of score. `probability`: of a positive outcome if the item is shown, learnt from outcomes. `share`: the item's
 * expected share of what is taken, among all candidates; the shares of a list sum to at most 1. Shares are used while
 * there are too few outcomes to estimate probabilities.
 */
export const SCORE_KINDS = ["probability", "share"] as const;

/** One of {@linkcode SCORE_KINDS}. */
export type ScoreKind = typeof SCORE_KINDS[number];

/** One item of a recommendation. */
export interface RecommendedItem {
  /** The item. */
  readonly item: string;
  /** A probability or a share, in [0, 1]; see `scoreKind`. */
  readonly score: number;
  /** The value that the policy chose by, boosts included: log-odds up to a constant; only if candidates are logged. */
  readonly order?: number | undefined;
  /** Position in the list; 0 is the top. */
  readonly position: number;
  /** Probability with which the policy chose the item at its position, in (0, 1]. */
  readonly propensity: number;
  /** Source of the candidate. */
  readonly source: string;
  /** In an interleaved list, the variant credited with its outcome; absent when none is. */
  readonly team?: string | undefined;
}

/** An experiment that a recommendation is part of. */
export interface RecommendationExposure {
  /** Name of the experiment. */
  readonly experiment: string;
  /** Name of the user's variant in it. */
  readonly variant: string;
  /** How often what the experiment compares had changed. @default {0} */
  readonly phase?: number;
}

/** The experiments that a recommendation is part of. */
export function exposuresOf(
  { experiment, variant, phase = 0, exposures }: Recommendation,
): readonly RecommendationExposure[] {
  if (exposures !== undefined) return exposures;
  if (experiment === undefined || variant === undefined) return [];
  return [{ experiment, variant, ...(phase > 0 && { phase }) }];
}

/** A candidate with its score. */
export interface ScoredItem {
  /** The item. */
  readonly item: string;
  /** As in the list, see `scoreKind`; larger is better. */
  readonly score: number;
  /** As in the list; absent in those of shadows. */
  readonly order?: number | undefined;
}

/** The list of a shadow variant. */
export interface ShadowSlate {
  /** Name of the variant. */
  readonly variant: string;
  /** Name of the model that scored; `model@version` when an experiment pins the version. */
  readonly model: string;
  /** Version of its parameters. */
  readonly version: number;
  /** Its list, best first. */
  readonly items: readonly ScoredItem[];
}

/**
 * Why a list is empty: the last of these steps, in this order, that any item reached. An item reaches a step when it
 * passes those before it.
 */
export const EMPTY_REASONS = {
  "unknown": "the reference items (item, like) are unknown",
  "no-candidates": "nothing was proposed: there is no catalogue, or there are no behaviours yet",
  "hidden": "all items are hidden, removed, or missing from a complete catalogue",
  "expired": "all remaining items have expired",
  "filtered": "none of the remaining items passes the filter",
  "excluded": "the request excludes all remaining items, or they were on earlier pages",
  "seen": "the user already had all remaining items; filter.seen would let them in",
  "frequency": "the user was already shown all remaining items too often",
  "variant": "the user's variant of an experiment excludes every source that proposed something",
} as const;

/** One of {@linkcode EMPTY_REASONS}. */
export type EmptyReason = keyof typeof EMPTY_REASONS;

/** The list for a request, with scores and propensities. */
export interface Recommendation {
  /** Id of the request. */
  readonly request: string;
  /** Id of the user; the key of the record on the `recommendations` topic. */
  readonly user: string;
  /** Event time of the request, milliseconds since the epoch. */
  readonly time: number;
  /** The ranked items, best first. */
  readonly items: readonly RecommendedItem[];
  /** Name of the model that scored; `model@version` when an experiment pins the version. */
  readonly model: string;
  /** Version of its parameters. */
  readonly version: number;
  /** What ordered the list; absent when it was made without a model. */
  readonly orderedBy?: OrderedBy;
  /** Kind of all its scores; absent when it was made without a model, and in records of 0.2.0 (probabilities). */
  readonly scoreKind?: ScoreKind;
  /**
   * Share of the model in the scores, in log-odds, until it has proved itself; the click rates have the rest. In an
   * interleaved list, the smaller of the two. @default {1}
   */
  readonly modelShare?: number | undefined;
  /** Number of behaviours in the user's state. */
  readonly stateVersion: number;
  /** Name of the experiment. */
  readonly experiment?: string | undefined;
  /** Name of the user's variant in it. */
  readonly variant?: string | undefined;
  /** How often what the experiment compares had changed. @default {0} */
  readonly phase?: number | undefined;
  /** All experiments it is part of, when there are several. */
  readonly exposures?: readonly RecommendationExposure[] | undefined;
  /** The lists of shadow variants. */
  readonly shadows?: readonly ShadowSlate[] | undefined;
  /** Scored candidates that were not chosen, if the deployment logs them. */
  readonly others?: readonly ScoredItem[] | undefined;
  /** Why the list is empty; absent when it is not. */
  readonly empty?: EmptyReason | undefined;
  /** Why it is degraded: `late` means made without a model because time had run out. */
  readonly degraded?: "late";
  /** Microseconds that a task took to make it, without the way over the log. */
  readonly tookMicros: number;
}
