/**
 * A sample: one impression joined with its outcome, carrying everything a model may use *as it was at the
 * impression*, and the prediction made then.
 */

import type { Exposure } from "../assignment/exposure.ts";
import type { Preference } from "./preference.ts";
import { Rows } from "./rows.ts";

/** Behaviours older than those that models read, oldest first; all arrays have the same length. */
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

export const NONE_EARLIER: EarlierBehaviours = { items: [], categories: [], actions: [], times: [] };

export const NO_HISTORY: SampleHistory = {
  items: [],
  categories: [],
  actions: [],
  times: new Float64Array(0),
  strengths: new Float32Array(0),
};

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
  readonly earlier?: EarlierBehaviours | undefined;
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

/** Everything that models read of a list: the user, the context, the history, and the rows. */
export interface ListFeatures {
  /** Id of the user. */
  readonly user: string;
  /** Values of the schema's user fields; `null` = missing. */
  readonly userFields: readonly (string | null)[];
  /** Values of the schema's context fields; `null` = missing. */
  readonly contextFields: readonly (string | null)[];
  /** Event time, milliseconds since the epoch. */
  readonly time: number;
  /** The behaviours before the list. */
  readonly history: SampleHistory;
  /** State of a lifelong model before the newest behaviours; other models read the whole history. */
  readonly state?: SampleState | undefined;
  /** The candidates, or the shown items. */
  readonly rows: Rows;
}

/** One impression joined with its outcome. */
export interface Sample extends ListFeatures {
  /** Id of the request or impression. */
  readonly request: string;
  /** Event time at which the outcome became final, milliseconds since the epoch. */
  readonly closedTime: number;
  /**
   * What it is for. Only final labels are judged; a label policy may let the learner learn from others, see
   * docs/explanation/learner.md. @default {both}
   */
  readonly purpose?: "learn" | "judge" | undefined;
  /** Estimated share φ of clicks that arrive after the label, in [0, 1]. @default {0} */
  readonly lateShare?: number | undefined;
  /** Version of the parameters that made the predictions; 0 for the initial ones. */
  readonly version: number;
  /** Name of the model that made the predictions. @default {the deployment's own} */
  readonly model?: string | undefined;
  /** Whether the user had no behaviour before the impression. */
  readonly newUser: boolean;
  /** Experiments that the list is part of. @default {none} */
  readonly exposures?: readonly Exposure[] | undefined;
  /** States of the other lifelong models. @default {none} */
  readonly otherStates?: readonly ModelState[] | undefined;
  /** The item that the user took after the history, in a sample of {@linkcode nextSample}. */
  readonly next?: string | undefined;
  /** The preference, in a sample of {@linkcode preferenceSample}. */
  readonly preference?: Preference | undefined;
  /** The shown items; empty for a next item or a preference alone. */
  readonly rows: Rows;
}

/**
 * A sample of behaviours without a list, from which others are made. Nothing in it depends on when versions arrive.
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
    rows: NO_ROWS,
  };
}

/**
 * The sample of an item that a user took, with the behaviours before it, whoever showed it. It is learnt, never judged,
 * and does not count as an impression.
 *
 * @param time Event time of the behaviour with the item.
 */
export function nextSample(user: string, item: string, time: number, history: SampleHistory): Sample {
  return { ...historySample(user, time, history), next: item };
}

const NO_ROWS = new Rows(0, 0);

/**
 * The sample of a wanted behaviour, with other items that could have been recommended just before it. It is learnt,
 * never judged, and does not count as an impression.
 */
export function preferenceSample(user: string, time: number, preference: Preference): Sample {
  return { ...historySample(user, time, NO_HISTORY), preference };
}

/** The size of a sample in a batch or a round: its rows; a next item or a preference alone counts as one row. */
export function sizeInBatch({ rows }: Sample): number {
  return Math.max(1, rows.length);
}
