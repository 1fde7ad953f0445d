/** The users' figures before they enter an experiment, for CUPED. */

import type { ByteReader } from "../codec/byte_reader.ts";
import type { ByteWriter } from "../codec/byte_writer.ts";
import type { Sample } from "../samples/sample.ts";
import { addList, plainSums, sumsOf } from "./user_metrics.ts";
import { MAX_COUNTED_USERS } from "../assignment/experiment.ts";
import { METRIC_FIELDS } from "../assignment/metrics.ts";

const DAY_MS = 86_400_000;
/** Gap without samples at which a user's pre-period starts anew, milliseconds. */
const PRE_PERIOD_MS = 14 * DAY_MS;
/** Days after which an inactive user is dropped: a pre-period, and as much again for samples that come late. */
const KEPT_DAYS = 2 * 14;

interface Past {
  time: number;
  readonly sums: number[];
}

/**
 * Sums per user before an experiment, back to a gap of two weeks. Memory: 9 numbers per user of the last four weeks,
 * for at most {@linkcode MAX_COUNTED_USERS} users. O(1) per sample.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { METRIC_FIELDS, PrePeriod } from "@meander/meander/experiments";
 * import { Rows, type Sample } from "@meander/meander/core";
 *
 * const sample: Sample = {
 *   request: "r1", user: "ann", time: 0, closedTime: 1, version: 1, newUser: true,
 *   history: { items: [], categories: [], actions: [], times: new Float64Array(0), strengths: new Float32Array(0) },
 *   userFields: [], contextFields: [],
 *   rows: Rows.of([{ item: "tent", label: 1 }]),
 * };
 *
 * const past = new PrePeriod();
 * past.update(sample);
 * assert.equal(past.before("ann", 1000)?.[METRIC_FIELDS.indexOf("clicks")], 1);
 * assert.equal(past.before("ann", 15 * 86_400_000), undefined); // after two weeks
 * ```
 */
export class PrePeriod {
  readonly #past = new Map<string, Past>();
  /** Users by day of their newest sample. */
  readonly #days = new Map<number, Set<string>>();
  readonly #maxUsers: number;

  /** Starts without users. @param maxUsers who comes when there are as many has no pre-period */
  constructor(maxUsers: number = MAX_COUNTED_USERS) {
    this.#maxUsers = maxUsers;
  }

  /** Adds a sample; a user restarts after a gap as long as the period. @param list its sums, see `sumsOf` */
  update(sample: Sample, list: Float64Array = sumsOf(sample)): void {
    this.add(sample, list);
  }

  /** @internal Adds the sums of a sample. */
  add({ user, time }: Pick<Sample, "user" | "time">, list: ArrayLike<number>): void {
    let past = this.#past.get(user);
    if (past === undefined) {
      if (this.#past.size >= this.#maxUsers) return;
      past = { time: 0, sums: METRIC_FIELDS.map(() => 0) };
      this.#past.set(user, past);
    }
    if (past.time < time - PRE_PERIOD_MS) past.sums.fill(0);
    this.#move(user, past.time, time);
    past.time = time;
    addList(past.sums, list);
  }

  /** The sums of a user's past when they enter an experiment at `time`; `undefined` if the period has none. */
  before(user: string, time: number): number[] | undefined {
    const past = this.#past.get(user);
    return past !== undefined && past.time >= time - PRE_PERIOD_MS ? past.sums.slice() : undefined;
  }

  /** Forgets a user. */
  forget(user: string): void {
    const past = this.#past.get(user);
    if (past === undefined) return;
    this.#past.delete(user);
    this.#days.get(dayOf(past.time))?.delete(user);
  }

  /** Drops users whose samples are too old. @param time Newest event time. @returns The dropped users. */
  prune(time: number): string[] {
    const gone = [...this.#days.keys()].filter((day) => day < dayOf(time) - KEPT_DAYS);
    const users = gone.flatMap((day) => [...this.#days.get(day)!]);
    for (const user of users) this.#past.delete(user);
    for (const day of gone) this.#days.delete(day);
    return users;
  }

  /** @internal Encodes a user. */
  encodeUser(to: ByteWriter, user: string): void {
    const past = this.#past.get(user);
    to.u8(past === undefined ? 0 : 1);
    if (past !== undefined) to.f64(past.time).f64s(past.sums);
  }

  /** @internal Decodes the output of {@linkcode PrePeriod.encodeUser}. */
  decodeUser(from: ByteReader, user: string): void {
    if (from.u8() === 0) return;
    const past = { time: from.f64(), sums: plainSums(from.f64s(METRIC_FIELDS.length)) };
    this.#past.set(user, past);
    this.#move(user, past.time, past.time);
  }

  #move(user: string, from: number, to: number): void {
    this.#days.get(dayOf(from))?.delete(user);
    const day = this.#days.get(dayOf(to));
    if (day === undefined) this.#days.set(dayOf(to), new Set([user]));
    else day.add(user);
  }
}

function dayOf(time: number): number {
  return Math.floor(time / DAY_MS);
}
