/**
 * A sample: one impression joined with its outcome, carrying everything a model may use *as it was at the
 * impression*, and the prediction made then.
 *
 * @module
 */

import type { Exposure } from "../assignment/exposure.ts";
import type { Team } from "../assignment/interleaving.ts";

/** Behaviours older than models read, oldest first; all arrays have the same length. */
export interface EarlierBehaviours {
  /** Item ids. */
  readonly items: readonly string[];
  /** Categories of each item, most important first; may be empty. */
  readonly categories: readonly (readonly string[])[];
  /** What was done. */
  readonly actions: readonly string[];
  /** Event time of each behaviour, milliseconds since the epoch. */
  readonly times: ArrayLike<number>;
}

/** No earlier behaviours. */
export const NONE_EARLIER: EarlierBehaviours = { items: [], categories: [], actions: [], times: [] };

/** The behaviours before the impression, oldest first; all arrays have the same length T. */
export interface SampleHistory {
  /** Item ids. */
  readonly items: readonly string[];
  /** Categories of each item, most important first; may be empty. */
  readonly categories: readonly (readonly string[])[];
  /** What was done: click, purchase, ... */
  readonly actions: readonly string[];
  /** Event time of each behaviour, milliseconds since the epoch. */
  readonly times: Float64Array;
  /** Signed strength of each behaviour: 1 for a plain click, a surprise for a rating (see docs/explanation/features.md). */
  readonly strengths: Float32Array;
  /**
   * The newest behaviour in each category that ended a search before this history, such as a purchase (see
   * docs/explanation/features.md). @default {none}
   */
  readonly earlier?: EarlierBehaviours;
}

/** A recurrent state that a history continues; see docs/explanation/state.md. */
export interface SampleState {
  /** Number of the history's behaviours in it: the model reads those after them. */
  readonly from: number;
  /** The state. Shared: do not write to it. */
  readonly values: Float32Array;
}

/** The state of a lifelong model other than the one that made the predictions. */
export interface ModelState extends SampleState {
  /** Name of the model. */
  readonly model: string;
}

/** One shown item of a sample. */
export interface SampleRow {
  /** Id of the item. */
  readonly item: string;
  /** Categories of the item, most important first. */
  readonly categories: readonly string[];
  /** Values of the schema's item fields; `null` = missing. */
  readonly fields: readonly (string | null)[];
  /** Numeric features in the schema's order, not standardised; always finite. */
  readonly numerics: Float32Array;
  /** Logit of the causal prior (item mean + user mean − base rate) that the model starts from. */
  readonly offset: number;
  /** 1 for a positive outcome within the window, else 0. */
  readonly label: 0 | 1;
  /** 0 is the top of the list. */
  readonly position: number;
  /** Probability with which the policy chose it, in (0, 1]; 1 when unknown. */
  readonly propensity: number;
  /** The prediction frozen at the impression, a probability. */
  readonly prediction: number;
  /** True probability, known only to a simulator; never a feature. `NaN` when unknown. */
  readonly oracle: number;
  /** Sum of the values of positive interactions within the window; absent for 0. */
  readonly reward?: number;
  /** Interleaved variant that is credited with it; absent for neither. */
  readonly team?: Team;
}

/** One impression joined with its outcome. */
export interface Sample {
  /** Id of the request or impression. */
  readonly request: string;
  /** Id of the user. */
  readonly user: string;
  /** Event time of the impression, milliseconds since the epoch. */
  readonly time: number;
  /** Event time at which the outcome became final. */
  readonly closedTime: number;
  /**
   * What it is for. Only final labels are judged; a label policy may have others learnt, see
   * docs/explanation/learner.md. @default {both}
   */
  readonly purpose?: "learn" | "judge";
  /** Estimated share φ of clicks that come after the label, in [0, 1]. @default {0} */
  readonly lateShare?: number;
  /** Version of the parameters that made the predictions; 0 for the initial ones. */
  readonly version: number;
  /** Name of the model that made the predictions; absent for the deployment's own. */
  readonly model?: string;
  /** Whether the user had no behaviour before the impression. */
  readonly newUser: boolean;
  /** Experiments that the list is part of; absent without any. */
  readonly exposures?: readonly Exposure[];
  /** The behaviours before the impression. */
  readonly history: SampleHistory;
  /** State of a lifelong model before the newest behaviours; absent without one. */
  readonly state?: SampleState;
  /** States of the other lifelong models; absent without any. */
  readonly otherStates?: readonly ModelState[];
  /** Values of the schema's user fields; `null` = missing. */
  readonly userFields: readonly (string | null)[];
  /** Values of the schema's context fields; `null` = missing. */
  readonly contextFields: readonly (string | null)[];
  /** The item that the user took next, of behaviours that are learnt without a list; see {@linkcode nextSample}. */
  readonly next?: string;
  /** The shown items; empty for a history alone, see {@linkcode historySample}. */
  readonly rows: readonly SampleRow[];
}

/**
 * The sample of behaviours for which no list was shown. It is learnt, never judged, and counts as no impression. It
 * knows nothing that depends on when versions came, so the same events give the same sample.
 *
 * @param time Event time of the newest behaviour.
 */
export function historySample(user: string, time: number, history: SampleHistory): Sample {
  return {
    request: "",
    user,
    time,
    closedTime: time,
    purpose: "learn",
    version: 0,
    newUser: false,
    history,
    userFields: [],
    contextFields: [],
    rows: [],
  };
}

/**
 * The sample of an item that a user took, after the behaviours before it, whoever showed it. It is learnt, never judged,
 * and counts as no impression.
 *
 * @param time Event time of the behaviour with the item.
 */
export function nextSample(user: string, item: string, time: number, history: SampleHistory): Sample {
  return { ...historySample(user, time, history), next: item };
}

/** What a sample fills of a batch, or of a round: its rows; a history alone as much as a row. */
export function sizeInBatch({ rows }: Sample): number {
  return Math.max(1, rows.length);
}
