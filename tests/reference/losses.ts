/**
 * The losses of `src/nn/losses` in tfjs ops, whose gradients come from autodiff: weights are constants of it.
 *
 * @module
 */

import * as tf from "@tensorflow/tfjs";

// All tensors [B]: logits z, outcomes y in {0, 1}

/** The loss of each row, softplus(z) − y·z, see `losses/logistic.ts`. */
export function logisticLosses(z: tf.Tensor1D, y: tf.Tensor1D): tf.Tensor1D {
  // softplus as max(z, 0) + ln(1 + e^−|z|): tf.softplus rounds its tail off.
  const softplus = tf.add(tf.relu(z), tf.log1p(tf.exp(tf.neg(tf.abs(z)))));
  return tf.sub(softplus, tf.mul(y, z));
}

/** Of rows whose negatives were kept with probability `rates`: the loss sees z − ln r, see `losses/log_odds.ts`. */
export function sampledLosses(z: tf.Tensor1D, y: tf.Tensor1D, rates: tf.Tensor1D): tf.Tensor1D {
  return logisticLosses(tf.sub(z, tf.log(rates)), y);
}

/** Of rows whose clicks come late with probability `late`, see `losses/delayed.ts`. */
export function lateClickLosses(z: tf.Tensor1D, y: tf.Tensor1D, late: tf.Tensor1D): tf.Tensor1D {
  return tf.mul(lateClickWeights(z, y, late), logisticLosses(z, y));
}

/** The weight of each row; no gradient flows through it. */
const lateClickWeights = tf.customGrad((...inputs) => {
  const [z, y, late] = inputs.slice(0, 3) as tf.Tensor1D[];
  const p = tf.sigmoid(z!);
  const positive = tf.add(1, tf.mul(p, late!));
  const rest = tf.sub(1, p);
  const negative = tf.div(tf.mul(rest, positive), tf.add(rest, tf.mul(p, late!)));
  return {
    value: tf.add(tf.mul(y!, positive), tf.mul(tf.sub(1, y!), negative)),
    gradFunc: () => [tf.zerosLike(z!), tf.zerosLike(y!), tf.zerosLike(late!)],
  };
}) as (z: tf.Tensor1D, y: tf.Tensor1D, late: tf.Tensor1D) => tf.Tensor1D;
