/**
 * MLP, pooling, products and losses, op by op.
 *
 * @module
 */

import * as tf from "@tensorflow/tfjs";
import type { HiddenActivation } from "../../src/nn/layers/mlp.ts";
import type { Pooling } from "../../src/nn/layers/pool.ts";
import { weight, type Weights } from "./tensorflow.ts";

/** An MLP over the last axis: layers `W1`, `b1`, … under `prefix`, the last one linear. */
export function mlp(
  weights: Weights,
  prefix: string,
  x: tf.Tensor,
  activation: HiddenActivation = "prelu",
): tf.Tensor {
  const lead = x.shape.slice(0, -1);
  let y = tf.reshape(x, [-1, x.shape.at(-1) ?? 0]);
  for (let l = 1; weights[`${prefix}.W${l}`] !== undefined; l++) {
    y = tf.add(tf.matMul(y, weight(weights, `${prefix}.W${l}`)), weight(weights, `${prefix}.b${l}`));
    if (weights[`${prefix}.W${l + 1}`] === undefined) break;
    y = activation === "prelu" ? tf.prelu(y, weight(weights, `${prefix}.alpha${l}`)) : tf.sigmoid(y);
  }
  return tf.reshape(y, [...lead, y.shape.at(-1) ?? 0]);
}

/** The pooled history [B, d] of e [B, T, d] under a mask [B, T]. */
export function pooled(e: tf.Tensor, mask: tf.Tensor, pooling: Pooling): tf.Tensor {
  const sum = tf.sum(tf.mul(e, tf.expandDims(mask, 2)), 1);
  if (pooling === "sum") return sum;
  const n = tf.maximum(tf.sum(mask, 1, true), 1);
  return tf.div(sum, pooling === "mean" ? n : tf.sqrt(n));
}

/** Each row K times: [B, …] → [B·K, …]. */
export function repeat(x: tf.Tensor, K: number): tf.Tensor {
  const [B = 0, ...rest] = x.shape;
  return tf.reshape(tf.tile(tf.expandDims(x, 1), [1, K, ...rest.map(() => 1)]), [B * K, ...rest]);
}

/** Σ w·(softplus(z) − y·z), all of one shape. */
export function weightedLogisticLoss(z: tf.Tensor, y: tf.Tensor, w: tf.Tensor): tf.Scalar {
  return tf.sum(tf.mul(w, tf.sub(tf.softplus(z), tf.mul(y, z)))) as tf.Scalar;
}

/** ⟨a, b⟩ of each row [B, 1]. */
export function dot(a: tf.Tensor, b: tf.Tensor): tf.Tensor {
  return tf.sum(tf.mul(a, b), 1, true);
}
