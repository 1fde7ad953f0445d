/** The outputs of a task for the events applied to it. */

import type { MergeEvent } from "../events/event.ts";
import type { Recommendation } from "../events/recommendation.ts";
import type { Sample } from "../samples/sample.ts";

/** Why a valid event was not applied. */
export interface TaskRejection {
  /** Machine-readable. */
  readonly code: "too-late" | "unknown-item" | "too-many-open";
  /** Human-readable. */
  readonly reason: string;
}

/** A user to erase. */
export interface Forgotten {
  /** Id of the user. */
  readonly user: string;
  /** Number of samples in the list before the erasure: later ones belong to the user's next life. */
  readonly afterSamples: number;
}

/** Receives the outputs of applied events; the caller empties it. */
export interface TaskOutputs {
  /** Recommendations, in the order of their requests. */
  readonly recommendations: Recommendation[];
  /** Samples, in the order in which they were made. */
  readonly samples: Sample[];
  /** Users to erase everywhere. */
  readonly forgotten: Forgotten[];
  /** Lists of users that have changed, if the options ask for them; if absent, none are collected. */
  readonly lists?: Recommendation[];
  /** Events that hand behaviours over to users of any partition; if absent, nothing is handed over. */
  readonly merges?: MergeEvent[];
}
