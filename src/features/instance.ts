/**
 * What is read of one impression, as the scorer and the learner hand it to an `Assembler`.
 *
 * @module
 */

import type { SampleHistory, SampleState } from "../samples/sample.ts";

/** One impression as models read it, such as a `Sample`. */
export interface Instance {
  /** Id of the user. */
  readonly user: string;
  /** Values of the schema's user fields; `null` = missing. */
  readonly userFields: readonly (string | null)[];
  /** Values of the schema's context fields; `null` = missing. */
  readonly contextFields: readonly (string | null)[];
  /** Event time, milliseconds since the epoch. */
  readonly time: number;
  /** The behaviours that the model reads. */
  readonly history: SampleHistory;
  /** State that a lifelong model resumes from; other models read the whole history. */
  readonly state?: SampleState;
  /** The candidates. */
  readonly rows: readonly InstanceRow[];
}

/** One candidate of an {@linkcode Instance}. */
export interface InstanceRow {
  /** Id of the item. */
  readonly item: string;
  /** Categories of the item, most important first. */
  readonly categories: readonly string[];
  /** Values of the schema's item fields; `null` = missing. */
  readonly fields: readonly (string | null)[];
  /** Numeric features in the schema's order, not standardised. */
  readonly numerics: Float32Array;
  /** Logit of the causal prior. */
  readonly offset: number;
  /** Position in the list, 0 is the top; −1 without one, which has no position weight. */
  readonly position: number;
}
