/**
 * What the blend knows of a candidate: how strongly each source proposes it, and a few properties of its own.
 *
 * A source's score s becomes ln(1 + s / (ε·mean)), with the mean over the candidates of the request and ε = 0.05:
 * ratios count, not amounts, and a candidate that the source does not know has 0.
 *
 * @module
 */

import type { ItemScores } from "./items/item_scores.ts";
import { SCORED_SOURCES } from "../events/candidate_source.ts";
import { logarithms } from "./items/logarithms.ts";

const EPSILON = 0.05;
/** Scores are summed in this share of the largest: whole numbers, whose sum is the same in any order. */
const GRAIN = 2 ** -30;
/** What is smaller has nothing to say: the shares of it would not be finite. */
const LEAST = 1e-290;

/** Most items that a source proposes; what is 0 scores only what others propose: it is a part of what is co-visited. */
export const PROPOSALS: Readonly<Record<(typeof SCORED_SOURCES)[number], number>> = {
  "co-visited": 180,
  "same-page": 0,
  "closest": 0,
  "liked": 0,
  "together": 60,
  "linear": 60,
  "sessions": 60,
  "category": 120,
  "next-category": 40,
  "popular": 60,
  "trending": 40,
  "re-visit": 60,
};

/** Features of a candidate beside its sources' scores. New ones come last: see `Blend.decode()`. */
export const PROPERTIES = [
  "cold",
  "own",
  "quality",
  "taste",
  "affinity",
  "count",
  "same category",
  "age of behaviours",
] as const;

/** Number of features, F. */
export const FEATURES = SCORED_SOURCES.length + PROPERTIES.length;

/** Names of all features, in order. */
export const FEATURE_NAMES: readonly string[] = [...SCORED_SOURCES, ...PROPERTIES];

/**
 * Weights before anything was learnt: what the first 45,000 events of MovieLens 100K come to, and by judgement
 * where that data has nothing to say (categories, re-visits).
 */
export const START_WEIGHTS: Readonly<Record<string, number>> = {
  "co-visited": 0.9,
  "same-page": 0.5,
  "closest": 0,
  "liked": 0.15,
  "together": 0.15,
  "linear": 0.2,
  "sessions": 0.1,
  "category": 0.3,
  "next-category": 0.1,
  "popular": 0,
  "trending": 0.1,
  "re-visit": 1,
  "cold": 0.8,
  "own": 0,
  "quality": 0.4,
  "taste": 0.5,
  "affinity": 0.8,
  "count": -0.2,
  "same category": 0,
  "age of behaviours": 0,
};

/** Where the scores of a source are. */
export interface ScoreColumn {
  /** The scores. */
  readonly scores: ItemScores;
  /** The column of them. */
  readonly column: number;
}

/** A column of features to be filled. */
export interface FeatureColumn {
  /** All features, row by row, 0 in this column. */
  readonly values: Float64Array;
  /** The column. */
  readonly column: number;
  /** A score an item. */
  readonly scratch: Float64Array;
}

/**
 * Puts the features of a source's scores, the first `count` of `scratch`, into a column; the order of the items does
 * not matter.
 *
 * @param most The largest score; without any, the column is left as it is
 */
export function scoreColumn(count: number, most: number, { values, column, scratch }: FeatureColumn): void {
  if (most < LEAST) return;
  const grain = 1 / (most * GRAIN);
  let sum = 0;
  for (let c = 0; c < count; c++) sum += Math.floor(scratch[c]! * grain + 0.5);
  const scale = count / (EPSILON * sum) * grain;
  for (let c = 0; c < count; c++) scratch[c] = scratch[c]! * scale;
  logarithms(scratch, count);
  for (let c = 0, at = column; c < count; c++, at += FEATURES) values[at] = scratch[c]!;
}
