/**
 * When answers are sent, and the number by which a repeat is known.
 *
 * Every output carries the header `input`: `<partition>/<offset>/<index>` of the event that it came of, and its place
 * among the outputs of that event. An event that is applied again after a crash gives outputs with the same numbers.
 *
 * @module
 */

import type { TaskOutputs } from "../../src/state/task_outputs.ts";

/** How answers are sent. */
export const DELIVERIES = ["exactly-once", "at-least-once"] as const;

/**
 * `exactly-once`: with the commit, so that a reader of committed records sees each once. `at-least-once`: at once,
 * without waiting for a commit; what a crash lets happen again is sent again. Samples and states are committed once
 * either way.
 */
export type Delivery = (typeof DELIVERIES)[number];

/** Header of outputs: the event that they came of. */
export const INPUT = "input";

/** Numbers of the outputs that a task holds, one for each in the same order. */
export class OutputNumbers {
  /** Of answers. */
  readonly recommendations: string[] = [];
  /** Of samples. */
  readonly samples: string[] = [];
  /** Of erasures. */
  readonly forgotten: string[] = [];

  /** Numbers what an event has added. */
  add({ recommendations, samples, forgotten }: TaskOutputs, partition: number, offset: number): void {
    let index = 0;
    const number = () => `${partition}/${offset}/${index++}`;
    while (this.recommendations.length < recommendations.length) this.recommendations.push(number());
    while (this.samples.length < samples.length) this.samples.push(number());
    while (this.forgotten.length < forgotten.length) this.forgotten.push(number());
  }
}
