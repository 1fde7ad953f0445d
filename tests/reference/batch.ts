/**
 * Inputs and outputs of the op-by-op models: a batch of impressions with padded histories.
 *
 * @module
 */

import * as tf from "@tensorflow/tfjs";
import { repeat } from "./layers.ts";

// B users, T behaviours, K candidates, d vector, m slots, Hc controller, U user input, C candidate input

/** A batch of impressions. */
export interface Batch {
  /** Behaviours [B, T, d], oldest first, T at least 1. */
  readonly e: tf.Tensor;
  /** 1 = a real behaviour [B, T]. */
  readonly mask: tf.Tensor;
  /** Candidates [B, K, d]. */
  readonly q: tf.Tensor;
  /** User input [B, U]. */
  readonly xu: tf.Tensor;
  /** Candidate input [B, K, C]. */
  readonly xc: tf.Tensor;
  /** Sampled negatives [B, T, d]; no auxiliary loss without. */
  readonly negatives?: tf.Tensor;
  /** MIMN's state before the first behaviour, a constant; the model's own start without. */
  readonly state?: MimnTensors;
}

/** The outputs of a model for a batch; intermediate values for tests by name. */
export interface Forward {
  /** [B, K]. */
  readonly logits: tf.Tensor;
  readonly aux: tf.Scalar;
  /** Regularisation of each user's state [B]; none without. */
  readonly regularisation?: tf.Tensor;
  readonly values: Readonly<Record<string, tf.Tensor>>;
}

/** Tensors of a user's state, or of its course: then with a dimension T after B. */
export interface MimnTensors {
  /** [B, m, d]. */
  readonly memory: tf.Tensor;
  /** [B, d]. */
  readonly read: tf.Tensor;
  /** [B, Hc]. */
  readonly controller: tf.Tensor;
  /** [B, m]. */
  readonly usage: tf.Tensor;
  /** [B, d]. */
  readonly added: tf.Tensor;
  /** [B, m, d]. */
  readonly channels: tf.Tensor;
  /** [B, 1]. */
  readonly count: tf.Tensor;
  /** [B, d]. */
  readonly sums: tf.Tensor;
}

/** Candidates as rows [B·K, …]; the user input is repeated. */
export function rowsOf({ q, xu, xc }: Batch) {
  const [, K = 0, d = 0] = q.shape;
  return {
    K,
    q: tf.reshape(q, [-1, d]),
    xu: repeat(xu, K),
    xc: tf.reshape(xc, [q.size / d, xc.shape[2] ?? 0]),
  };
}
