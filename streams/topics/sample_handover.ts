/** Hands samples from a task to a learner in the same process, which then need not decode their records. */

import type { Sample } from "../../src/samples/sample.ts";

/** Maximum number of waiting samples; one more replaces the oldest. */
const MAX_WAITING = 4096;

/**
 * The newest committed samples of one partition, by offset. A sample that is missing, after a restart or beyond the
 * maximum, is decoded from its record, with the same content.
 */
export class SampleHandover {
  readonly #waiting = new Map<number, Sample>();

  /** Hands a committed sample over. */
  put(offset: number, sample: Sample): void {
    if (this.#waiting.size === MAX_WAITING) {
      for (const oldest of this.#waiting.keys()) {
        this.#waiting.delete(oldest);
        break;
      }
    }
    this.#waiting.set(offset, sample);
  }

  /** Removes and returns the sample at an offset, if it is here. */
  take(offset: number): Sample | undefined {
    const sample = this.#waiting.get(offset);
    if (sample !== undefined) this.#waiting.delete(offset);
    return sample;
  }
}
