/**
 * What of a task's behaviour a deployment decides.
 *
 * @module
 */

import type { Boost } from "../events/event.ts";
import type { ActionPolicies } from "../features/actions.ts";
import type { FeatureSchema } from "../features/schema.ts";
import type { RetrievalOptions } from "../retrieval/retrieval.ts";
import type { Ranking } from "../scorer/answerer.ts";
import type { PolicyOptions } from "../draws/policy.ts";
import type { LabelPolicy } from "../users/label_policy.ts";
import type { SequenceOptions } from "../users/sequence.ts";
import type { FrequencyOptions } from "../users/shown_items.ts";

/** Default of {@linkcode TaskOptions.outcomeWindowMs}. */
export const OUTCOME_WINDOW_MS = 600_000;

/** Options of a `TaskState`. */
export interface TaskOptions {
  /** Which attributes are features. */
  readonly schema: FeatureSchema;
  /** What each action means. @default {DEFAULT_ACTIONS} */
  readonly actions?: ActionPolicies;
  /** Sizes of the behaviour sequences. */
  readonly sequence?: SequenceOptions;
  /** How long after an impression an outcome counts, milliseconds of event time. @default {600000} */
  readonly outcomeWindowMs?: number;
  /** How far behind the newest event time an event may come, milliseconds. @default {300000} */
  readonly allowedLatenessMs?: number;
  /**
   * How far ahead of the clock an event counts at once whose record does not tell when it came, milliseconds; see
   * `EventClock`. A replay of a file, where a quiet night is no wrong clock, takes a day.
   *
   * @default {allowedLatenessMs, at least a minute}
   */
  readonly maxJumpMs?: number;
  /**
   * Whether our answer counts as shown (`served`), or only what an impression event says (`logged`, for
   * replays of logs that another system made). @default {"served"}
   */
  readonly impressions?: "served" | "logged";
  /** When impressions become labels; see docs/explanation/learner.md. @default {"window"} */
  readonly labelPolicy?: LabelPolicy;
  /**
   * How long after its window an impression is remembered for late clicks, milliseconds of event time, if the label
   * policy has a use for them. @default {3600000}
   */
  readonly lateOutcomeMs?: number;
  /**
   * Whether the learner gets histories of which no list was shown: of a user with `sequence.hop` behaviours more than
   * the newest sample has, one more sample without rows. For a model with an auxiliary loss. @default {false}
   */
  readonly learnHistories?: boolean;
  /** Newest event ids kept a user for de-duplication. @default {32} */
  readonly dedupIds?: number;
  /** How a list is chosen from the scores. @default {{ name: "greedy" }} */
  readonly policy?: PolicyOptions;
  /** What orders retrieved candidates. @default {"model"} */
  readonly ranking?: Ranking;
  /** Rules that raise or lower items, for every request. @default {[]} */
  readonly boosts?: readonly Boost[];
  /** How often the same item may be shown. @default {as often as it is best} */
  readonly frequency?: FrequencyOptions;
  /** Where candidates come from when a request names none. */
  readonly retrieval?: RetrievalOptions;
  /**
   * Items that events may make known which no record of the catalogue has, since each takes some KB for good: an event
   * that names one more is refused, a candidate left out. @default {Infinity}
   */
  readonly maxUnlistedItems?: number;
  /** Versions that the state of a window may be behind before it is folded again. @default {100} */
  readonly maxStaleVersions?: number;
  /** Whether the state of a model that can covers a user's whole life, and not the window only. @default {true} */
  readonly lifelong?: boolean;
  /** Write candidates that were not chosen into each answer, to evaluate other policies on. @default {false} */
  readonly logCandidates?: boolean;
  /** Seed of exploration. @default {0} */
  readonly seed?: number;
  /** A clock in microseconds for `tookMicros`. @default {() => 0} */
  readonly nowMicros?: () => number;
}
