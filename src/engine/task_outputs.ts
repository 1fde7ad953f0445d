/**
 * What a task gives back for the events that are applied to it.
 *
 * @module
 */

import type { Recommendation } from "../events/recommendation.ts";
import type { Sample } from "../samples/sample.ts";

/** Why an event that could be decoded was not applied. */
export interface TaskRefusal {
  /** For machines. */
  readonly code: "too-late" | "unknown-item";
  /** A sentence for people. */
  readonly reason: string;
}

/** A user to erase. */
export interface Forgotten {
  /** Whom. */
  readonly user: string;
  /** Samples that are in the list before it: those that follow are of another life. */
  readonly afterSamples: number;
}

/** What applying events gave; the caller takes it out. */
export interface TaskOutputs {
  /** Answers, in the order of their requests. */
  readonly recommendations: Recommendation[];
  /** Impressions whose outcome became final, and histories without one, in that order. */
  readonly samples: Sample[];
  /** Users to erase everywhere. */
  readonly forgotten: Forgotten[];
}
