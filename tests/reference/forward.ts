/**
 * Base, DIN and DIEN op by op: the same formulas as `src/nn/models`, batched over users with padded histories.
 *
 * @module
 */

import * as tf from "@tensorflow/tfjs";
import { BASE_OPTIONS, type BaseConfig } from "../../src/nn/models/base/options.ts";
import { DIEN_OPTIONS, type DienConfig } from "../../src/nn/models/dien/options.ts";
import { DIN_OPTIONS, type DinConfig } from "../../src/nn/models/din/options.ts";
import { settle } from "../../src/options/option.ts";
import { activationUnit, bilinear, normalise } from "./attention.ts";
import { auxiliaryLoss } from "./auxiliary.ts";
import { type Batch, type Forward, rowsOf } from "./batch.ts";
import { gru, stateAt } from "./gru.ts";
import { dot, mlp, pooled, repeat } from "./layers.ts";
import type { Weights } from "./tensorflow.ts";

// B users, T behaviours, K candidates, d vector, H hidden, U user input, C candidate input

/** Base, see `models/base/base.ts`. */
export function baseForward(weights: Weights, config: BaseConfig, batch: Batch): Forward {
  const { pooling, product, dotHead } = settle(BASE_OPTIONS, config);
  const { K, q, xu, xc } = rowsOf(batch);
  const s = pooled(batch.e, batch.mask, pooling);
  const wide = repeat(s, K);
  let z = mlp(weights, "mlp", tf.concat([xu, q, wide, ...(product ? [tf.mul(q, wide)] : []), xc], 1));
  if (dotHead) z = tf.add(z, dot(repeat(pooled(batch.e, batch.mask, "sqrt"), K), q));
  return { logits: tf.reshape(z, [-1, K]), aux: tf.scalar(0), values: { s } };
}

/** DIN, see `models/din/din.ts`. */
export function dinForward(weights: Weights, config: DinConfig, batch: Batch): Forward {
  const { norm, keepPooled, dotHead } = settle(DIN_OPTIONS, config);
  const { K, q, xu, xc } = rowsOf(batch);
  const e = repeat(batch.e, K), mask = repeat(batch.mask, K);
  const g = activationUnit(weights, "attention", q, e);
  const w = normalise(g, mask, norm);
  const v = pooled(tf.mul(e, tf.expandDims(w, 2)), mask, norm === "softmax" ? "sum" : "sqrt");
  const p = pooled(e, mask, "sqrt");
  const kept = keepPooled ? [p, tf.mul(q, p)] : [];
  let z = mlp(weights, "mlp", tf.concat([xu, q, v, tf.mul(q, v), ...kept, xc], 1));
  if (dotHead) z = tf.add(z, tf.add(dot(p, q), dot(v, q)));
  return { logits: tf.reshape(z, [-1, K]), aux: tf.scalar(0), values: { g: tf.mul(g, mask), w, v } };
}

/** DIEN, see `models/dien/dien.ts`. */
export function dienForward(weights: Weights, config: DienConfig, batch: Batch): Forward {
  const { pooling, attention, norm, form, auxiliary, inputGain, dotHead, evolvedDot } = settle(
    DIEN_OPTIONS,
    config,
  );
  const { K, q, xu, xc } = rowsOf(batch);
  const { e, negatives } = batch;
  const h = gru(weights, "gru1", "gru", { x: tf.mul(e, inputGain), mask: batch.mask });
  const states = repeat(h, K), mask = repeat(batch.mask, K);
  const score = bilinear(weights, "attention", q, states);
  const a = attention === "none" ? tf.onesLike(score) : normalise(score, mask, norm);
  const final = stateAt(gru(weights, "gru2", form, { x: states, mask, attention: a }), -1);
  const mean = pooled(e, batch.mask, pooling);
  const m = repeat(mean, K);
  let z = mlp(weights, "mlp", tf.concat([xu, q, m, tf.mul(q, m), final, xc], 1));
  if (dotHead) z = tf.add(z, dot(repeat(pooled(e, batch.mask, "sqrt"), K), q));
  if (evolvedDot && final.shape[1] === q.shape[1]) z = tf.add(z, dot(final, q));
  const aux = negatives === undefined
    ? tf.scalar(0)
    : auxiliaryLoss(weights, "aux", auxiliary, { h, e, negatives, mask: batch.mask });
  const values = { h, score: tf.mul(score, mask), attention: a, final, mean };
  return { logits: tf.reshape(z, [-1, K]), aux, values };
}
