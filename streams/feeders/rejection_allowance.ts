/**
 * Bounds what a source writes to the topic of rejections, however little its input costs: 61 KB of compressed Avro may
 * hold 60 million records without fields.
 *
 * ```text
 *   allowance   64 MiB ──╲ kept in full ╱╲__ empty: rejections 1 to 99 of a kind, 100, 110 … 1000, 1100 … are kept
 *                         ╲____________╱    each event or item taken refills it by its own size
 * ```
 *
 * What is kept says how many of its kind were left out before it. Which are kept depends on the input only: neither on
 * the sizes of commits nor on restarts, as the position has the state.
 */

import { countOf, type Rejection } from "../../src/events/rejection.ts";
import type { AllowanceState } from "../topics/feeder_position.ts";
import { kindOf } from "../topics/first_rejections.ts";

/** Bytes of rejections that are kept beyond those of the events and items that were taken. */
export const ALLOWED_BYTES = 64 << 20;

/** Size of a rejection beside its bytes and its reason. */
const FRAME_BYTES = 200;

/** Decides which rejections of a source are kept. */
export class RejectionAllowance {
  #left: number;
  readonly #beyond: Map<string, { readonly came: number; readonly leftOut: number }>;

  /** Continues from a state. @param state absent for a new source */
  constructor({ left, beyond }: AllowanceState = { left: ALLOWED_BYTES, beyond: {} }) {
    this.#left = left;
    this.#beyond = new Map(
      Object.entries(beyond).map(([kind, [came, leftOut]]) => [kind, { came, leftOut }]),
    );
  }

  /** Its state; `undefined` while it is whole. */
  get state(): AllowanceState | undefined {
    if (this.#left === ALLOWED_BYTES && this.#beyond.size === 0) return undefined;
    const beyond = [...this.#beyond].map(([kind, { came, leftOut }]) => [kind, [came, leftOut]]);
    return { left: this.#left, beyond: Object.fromEntries(beyond) };
  }

  /** Counts an event or item that was taken. */
  take(bytes: number): void {
    this.#left = Math.min(ALLOWED_BYTES, this.#left + bytes);
  }

  /** What to write of a rejection; `null` = nothing, but the next of its kind that is written counts it. */
  keep(rejection: Rejection): Rejection | null {
    const { bytes, reason, entries = [] } = rejection;
    const size = FRAME_BYTES + bytes.length + reason.length +
      entries.reduce((sum, { length }) => sum + length, 0);
    const kind = kindOf(rejection);
    const before = this.#beyond.get(kind);
    const { came = 0, leftOut = 0 } = before ?? {};
    const hasRoom = size <= this.#left;
    if (hasRoom) this.#left -= size;
    const now = hasRoom ? came : came + 1;
    const isKept = hasRoom || isRound(now);
    if (before !== undefined || !hasRoom) {
      this.#beyond.set(kind, { came: now, leftOut: isKept ? 0 : leftOut + countOf(rejection) });
    }
    if (!isKept) return null;
    return leftOut === 0 ? rejection : { ...rejection, others: leftOut };
  }
}

/** Whether only the first two digits of a number are not 0: at most 90 numbers per power of ten are. */
function isRound(count: number): boolean {
  let digits = count;
  while (digits >= 100 && digits % 10 === 0) digits /= 10;
  return digits < 100;
}
