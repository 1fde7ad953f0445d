/**
 * The answer to a request, as it stands on the `recommendations` topic: enough to explain, audit and
 * re-evaluate it later.
 *
 * @module
 */

/** One item of an answer. */
export interface RecommendedItem {
  readonly item: string;
  /** Score of the model; larger is better. */
  readonly score: number;
  /** 0 is the top. */
  readonly position: number;
  /** Probability with which the policy chose the item at its position, in (0, 1]. */
  readonly propensity: number;
  /** Where the candidate came from: `given`, or the name of a retrieval. */
  readonly source: string;
}

/** An answer. */
export interface Recommendation {
  /** Id of the request. */
  readonly request: string;
  readonly user: string;
  /** Event time of the request, milliseconds since the epoch. */
  readonly time: number;
  /** The ranked items, best first. */
  readonly items: readonly RecommendedItem[];
  /** Name of the model that scored. */
  readonly model: string;
  /** Version of its parameters. */
  readonly version: number;
  /** Number of behaviours that the user's state had folded. */
  readonly stateVersion: number;
  readonly experiment?: string;
  readonly variant?: string;
  /** Microseconds from taking the request up to the answer. */
  readonly tookMicros: number;
}
