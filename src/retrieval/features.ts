/**
 * The features of candidates that the blend reads: how strongly each source proposes them, and their properties.
 *
 * A source's score s becomes ln(1 + s / (ε·mean)), with the mean over the candidates of the request and ε = 0.05:
 * ratios count, not amounts, and a candidate without a score has 0.
 */

import { logarithms } from "./items/logarithms.ts";

const EPSILON = 0.05;
/** Scores are summed in units of this share of the largest: integers, whose sum is the same in any order. */
const GRAIN = 2 ** -30;
/** A source whose largest score is below this counts as silent: its shares would not be finite. */
const LEAST = 1e-290;

/** Candidates with their features. */
export interface Features {
  /** Number of candidates, C. */
  readonly count: number;
  /** C × F, row by row. */
  readonly values: Float64Array;
  /** Groups of the request, whose weights are added to the shared ones. */
  readonly groups: readonly number[];
  /** The column that is above 0 for items that the user already had; −1 = items may not return. @default {-1} */
  readonly returns?: number;
}

/** Whether the user already had a candidate. @param columns Number of features, F */
export function isReturn({ values, returns = -1 }: Features, columns: number, c: number): boolean {
  return returns >= 0 && values[c * columns + returns]! > 0;
}

/** A column of features to be filled. */
export interface FeatureColumn {
  /** All features, row by row, 0 in this column. */
  readonly values: Float64Array;
  readonly column: number;
  /** Number of columns, F. */
  readonly columns: number;
  /** One score per item. */
  readonly scratch: Float64Array;
}

/**
 * Puts the features of a source's scores, the first `count` of `scratch`, into a column; the order of the items does
 * not matter.
 *
 * @param most The largest score; if it is 0 or nearly, the column is left as it is
 */
export function scoreColumn(count: number, most: number, column: FeatureColumn): void {
  if (most < LEAST) return;
  const { scratch } = column;
  const grain = 1 / (most * GRAIN);
  let sum = 0;
  for (let c = 0; c < count; c++) sum += Math.floor(scratch[c]! * grain + 0.5);
  const scale = count / (EPSILON * sum) * grain;
  for (let c = 0; c < count; c++) scratch[c] = scratch[c]! * scale;
  logarithms(scratch, count);
  copyColumn(count, column);
}

/** Puts the first `count` of `scratch` into a column. */
export function copyColumn(count: number, { values, column, columns, scratch }: FeatureColumn): void {
  for (let c = 0, at = column; c < count; c++, at += columns) values[at] = scratch[c]!;
}
