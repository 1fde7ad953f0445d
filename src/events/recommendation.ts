/**
 * The answer to a request, as it stands on the `recommendations` topic: enough to explain, audit and
 * re-evaluate it later.
 *
 * @module
 */

/**
 * Who ordered a list: `model`; `prior`, the click rates so far, and `mix`, half of each, while the model has yet to
 * prove that it ranks better; `blend`, what retrieval has learnt; `both`, blend and scores; `list`, the list that was
 * asked for has an order of its own; `several`, the two variants of an interleaved list, when they differ.
 */
export const ORDERED_BY = ["model", "prior", "mix", "blend", "both", "list", "several"] as const;

/** One of {@linkcode ORDERED_BY}. */
export type OrderedBy = typeof ORDERED_BY[number];

/** One item of an answer. */
export interface RecommendedItem {
  /** The item. */
  readonly item: string;
  /** Probability of a positive by the model, or as far as it has proved itself; see `modelShare`. */
  readonly score: number;
  /** 0 is the top. */
  readonly position: number;
  /** Probability with which the policy chose the item at its position, in (0, 1]. */
  readonly propensity: number;
  /** Where the candidate came from: `given`, or the name of a retrieval. */
  readonly source: string;
  /** The variant that is credited with it, in a list that was interleaved; absent = none. */
  readonly team?: string;
}

/** An experiment that an answer was part of. */
export interface RecommendationExposure {
  /** Name of the experiment. */
  readonly experiment: string;
  /** Name of the user's variant in it. */
  readonly variant: string;
}

/** A candidate with its score. */
export interface ScoredItem {
  /** The item. */
  readonly item: string;
  /** Score of the model; larger is better. */
  readonly score: number;
}

/** What a shadow variant would have answered. */
export interface ShadowAnswer {
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
 * Why a list is empty: the last of these steps, in this order, that any item came to, and what it means. What comes to
 * a step has passed those before it.
 */
export const EMPTY_REASONS = {
  "unknown": "the items that it was to go with are not known",
  "no-candidates": "nothing was proposed: is there a catalogue, or has anybody done anything yet?",
  "hidden": "all items are hidden, or were removed",
  "expired": "all others have expired",
  "filtered": "none of the others passes the filter",
  "excluded": "all others are excluded by the request, or were on the pages before",
  "seen": "the user had all others; filter.seen would let them in",
  "frequency": "the user was shown all others too often",
  "variant": "the variant of an experiment takes none of the sources",
} as const;

/** One of {@linkcode EMPTY_REASONS}. */
export type EmptyReason = keyof typeof EMPTY_REASONS;

/** An answer. */
export interface Recommendation {
  /** Id of the request. */
  readonly request: string;
  /** For whom; the key of the record on the `recommendations` topic. */
  readonly user: string;
  /** Event time of the request, milliseconds since the epoch. */
  readonly time: number;
  /** The ranked items, best first. */
  readonly items: readonly RecommendedItem[];
  /** Name of the model that scored; `model@version` when an experiment pins the version. */
  readonly model: string;
  /** Version of its parameters. */
  readonly version: number;
  /** Who ordered the list; absent when it was made without a model, and in answers of earlier versions. */
  readonly orderedBy?: OrderedBy;
  /**
   * Share of the model in the scores, in log-odds, while it has yet to prove itself; the rest is that of the click rates
   * so far. In a list of two variants the smaller one. @default {1}
   */
  readonly modelShare?: number;
  /** Number of behaviours that the user's state had folded. */
  readonly stateVersion: number;
  /** Name of the experiment. */
  readonly experiment?: string;
  /** Name of the user's variant in it. */
  readonly variant?: string;
  /** All experiments that it was part of, when they are several. */
  readonly exposures?: readonly RecommendationExposure[];
  /** What shadow variants would have answered. */
  readonly shadows?: readonly ShadowAnswer[];
  /** Candidates that were scored and not chosen, if the deployment logs them. */
  readonly others?: readonly ScoredItem[];
  /** Why there are no items; absent when there are. */
  readonly empty?: EmptyReason;
  /** Why it is less than it could be: `late` = made without a model, since the time was over. */
  readonly degraded?: "late";
  /** Microseconds from taking the request up to the answer. */
  readonly tookMicros: number;
}
