/** The live model as the task sees it. */

import type { ServedBank } from "../bank/served_bank.ts";
import type { ListFeatures } from "../samples/sample.ts";
import type { PairNames, ScoreList } from "../nn/models/pair_head/pair_list.ts";
import type { Panel } from "../nn/models/core/panel.ts";

/** Attention of the rows of a list. */
export interface Look {
  /** What is attended to: `behaviours`, or the parts of the state by the model's name for them. */
  readonly at: string;
  /** Number of the newest behaviours, or of the parts. */
  readonly size: number;
  /** Weights [rows, size]. */
  readonly weights: Float32Array;
}

/** A model version that scores. A program may implement it to serve a model of its own. */
export interface Serving {
  /** Name of the model. */
  readonly model: string;
  /** Version of its parameters. */
  readonly version: number;
  /** The model's share in the log-odds that order lists; the rest is the causal prior's. @default {1} */
  readonly share?: number;
  /** Length of a user's recurrent state in floats; 0 without one. */
  readonly stateSize: number;
  /** Whether the state replaces a history of any length; see `Capabilities.lifelong`. @default {false} */
  readonly lifelong?: boolean;
  /** How precisely a lifelong state is stored; see `StateStretches`. @default {all in single precision} */
  readonly stretches?: readonly number[];
  /** @internal Predicts next items. @default {none} */
  readonly bank?: ServedBank | undefined;
  /** Makes the recurrent state of a user without behaviours [stateSize]. */
  initState(): Float32Array;
  /** Folds a behaviour into a state [stateSize], in place. */
  step(state: Float32Array, item: string, categories: readonly string[], strength: number): void;
  /** Drops cached user names, if it has any. */
  forgetUsers?(): void;
  /** Scores the rows of a list: one logit per row; the rows have no positions. */
  score(list: ListFeatures): Float32Array;
  /**
   * @internal The scorer of retrieved candidates that is learnt from behaviours alone; `null` or absent if nothing was
   * learnt about lists of values with these names.
   */
  order?(names: PairNames): ScoreList | null;
  /** Attention of the rows; `null` or absent for a model without attention. */
  look?(list: ListFeatures): Look | null;
  /** Panels that show a state; none for the state of another model. Absent for a model without state. */
  inspect?(state: Float32Array): readonly Panel[];
  /** Adds the effect of a position (0 is the top) to a logit of `score`. */
  place(logit: number, position: number): number;
  /** Undoes {@linkcode Serving.place}. */
  unplace(logit: number, position: number): number;
}
