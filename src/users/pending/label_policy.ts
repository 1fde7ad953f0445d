/**
 * When impressions become labels, for learners that do not wait until all clicks have arrived.
 *
 * ```text
 *            impression      window W ends          horizon H later
 *            ├───── clicks ──────┼────── late clicks ──────┤
 *  window    ·                   learn, judge              ·
 *  late      ·                   learn, judge     + learn a late click as a positive
 *  fnw       learn negatives     judge            + learn each click as a positive, early or late
 * ```
 *
 * A negative that is learnt before its click arrives is fake; weights in the loss correct for it, see
 * `src/nn/losses/delayed.ts`. Predictions are judged by the labels of the window.
 */

import type { Sample } from "../../samples/sample.ts";
import type { Rows } from "../../samples/rows.ts";
import { type Pending, toSample } from "./pending.ts";

/** The label policies. */
export const LABEL_POLICIES = ["window", "late", "fnw"] as const;

/** One of {@linkcode LABEL_POLICIES}. */
export type LabelPolicy = (typeof LABEL_POLICIES)[number];

/** Clicks counted so far, by when they arrived. */
export interface DelayCounters {
  /** Within the window. */
  clicksInTime: number;
  /** After it. */
  clicksLate: number;
}

/** Whether impressions are remembered after their window. */
export function remembers(policy: LabelPolicy): boolean {
  return policy !== "window";
}

/** Measured share φ of the clicks that arrive after the window, in [0, 1). */
export function lateShare({ clicksInTime, clicksLate }: DelayCounters): number {
  return clicksLate / (clicksInTime + clicksLate + 1);
}

/**
 * The sample of a list that has just been shown; `null` if there is nothing to learn yet.
 *
 * @param before its rows that were shown earlier
 */
export function shownSample(
  policy: LabelPolicy,
  user: string,
  pending: Pending,
  before: Rows | undefined,
): Sample | null {
  if (policy !== "fnw") return null;
  const fresh: number[] = [];
  const { items, length } = pending.rows;
  for (let row = 0; row < length; row++) {
    if (before === undefined || before.find(items[row]!.index) < 0) fresh.push(row);
  }
  if (fresh.length === 0) return null;
  const rows = pending.rows.pick(fresh);
  return { ...toSample(user, { ...pending, rows }, pending.time), purpose: "learn", lateShare: 1 };
}

/**
 * The sample of a click on its arrival; `null` if it waits for the end of the window.
 *
 * @param at `late`: whether the window has ended, `share`: share φ of late clicks
 */
export function clickSample(
  policy: LabelPolicy,
  user: string,
  pending: Pending,
  row: number,
  at: { readonly time: number; readonly late: boolean; readonly share: number },
): Sample | null {
  if (policy === "window" || (policy === "late" && !at.late)) return null;
  const rows = pending.rows.pick([row]);
  rows.answer(0, { label: 1, explicit: false });
  const sample = toSample(user, { ...pending, rows }, at.time);
  return { ...sample, purpose: "learn", lateShare: policy === "late" ? at.share : 1 };
}

/** The sample of a list whose window has ended. */
export function settledSample(policy: LabelPolicy, sample: Sample, share: number): Sample {
  if (policy === "window") return sample;
  return policy === "late" ? { ...sample, lateShare: share } : { ...sample, purpose: "judge" };
}
