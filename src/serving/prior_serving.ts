/**
 * The causal prior as a model: the smoothed click rates of item and user, whether or not the other models start from
 * them. It ranks by the item's own rate, so it is what a shop without a model does, and what a model has to beat.
 */

import { PRIOR_NUMERIC } from "../features/schema.ts";
import type { Serving } from "../features/serving.ts";

/** The causal prior as a model: smoothed click rates of item and user, without parameters. */
export const PRIOR: Serving = {
  model: "prior",
  version: 1,
  stateSize: 0,
  initState: () => new Float32Array(0),
  step: () => {},
  score: ({ rows: { length, width, numerics } }) =>
    Float32Array.from({ length }, (_, row) => numerics[row * width + PRIOR_NUMERIC]!),
  place: (logit) => logit,
  unplace: (logit) => logit,
};
