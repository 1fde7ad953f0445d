/**
 * When recommendations are sent, and the header that identifies repeats.
 *
 * Every output except a rejection carries the header `input`, `<partition>/<offset>/<index>`: the event that it results
 * from, and its index among the outputs of that event. An event that is applied again after a crash yields the same
 * values.
 */

import { type Formats, isNewerFormat } from "../../src/codec/formats.ts";
import { choice, type Option } from "../../src/options/option.ts";
import type { LogRecord } from "../log/log.ts";

/**
 * When recommendations are sent. `exactly-once`: with the commit, so that a reader of committed records sees each once.
 * `at-least-once`: immediately, so some may be sent again after a crash. Samples and states are committed exactly once
 * either way.
 */
export type Delivery = "exactly-once" | "at-least-once";

export const DELIVERIES = ["exactly-once", "at-least-once"] as const satisfies readonly Delivery[];

export const DELIVERY: Option<Delivery> = choice(
  DELIVERIES,
  "exactly-once",
  "in a service: whether answers wait for the commit",
);

/** Header of outputs other than rejections: the event that they result from. */
export const INPUT = "input";

/**
 * Header of samples that are not for learning alone: event time, milliseconds since the epoch, before which all lists
 * of their partition had final outcomes when the sample was made. Records of 0.2.0 have none.
 */
export const SETTLED_BEFORE = "settled-before";

/**
 * Header of samples that a build makes, and of the record of their task: the number of the round, which counts over all
 * tasks. After a crash of the build, samples that were not learnt yet are learnt in the order in which they were made.
 */
export const ROUND = "round";

/**
 * Header of samples that a build makes and that the weights it started from have learnt: its model does not learn them
 * again, and they do not judge it.
 */
export const LEARNT = "learnt";

/**
 * Whether an output that cannot be decoded looks as if a task of a newer release had written it. Records that other
 * programs write to our topics may begin with any byte, but lack {@linkcode INPUT}.
 */
export function isOfNewerRelease(
  { headers, value }: Pick<LogRecord, "headers" | "value">,
  formats: Formats,
): boolean {
  return value !== null && headers[INPUT] !== undefined && isNewerFormat(value, formats);
}
