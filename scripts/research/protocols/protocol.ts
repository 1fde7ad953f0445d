/** What a benchmark is: what is learnt, and what is judged. */

import type { Sample } from "../../../src/samples/sample.ts";
import type { ModelName } from "../../../src/nn/models/registry.ts";
import type { Config } from "../../../streams/config/config.ts";
import type { Figures } from "./figures.ts";

export interface ProtocolData {
  readonly train: readonly Sample[];
  /** Empty if the judged rows are part of `train`. */
  readonly test: readonly Sample[];
}

export interface ProtocolOptions {
  readonly model: ModelName;
  readonly config: Config;
  readonly seed: number;
  /** Judge on a part of `train` that is in no final figure. */
  readonly heldOut: boolean;
}

export interface ProtocolResult {
  /** Rows learnt or predicted. */
  readonly rows: number;
  /** Rows that the figures cover. */
  readonly judged: number;
  readonly figures: Figures;
}

/** A benchmark. */
export interface Protocol {
  readonly config: Config;
  /** Reads the data. @param seed determines the order where the protocol shuffles @param config selects the features, where a task makes them */
  readonly read: (folder: string, seed: number, config: Config) => Promise<ProtocolData>;
  readonly run: (data: ProtocolData, options: ProtocolOptions) => ProtocolResult;
}
