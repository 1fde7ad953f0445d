/**
 * What the task needs of the live model.
 *
 * @module
 */

import type { Instance } from "./instance.ts";
import type { Panel } from "../nn/models/core/panel.ts";

/** Where the rows of an impression look. */
export interface Look {
  /** What they look at: `behaviours`, or what the model calls the parts of its state. */
  readonly at: string;
  /** How many there are of it: behaviours that the model read, the newest ones, or parts. */
  readonly size: number;
  /** How much each row looks at each [rows, size]. */
  readonly weights: Float32Array;
}

/** A model version that can be asked. */
export interface Serving {
  /** Name of the model. */
  readonly model: string;
  /** The parameter version. */
  readonly version: number;
  /** Its share in what orders lists, in log-odds; the rest is the causal prior's. @default {1} */
  readonly share?: number;
  /** Floats of a user's recurrent state; 0 = none. */
  readonly stateSize: number;
  /** Whether a state is all that is needed of a history, however long; see `Capabilities.lifelong`. @default {false} */
  readonly lifelong?: boolean;
  /** How precisely a lifelong state is stored; see `StateStretches`. @default {all in single precision} */
  readonly stretches?: readonly number[];
  /** The recurrent state of a user without behaviours. */
  initState(): Float32Array;
  /** Folds a behaviour into the state, in place. */
  step(state: Float32Array, item: string, categories: readonly string[], strength: number): void;
  /** Forgets words of users that it keeps in mind, if it does. */
  forgetUsers?(): void;
  /** Logits of the rows of an impression, one a row. */
  score(instance: Instance): Float32Array;
  /** Where the rows look; `null` or absent when the model weighs nothing by candidate. */
  look?(instance: Instance): Look | null;
  /** What the model shows of a state; nothing of one that is not its own. Absent: it never shows anything. */
  inspect?(state: Float32Array): readonly Panel[];
  /** The logit of an item at a position (0 = top), from its logit of `score`. */
  place(logit: number, position: number): number;
  /** Takes {@linkcode Serving.place} back. */
  unplace(logit: number, position: number): number;
}
