/**
 * What a guard keeps of a batch: how its served predictions fared.
 *
 * A figure of a batch is the mean over users of each user's mean, so that no user can hide what happens to others.
 */

import { logisticLoss } from "../../nn/losses/logistic.ts";
import { entropy, PROBABILITY_FLOOR, rowLogLoss } from "../../metrics/probability.ts";
import type { Rows } from "../../samples/rows.ts";
import type { Sample } from "../../samples/sample.ts";
import type { Series } from "./series.ts";

/** Numbers of one batch; the constants here say where each is. */
export type Block = readonly number[];

/** Rows; share of positives; log loss of the learner's own weights minus that of the served ones, nats per row. */
export const ROWS = 0, RATE = 1, GAIN = 2;

/** The tested figures. */
export const FIGURES = ["excess", "surprise", "over", "under"] as const;

export type Figure = typeof FIGURES[number];

export interface TestedFields extends Readonly<Record<Figure, number>> {
  readonly users: number;
  /** Log loss above that of the prior, nats per row. */
  readonly excess: number;
  /** Log loss above what the predictions expect of themselves, nats per row. */
  readonly surprise: number;
  /** Σ predictions − {@linkcode MOST} Σ labels, per row. */
  readonly over: number;
  /** {@linkcode LEAST} Σ labels − Σ predictions, per row. */
  readonly under: number;
}

/** Figures of all users. */
export const WHOLE: TestedFields = { users: 3, excess: 4, surprise: 5, over: 6, under: 7 };
/** Figures without the user who has the highest one. */
export const TRIMMED: TestedFields = { users: 8, excess: 9, surprise: 10, over: 11, under: 12 };
/** Index of the summed variance of users' figures due to chance alone; their third central moment follows it. */
const CHANCE: Readonly<Record<Figure, number>> = { excess: 13, surprise: 15, over: 17, under: 19 };
/** Numbers of a block. */
export const FIELDS = 21;

/** Smallest and largest Σ predictions / Σ labels. */
const LEAST = 0.5, MOST = 2;

/** Figures of a user, in the order of {@linkcode FIGURES}. */
type Figures = readonly number[];

/** Means over the rows of a user. */
interface UserMeans {
  readonly rate: number;
  readonly figures: Figures;
  /** Second central moment of each figure, if the predictions were true and rows independent. */
  readonly squares: Figures;
  /** The third. */
  readonly cubes: Figures;
}

/** The block of a batch. @param logLoss mean log loss per row of the learner's own weights, before it learnt the batch */
export function blockOf(samples: readonly Sample[], logLoss: number): Block {
  const users = new Map<string, Rows[]>();
  let rows = 0, served = 0;
  for (const { user, rows: own } of samples) {
    if (own.length === 0) continue;
    const all = users.get(user);
    if (all === undefined) users.set(user, [own]);
    else all.push(own);
    rows += own.length;
    for (let row = 0; row < own.length; row++) served += rowLogLoss(own.label(row), own.prediction(row));
  }
  const means = [...users.values()].map(meansOf);
  const block = new Array<number>(FIELDS).fill(0);
  block[ROWS] = rows;
  block[RATE] = meanOfUsers(means, ({ rate }) => rate);
  block[GAIN] = logLoss - served / rows;
  block[WHOLE.users] = means.length;
  block[TRIMMED.users] = Math.max(0, means.length - 1);
  for (const [f, name] of FIGURES.entries()) {
    block[WHOLE[name]] = meanOfUsers(means, ({ figures }) => figures[f]!);
    block[TRIMMED[name]] = meanOfUsers(withoutMost(means, f), ({ figures }) => figures[f]!);
    for (const { squares, cubes } of means) {
      block[CHANCE[name]]! += squares[f]!;
      block[CHANCE[name] + 1]! += cubes[f]!;
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

export function rowsOf(blocks: readonly Block[]): number {
  return blocks.reduce((sum, block) => sum + block[ROWS]!, 0);
}

/** Weighted mean of a figure over the blocks of all parts, as of their {@linkcode column}; 0 without blocks. */
export function meanOfBlocks(parts: readonly (readonly Block[])[], field: number, weight: number): number {
  let sum = 0, total = 0;
  for (const blocks of parts) {
    for (const block of blocks) {
      const own = block[weight]!;
      if (!(own > 0)) continue;
      sum += own * block[field]!;
      total += own;
    }
  }
  return total === 0 ? 0 : sum / total;
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
 * Variance and skewness of the mean figure of blocks that the predictions imply, with the users of `fields` as weights.
 * With rare positives, no reference is long enough to have shown them.
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

function meansOf(lists: readonly Rows[]): UserMeans {
  const n = lists.reduce((sum, { length }) => sum + length, 0);
  const squares = [0, 0, 0, 0], cubes = [0, 0, 0, 0];
  let excess = 0, surprise = 0, predicted = 0, positives = 0;
  for (const rows of lists) {
    for (let row = 0; row < rows.length; row++) {
      const label = rows.label(row), prediction = rows.prediction(row), offset = rows.offset(row);
      const loss = rowLogLoss(label, prediction);
      const p = Math.min(Math.max(prediction, PROBABILITY_FLOOR), 1 - PROBABILITY_FLOOR);
      const logit = Math.log(p / (1 - p));
      excess += loss - logisticLoss(offset, label).value;
      surprise += loss - entropy(p);
      predicted += p;
      positives += label;
      // What a positive adds to each figure.
      const steps = [offset - logit, -logit, -MOST, LEAST];
      for (let f = 0; f < steps.length; f++) {
        const square = p * (1 - p) * (steps[f]! / n) ** 2;
        squares[f]! += square;
        cubes[f]! += square * (1 - 2 * p) * steps[f]! / n;
      }
    }
  }
  return {
    rate: positives / n,
    figures: [
      excess / n,
      surprise / n,
      (predicted - MOST * positives) / n,
      (LEAST * positives - predicted) / n,
    ],
    squares,
    cubes,
  };
}

function withoutMost(means: readonly UserMeans[], figure: number): readonly UserMeans[] {
  const most = means.reduce(
    (most, user) => user.figures[figure]! > most.figures[figure]! ? user : most,
    means[0]!,
  );
  return means.filter((user) => user !== most);
}

function meanOfUsers(means: readonly UserMeans[], of: (user: UserMeans) => number): number {
  return means.length === 0 ? 0 : means.reduce((sum, user) => sum + of(user), 0) / means.length;
}
