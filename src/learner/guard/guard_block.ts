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

/** The tested figures. */
export const FIGURES = ["excess", "surprise", "over", "under"] as const;

/** One of {@linkcode FIGURES}. */
export type Figure = typeof FIGURES[number];

/** Indices of the tested figures in a block. */
export interface TestedFields extends Readonly<Record<Figure, number>> {
  /** Number of users. */
  readonly users: number;
  /** Log loss above that of the prior, nats per row. */
  readonly excess: number;
  /** Log loss above what the predictions expect of themselves, nats per row. */
  readonly surprise: number;
  /** Σ predictions − `maxCalibration` Σ labels, per row. */
  readonly over: number;
  /** `minCalibration` Σ labels − Σ predictions, per row. */
  readonly under: number;
}

/** Figures of all users. */
export const WHOLE: TestedFields = { users: 3, excess: 4, surprise: 5, over: 6, under: 7 };
/** Figures without the user who has the highest one. */
export const TRIMMED: TestedFields = { users: 8, excess: 9, surprise: 10, over: 11, under: 12 };
/** Where the variance of users' figures is that chance alone gives them, summed; the third central moment follows. */
const CHANCE: Readonly<Record<Figure, number>> = { excess: 13, surprise: 15, over: 17, under: 19 };
/** Numbers of a block. */
export const FIELDS = 21;

/** Means over the rows of a user. */
interface UserMeans extends Readonly<Record<Figure, number>> {
  readonly rate: number;
  /** Second and third central moment of each figure, if the predictions were true and rows independent. */
  readonly chance: Readonly<Record<Figure, readonly [number, number]>>;
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
  block[RATE] = meanOf(means, ({ rate }) => rate);
  block[GAIN] = logLoss - served / rows;
  block[WHOLE.users] = means.length;
  block[TRIMMED.users] = Math.max(0, means.length - 1);
  for (const name of FIGURES) {
    block[WHOLE[name]] = meanOf(means, (user) => user[name]);
    block[TRIMMED[name]] = meanOf(withoutMost(means, name), (user) => user[name]);
    for (const { chance } of means) {
      block[CHANCE[name]]! += chance[name][0];
      block[CHANCE[name] + 1]! += chance[name][1];
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

/**
 * Variance and skewness of the mean figure of blocks, as far as the predictions expect it; the weights are of `fields`.
 * With rare positives no reference is long enough to have shown them.
 */
export function chanceOf(blocks: readonly Block[], name: Figure, fields: TestedFields) {
  let [weight, square, cube] = [0, 0, 0];
  for (const block of blocks) {
    if (!(block[fields.users]! > 0)) continue;
    weight += block[fields.users]!;
    square += block[CHANCE[name]]!;
    cube += block[CHANCE[name] + 1]!;
  }
  return square > 0
    ? { variance: square / weight ** 2, skewness: cube / square ** 1.5 }
    : { variance: 0, skewness: 0 };
}

function meansOf(rows: readonly Row[], [least, most]: readonly [number, number]): UserMeans {
  const n = rows.length;
  let excess = 0, surprise = 0, predicted = 0, positives = 0;
  const chance = { excess: [0, 0], surprise: [0, 0], over: [0, 0], under: [0, 0] } satisfies Record<
    Figure,
    [number, number]
  >;
  for (const { label, prediction, offset } of rows) {
    const loss = rowLogLoss(label, prediction);
    const p = Math.min(Math.max(prediction, PROBABILITY_FLOOR), 1 - PROBABILITY_FLOOR);
    const logit = Math.log(p / (1 - p));
    excess += loss - logisticLoss(offset, label).value;
    surprise += loss - entropy(p);
    predicted += p;
    positives += label;
    // What a positive adds to each figure.
    const steps = { excess: offset - logit, surprise: -logit, over: -most, under: least };
    for (const name of FIGURES) {
      const square = p * (1 - p) * (steps[name] / n) ** 2;
      chance[name][0] += square;
      chance[name][1] += square * (1 - 2 * p) * steps[name] / n;
    }
  }
  return {
    rate: positives / n,
    excess: excess / n,
    surprise: surprise / n,
    over: (predicted - most * positives) / n,
    under: (least * positives - predicted) / n,
    chance,
  };
}

function withoutMost(means: readonly UserMeans[], name: Figure): readonly UserMeans[] {
  const most = means.reduce((most, user) => user[name] > most[name] ? user : most, means[0]!);
  return means.filter((user) => user !== most);
}

function meanOf(means: readonly UserMeans[], of: (user: UserMeans) => number): number {
  return means.length === 0 ? 0 : means.reduce((sum, user) => sum + of(user), 0) / means.length;
}
