/**
 * When answers are sent, and the number by which a repeat is known.
 *
 * Every output carries the header `input`: `<partition>/<offset>/<index>` of the event that it came of, and its place
 * among the outputs of that event. An event that is applied again after a crash gives outputs with the same numbers.
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

/** Both ways to send answers. */
export const DELIVERIES = ["exactly-once", "at-least-once"] as const satisfies readonly Delivery[];

/** The option of it. */
export const DELIVERY: Option<Delivery> = choice(
  DELIVERIES,
  "exactly-once",
  "of a service: whether answers wait for the commit",
);

/** Header of outputs: the event that they came of. */
export const INPUT = "input";
