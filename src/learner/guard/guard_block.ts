/**
 * What a guard keeps of a batch: how its served predictions fared.
 *
 * A figure of a batch is the mean over users of each user's mean, so no single user can hide what happens to others.
 *
 * @module
 */

import { logisticLoss } from "../../nn/losses/logistic.ts";
import { entropy, PROBABILITY_FLOOR, rowLogLoss } from "../../metrics/probability.ts";
import type { Row } from "../../samples/rows.ts";
import type { Sample } from "../../samples/sample.ts";
import type { Series } from "./series.ts";

/** Numbers of one batch; the constants here say where each is. */
export type Block = readonly number[];

/** Rows; share of positives; log loss of the learner's own weights minus that of the served ones, nats per row. */
export const ROWS = 0, RATE = 1, GAIN = 2;

/** Indices of the tested figures in a block. */
export interface TestedFields {
  /** Number of users. */
  readonly users: number;
  /** Log loss above that of the prior, nats per row. */
  readonly excess: number;
  /** Log loss above what the predictions expect of themselves, nats per row. */
  readonly surprise: number;
  /** Surprise in standard deviations, if the predictions were true and rows independent. */
  readonly score: number;
  /** Σ predictions − `maxCalibration` Σ labels, per row. */
  readonly over: number;
  /** `minCalibration` Σ labels − Σ predictions, per row. */
  readonly under: number;
}

/** Figures of all users. */
export const WHOLE: TestedFields = { users: 3, excess: 4, surprise: 5, score: 6, over: 7, under: 8 };
/** Figures without the user who has the highest one. */
export const TRIMMED: TestedFields = { users: 9, excess: 10, surprise: 11, score: 12, over: 13, under: 14 };
/** Numbers of a block. */
export const FIELDS = 15;

/** Means over the rows of a user. */
interface UserMeans {
  readonly rate: number;
  readonly excess: number;
  readonly surprise: number;
  /** Variance of the mean surprise, if the predictions were true and rows independent. */
  readonly variance: number;
  readonly over: number;
  readonly under: number;
}

/**
 * The block of a batch.
 *
 * @param logLoss mean log loss per row of the learner's own weights, before it learnt the batch
 * @param band smallest and largest Σ predictions / Σ labels
 */
export function blockOf(samples: readonly Sample[], logLoss: number, band: readonly [number, number]): Block {
  const users = new Map<string, Row[]>();
  let rows = 0, served = 0;
  for (const { user, rows: own } of samples) {
    if (own.length === 0) continue;
    const all = users.get(user);
    if (all === undefined) users.set(user, [...own]);
    else all.push(...own);
    rows += own.length;
    for (const { label, prediction } of own) served += rowLogLoss(label, prediction);
  }
  const means = [...users.values()].map((own) => meansOf(own, band));
  const block = new Array<number>(FIELDS).fill(0);
  block[ROWS] = rows;
  block[RATE] = meanOf(means, "rate");
  block[GAIN] = logLoss - served / rows;
  block[WHOLE.users] = means.length;
  block[TRIMMED.users] = Math.max(0, means.length - 1);
  for (const name of ["excess", "surprise", "over", "under"] as const) {
    const rest = withoutMost(means, name);
    block[WHOLE[name]] = meanOf(means, name);
    block[TRIMMED[name]] = meanOf(rest, name);
    if (name === "surprise") {
      block[WHOLE.score] = scoreOf(means);
      block[TRIMMED.score] = scoreOf(rest);
    }
  }
  return block;
}

/** The fewest newest blocks that have at least `rows` rows. */
export function newest(blocks: readonly Block[], rows: number): Block[] {
  let from = blocks.length;
  for (let sum = 0; from > 0 && sum < rows; from--) sum += blocks[from - 1]![ROWS]!;
  return blocks.slice(from);
}

/** Rows of all blocks. */
export function rowsOf(blocks: readonly Block[]): number {
  return blocks.reduce((sum, block) => sum + block[ROWS]!, 0);
}

/** A figure of each block, with its weight. */
export function column(blocks: readonly Block[], field: number, weight: number): Series {
  const values = new Float64Array(blocks.length), weights = new Float64Array(blocks.length);
  let n = 0;
  for (const block of blocks) {
    if (!(block[weight]! > 0)) continue;
    values[n] = block[field]!;
    weights[n++] = block[weight]!;
  }
  return { values: values.subarray(0, n), weights: weights.subarray(0, n) };
}

function meansOf(
  rows: readonly Row[],
  [least, most]: readonly [number, number],
): UserMeans {
  let excess = 0, surprise = 0, variance = 0, predicted = 0, positives = 0;
  for (const { label, prediction, offset } of rows) {
    const loss = rowLogLoss(label, prediction);
    const p = Math.min(Math.max(prediction, PROBABILITY_FLOOR), 1 - PROBABILITY_FLOOR);
    excess += loss - logisticLoss(offset, label).value;
    surprise += loss - entropy(p);
    variance += p * (1 - p) * Math.log(p / (1 - p)) ** 2;
    predicted += p;
    positives += label;
  }
  const n = rows.length;
  return {
    rate: positives / n,
    excess: excess / n,
    surprise: surprise / n,
    variance: variance / n ** 2,
    over: (predicted - most * positives) / n,
    under: (least * positives - predicted) / n,
  };
}

function withoutMost(means: readonly UserMeans[], name: keyof UserMeans): readonly UserMeans[] {
  const most = means.reduce((most, user) => user[name] > most[name] ? user : most, means[0]!);
  return means.filter((user) => user !== most);
}

function meanOf(means: readonly UserMeans[], name: keyof UserMeans): number {
  return means.length === 0 ? 0 : means.reduce((sum, user) => sum + user[name], 0) / means.length;
}

/** Surprise in standard deviations; 0 if the variance is, as for predictions of 0, 1/2 and 1. */
function scoreOf(means: readonly UserMeans[]): number {
  const variance = means.reduce((sum, user) => sum + user.variance, 0);
  return variance > 0 ? meanOf(means, "surprise") * means.length / Math.sqrt(variance) : 0;
}
