/**
 * What users did before they came into an experiment: what CUPED takes out of the figures.
 *
 * @module
 */

import type { ByteReader } from "../codec/byte_reader.ts";
import type { ByteWriter } from "../codec/byte_writer.ts";
import type { Sample } from "../learner/sample.ts";
import { addSample, METRIC_FIELDS } from "./user_metrics.ts";

/** How long before the first exposure the pre-period of a user begins, milliseconds. */
const PRE_PERIOD_MS = 14 * 86_400_000;

interface Past {
  time: number;
  readonly sums: Float64Array;
}

/** Sums up the lists of users. Memory: 9 numbers a user. O(1) a sample. */
export class PrePeriod {
  readonly #past = new Map<string, Past>();

  /** Takes in a sample; after a gap as long as the period, a user begins anew. */
  update(sample: Sample): void {
    let past = this.#past.get(sample.user);
    if (past === undefined) {
      past = { time: 0, sums: new Float64Array(METRIC_FIELDS.length) };
      this.#past.set(sample.user, past);
    }
    if (past.time < sample.time - PRE_PERIOD_MS) past.sums.fill(0);
    past.time = sample.time;
    addSample(past.sums, sample);
  }

  /** The sums of a user who comes into an experiment at a time; `undefined` without any in the period. */
  before(user: string, time: number): Float64Array | undefined {
    const past = this.#past.get(user);
    return past !== undefined && past.time >= time - PRE_PERIOD_MS ? past.sums.slice() : undefined;
  }

  /** Forgets a user. */
  forget(user: string): void {
    this.#past.delete(user);
  }

  /** Writes a user. */
  encodeUser(to: ByteWriter, user: string): void {
    const past = this.#past.get(user);
    to.u8(past === undefined ? 0 : 1);
    if (past !== undefined) to.f64(past.time).f64s(past.sums);
  }

  /** Reads what {@linkcode PrePeriod.encodeUser} wrote. */
  decodeUser(from: ByteReader, user: string): void {
    if (from.u8() === 0) return;
    this.#past.set(user, { time: from.f64(), sums: from.f64s(METRIC_FIELDS.length) });
  }
}
