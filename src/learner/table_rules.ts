/** The learning rule of each embedding table: vectors, and the kinds of first-order weights. */

import type { RowAdagradOptions } from "../nn/optimisers/adagrad.ts";

/** Kinds of first-order weights; `field` stands for the fields of user, item and context. */
export const WEIGHT_KINDS = [
  "user",
  "item",
  "category",
  "field",
  "position",
  "pair",
  "transition",
  "age",
] as const;

/** One of {@linkcode WEIGHT_KINDS}. */
export type WeightKind = (typeof WEIGHT_KINDS)[number];

/** Standard deviations of weights by kind, in logits, above 0. */
export type PriorDeviations = { readonly [K in WeightKind]?: number | undefined };

/** The options of a learner that rules depend on. */
export interface TableRuleOptions {
  readonly embeddingLearningRate: number;
  readonly firstOrderLearningRate: number;
  readonly deviations: PriorDeviations;
}

/**
 * Half-life of the squared gradients, in steps of the row or dense weight. Without it, a weight would follow changes ever
 * more slowly.
 */
export const HALVED_AFTER = 8000;

/** Learning rate of the weights of cross features. */
const CROSS_LEARNING_RATE = 0.2;

/** The learning rule of a table. @param name see `fieldSpecs` */
export function tableRule(name: string, options: TableRuleOptions): RowAdagradOptions {
  return { ...stepsOf(name, options), halvedAfter: HALVED_AFTER };
}

function stepsOf(name: string, options: TableRuleOptions): RowAdagradOptions {
  if (!name.startsWith("first:")) {
    return { learningRate: options.embeddingLearningRate, initialAccumulator: 0.1 };
  }
  const kind = weightKind(name);
  const deviation = options.deviations[kind];
  if (deviation !== undefined) {
    return { learningRate: 1, initialAccumulator: deviation ** -2, exponent: 1 };
  }
  if (kind === "transition" || kind === "age") {
    return { learningRate: CROSS_LEARNING_RATE, initialAccumulator: 0.1 };
  }
  const initialAccumulator = kind === "pair" ? 1 : 0.1;
  return { learningRate: options.firstOrderLearningRate, initialAccumulator };
}

function weightKind(name: string): WeightKind {
  const kind = name.slice("first:".length);
  return WEIGHT_KINDS.find((known) => known === kind) ?? "field";
}
