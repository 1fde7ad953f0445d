/**
 * When recommendations are sent, and the number that identifies a repeat.
 *
 * Every output carries the header `input`, `<partition>/<offset>/<index>`: its event, and its index among the outputs
 * of that event. An event that is applied again after a crash gives the same numbers.
 *
 * @module
 */

import { choice, type Option } from "../../src/options/option.ts";

/**
 * When recommendations are sent. `exactly-once`: with the commit, so that a reader of committed records sees each once.
 * `at-least-once`: immediately; what is repeated after a crash is sent again. Samples and states are committed exactly
 * once either way.
 */
export type Delivery = "exactly-once" | "at-least-once";

/** All of {@linkcode Delivery}. */
export const DELIVERIES = ["exactly-once", "at-least-once"] as const satisfies readonly Delivery[];

/** Its option. */
export const DELIVERY: Option<Delivery> = choice(
  DELIVERIES,
  "exactly-once",
  "in a service: whether answers wait for the commit",
);

/** Header of outputs: their event. */
export const INPUT = "input";

/**
 * Header of samples that a build makes, and of the record of their task: the number of the round, over all tasks. So samples
 * that were not learnt when it was killed are learnt in the order in which they were made.
 */
export const ROUND = "round";
