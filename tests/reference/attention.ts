/**
 * Attention scores and their norms, op by op over a padded batch.
 *
 * @module
 */

import * as tf from "@tensorflow/tfjs";
import type { AttentionNorm } from "../../src/nn/layers/attention.ts";
import { mlp } from "./layers.ts";
import { weight, type Weights } from "./tensorflow.ts";

// B rows, T steps, d behaviour, H state

/** DIN's unit: an MLP over [q ; e ; q−e ; q∘e], scores [B, T] of e [B, T, d] for q [B, d]. */
export function activationUnit(weights: Weights, prefix: string, q: tf.Tensor, e: tf.Tensor): tf.Tensor {
  const target = tf.tile(tf.expandDims(q, 1), [1, e.shape[1] ?? 0, 1]);
  const features = tf.concat([target, e, tf.sub(target, e), tf.mul(target, e)], 2);
  return tf.squeeze(mlp(weights, prefix, features), [2]);
}

/** h W qᵀ: scores [B, T] of h [B, T, H] for q [B, d]. */
export function bilinear(weights: Weights, prefix: string, q: tf.Tensor, h: tf.Tensor): tf.Tensor {
  const projected = tf.matMul(q, weight(weights, `${prefix}.W`), false, true);
  return tf.sum(tf.mul(h, tf.expandDims(projected, 1)), 2);
}

/** Weights [B, T] of scores [B, T]; exactly 0 where masked, also for a row without any step. */
export function normalise(scores: tf.Tensor, mask: tf.Tensor, norm: AttentionNorm): tf.Tensor {
  if (norm === "linear") return tf.mul(scores, mask);
  if (norm === "sigmoid") return tf.mul(tf.sigmoid(scores), mask);
  const masked = tf.add(tf.mul(scores, mask), tf.mul(tf.sub(1, mask), -1e9));
  const weights = norm === "softmax" ? tf.softmax(masked) : tf.exp(tf.sub(masked, tf.max(masked, 1, true)));
  return tf.mul(weights, mask);
}
