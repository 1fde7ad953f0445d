/**
 * The causal prior as a model: the smoothed click rates that every model starts from. It ranks by the item's own
 * rate, so it is what a shop without a model does, and what a model has to beat.
 *
 * @module
 */

import type { Instance } from "../features/assembler.ts";
import type { Serving } from "./serving.ts";

/** A model without parameters. */
export const PRIOR: Serving = {
  model: "prior",
  version: 1,
  stateSize: 0,
  initState: () => new Float32Array(0),
  step: () => {},
  score: ({ rows }: Instance) => Float32Array.from(rows, ({ offset }) => offset),
  place: (logit) => logit,
  unplace: (logit) => logit,
};
