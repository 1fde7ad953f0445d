/**
 * How well the truth itself predicts, and how little the simplest predictors know: the two ends of the scale
 * on which a model's log loss is read.
 *
 * @module
 */

import { constantLogLoss, logLoss } from "../../src/metrics/probability.ts";
import { auc } from "../../src/metrics/ranking.ts";
import type { PageView } from "./shop.ts";

/** A shown item. */
export interface Shown {
  /** Its id. */
  readonly item: string;
  /** Whether it was clicked. */
  readonly label: 0 | 1;
  /** True probability of the click. */
  readonly truth: number;
}

/** The two ends of the scale for log loss, and where popularity stands between them. */
export interface Scale {
  /** How many rows the figures are of. */
  readonly rows: number;
  /** Log loss of the best constant for these rows, in nats. */
  readonly constantLoss: number;
  /** Log loss of the true probabilities. */
  readonly oracleLoss: number;
  /** AUC of the true probabilities. */
  readonly oracleAuc: number;
  /** Log loss of {@linkcode popularityPredictions}. */
  readonly popularityLoss: number;
  /** AUC of {@linkcode popularityPredictions}. */
  readonly popularityAuc: number;
}

/** What was shown on a page, and whether it was clicked. */
export function shownItems({ items, truth, answers }: PageView): readonly Shown[] {
  const clicked = new Set(answers.filter(({ action }) => action === "click").map(({ position }) => position));
  return (items ?? []).map((item, i) => ({ item, label: clicked.has(i) ? 1 : 0, truth: truth[i] ?? NaN }));
}

/**
 * The scale for the last third of the rows.
 *
 * @param pages Pages in the order of time.
 */
export function scale(pages: readonly (readonly Shown[])[]): Scale {
  const rows = pages.flat();
  const from = rows.length - Math.floor(rows.length / 3);
  const labels = rows.slice(from).map(({ label }) => label);
  const truth = rows.slice(from).map((row) => row.truth);
  const popularity = popularityPredictions(pages).slice(from);
  return {
    rows: labels.length,
    constantLoss: constantLogLoss(labels) ?? NaN,
    oracleLoss: logLoss(labels, truth) ?? NaN,
    oracleAuc: auc(labels, truth) ?? NaN,
    popularityLoss: logLoss(labels, popularity) ?? NaN,
    popularityAuc: auc(labels, popularity) ?? NaN,
  };
}

/**
 * Where a log loss stands on a scale: 0 is the constant, 1 is the truth.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * assert.equal(fraction(0.3, { constantLoss: 0.4, oracleLoss: 0.2 }), 0.5000000000000001);
 * ```
 */
export function fraction(
  loss: number,
  { constantLoss, oracleLoss }: Pick<Scale, "constantLoss" | "oracleLoss">,
): number {
  return (constantLoss - loss) / (constantLoss - oracleLoss);
}

/** Mean true probability of a click on what was shown: the click rate of a policy without its luck. */
export function clickRate(views: Iterable<PageView>): number {
  let [sum, rows] = [0, 0];
  for (const { truth } of views) {
    for (const p of truth) sum += p;
    rows += truth.length;
  }
  return sum / rows;
}

/**
 * One-pass predictions from the item's own click rate so far and nothing else.
 *
 * A rate is smoothed with twenty views at the overall rate; its logit, relative to the overall one, is
 * calibrated by an intercept and a slope that a logistic regression learns in the same pass. A page is
 * predicted before it is learnt.
 *
 * @param pages Pages in the order of time.
 * @returns One probability a row.
 */
export function popularityPredictions(pages: readonly (readonly Shown[])[]): readonly number[] {
  const seen = new Map<string, { readonly views: number; readonly clicks: number }>();
  const overall = { views: 100, clicks: 10 };
  let [intercept, slope] = [0, 1];
  const predictions: number[] = [];
  for (const page of pages) {
    const base = overall.clicks / overall.views;
    const rows = page.map(({ item, label }) => {
      const { views, clicks } = seen.get(item) ?? { views: 0, clicks: 0 };
      const x = logit((clicks + 20 * base) / (views + 20)) - logit(base);
      const p = 1 / (1 + Math.exp(-(logit(base) + intercept + slope * x)));
      return { item, label, views, clicks, x, p };
    });
    for (const { item, label, views, clicks, x, p } of rows) {
      predictions.push(p);
      seen.set(item, { views: views + 1, clicks: clicks + label });
      overall.views++;
      overall.clicks += label;
      intercept += 0.001 * (label - p);
      slope += 0.01 * (label - p) * x;
    }
  }
  return predictions;
}

function logit(p: number): number {
  return Math.log(p / (1 - p));
}
