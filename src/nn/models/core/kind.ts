/**
 * What is known of a model before one is made: its name, its options, and what it has.
 *
 * @module
 */

import type { OptionsOf } from "../../../options/option.ts";
import type { Kernels } from "../../kernels/kernels.ts";
import type { Capabilities } from "./capabilities.ts";
import type { Model, ModelSizes } from "./model.ts";

/** A model as the registry knows it. @typeParam C its options */
export interface ModelKind<N extends string = string, C extends object = object> {
  /** Its name in the configuration, on the log and in URLs: lower case. */
  readonly name: N;
  /** Its options, with their defaults: what one-pass learning starts from. */
  readonly options: OptionsOf<C>;
  /** What it has. */
  readonly capabilities: Capabilities;
  /** Makes one with start values drawn from `random`, uniform in [0, 1). */
  create(sizes: ModelSizes, config: C, random: () => number, kernels: Kernels): Model;
}
