/** The description of a model: name, options, capabilities and constructor. */

import type { OptionsOf } from "../../../options/option.ts";
import type { Kernels } from "../../kernels/kernels.ts";
import type { Capabilities } from "./capabilities.ts";
import type { Model, ModelSizes } from "./model.ts";

/** A model as the registry describes it. @typeParam C its options */
export interface ModelKind<N extends string = string, C extends object = object> {
  /** Its name in the configuration, on the log and in URLs: lower case. */
  readonly name: N;
  /** Its options with their defaults. */
  readonly options: OptionsOf<C>;
  /** What it can do. */
  readonly capabilities: Capabilities;
  /** Warnings to print for these options, such as that they are for parity only. Absent: none. */
  remarks?(config: C): readonly string[];
  /** Creates a model with initial weights drawn from `random`, uniform in [0, 1). */
  create(sizes: ModelSizes, config: C, random: () => number, kernels: Kernels): Model;
}
