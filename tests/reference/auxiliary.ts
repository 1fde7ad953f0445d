/**
 * DIEN's auxiliary loss (see `models/dien/auxiliary.ts`), op by op over a padded batch.
 *
 * @module
 */

import * as tf from "@tensorflow/tfjs";
import type { AuxiliaryScore } from "../../src/nn/models/dien/auxiliary.ts";
import { mlp } from "./layers.ts";
import type { Weights } from "./tensorflow.ts";

// B rows, T steps, H state, d behaviour

/** Vectors of the auxiliary loss. */
export interface AuxiliaryBatch {
  /** States [B, T, H]. */
  readonly h: tf.Tensor;
  /** Behaviours [B, T, d]. */
  readonly e: tf.Tensor;
  /** Sampled negatives [B, T, d]; the first is not used. */
  readonly negatives: tf.Tensor;
  /** [B, T]. */
  readonly mask: tf.Tensor;
}

/** Mean over all pairs of the batch: a valid step whose history is not empty, and the state before it. */
export function auxiliaryLoss(
  weights: Weights,
  prefix: string,
  score: AuxiliaryScore,
  { h, e, negatives, mask }: AuxiliaryBatch,
): tf.Scalar {
  const T = mask.shape[1] ?? 0;
  if (T < 2) return tf.scalar(0);
  const before = from(h, 0);
  const s = (next: tf.Tensor) =>
    score === "inner"
      ? tf.sum(tf.mul(before, next), 2)
      : tf.squeeze(mlp(weights, prefix, tf.concat([before, next], 2), "sigmoid"), [2]);
  const earlier = tf.cast(tf.greater(tf.cumsum(mask, 1, true), 0), "float32");
  const pairs = from(tf.mul(mask, earlier), 1);
  const losses = tf.add(tf.softplus(tf.neg(s(from(e, 1)))), tf.softplus(s(from(negatives, 1))));
  return tf.div(tf.sum(tf.mul(pairs, losses)), tf.maximum(tf.sum(pairs), 1));
}

/** Steps begin … begin+T−2 of x [B, T, …]. */
function from(x: tf.Tensor, begin: number): tf.Tensor {
  const [B = 0, T = 0, ...rest] = x.shape;
  return tf.slice(x, [0, begin, ...rest.map(() => 0)], [B, T - 1, ...rest]);
}
