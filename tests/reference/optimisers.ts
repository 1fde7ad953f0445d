/**
 * Optimisers in tfjs ops: what `src/nn/optimisers` computes in loops over arrays. Adam is `tf.train.adam`.
 *
 * @module
 */

import * as tf from "@tensorflow/tfjs";

/** Gradients times min(1, max / norm), the norm being that of all of them together. */
export function clipped(gradients: readonly tf.Tensor[], max: number): tf.Tensor[] {
  const norm = tf.sqrt(tf.addN(gradients.map((gradient) => tf.sum(tf.square(gradient)))));
  const scale = tf.minimum(1, tf.divNoNan(tf.fill([], max), norm));
  const factor = tf.where(tf.greater(norm, 0), scale, tf.onesLike(scale));
  return gradients.map((gradient) => tf.mul(gradient, factor));
}

/** A table [n, k] and the accumulators of its rows [n]. */
export interface AdagradRows {
  readonly table: tf.Tensor2D;
  readonly accumulators: tf.Tensor1D;
}

/** One step of row-wise Adagrad; the gradients [m, k] of an id that comes more than once are summed first. */
export function rowAdagradStep(
  { table, accumulators }: AdagradRows,
  { ids, gradients }: { readonly ids: tf.Tensor1D; readonly gradients: tf.Tensor2D },
  { learningRate, epsilon }: { readonly learningRate: number; readonly epsilon: number },
): AdagradRows {
  const sums = tf.unsortedSegmentSum(gradients, ids, table.shape[0]);
  const next = tf.add(accumulators, tf.mean(tf.square(sums), 1));
  const rates = tf.div(learningRate, tf.sqrt(tf.add(next, epsilon)));
  return {
    table: tf.sub(table, tf.mul(sums, tf.expandDims(rates, 1))),
    accumulators: tf.reshape(next, [-1]),
  };
}
