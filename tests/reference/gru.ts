/**
 * The GRU of `layers/gru.ts` and its attentional forms, op by op over a padded batch.
 *
 * @module
 */

import * as tf from "@tensorflow/tfjs";
import type { GruForm } from "../../src/nn/layers/gru.ts";
import { weight, type Weights } from "./tensorflow.ts";

// B rows, T steps, n inputs, H hidden

/** What {@linkcode gru} folds. */
export interface GruBatch {
  /** Inputs [B, T, n]. */
  readonly x: tf.Tensor;
  /** 1 = a real step, 0 = padding, which carries the state [B, T]. */
  readonly mask: tf.Tensor;
  /** Attention [B, T] of the attentional forms. */
  readonly attention?: tf.Tensor;
  /** Start states [B, H]; zeros when absent. */
  readonly start?: tf.Tensor;
}

const RESET_BEFORE: readonly GruForm[] = ["gruResetBefore", "augruResetBefore", "official", "keepScaled"];

/** The state after every step [B, T, H]; the blocks `W`, `U`, `b` stand under `prefix`. T is at least 1. */
export function gru(weights: Weights, prefix: string, form: GruForm, batch: GruBatch): tf.Tensor {
  const [Wu, Wr, Wc] = threeGates(weight(weights, `${prefix}.W`));
  const [Uu, Ur, Uc] = threeGates(weight(weights, `${prefix}.U`));
  const [bu, br, bc] = threeGates(weight(weights, `${prefix}.b`));
  const mask = tf.expandDims(batch.mask, 2);
  const attention = batch.attention && tf.expandDims(batch.attention, 2);
  const states: tf.Tensor[] = [];
  let h = batch.start ?? tf.zeros([batch.mask.shape[0] ?? 0, bu.shape[0] ?? 0]);
  for (let t = 0; t < (batch.x.shape[1] ?? 0); t++) {
    const a = attention ? stateAt(attention, t) : tf.scalar(1);
    const x = form === "aigru" ? tf.mul(a, stateAt(batch.x, t)) : stateAt(batch.x, t);
    const u = tf.sigmoid(sum(tf.matMul(x, Wu), tf.matMul(h, Uu), bu));
    const r = tf.sigmoid(sum(tf.matMul(x, Wr), tf.matMul(h, Ur), br));
    const recurrent = RESET_BEFORE.includes(form) ? tf.matMul(tf.mul(r, h), Uc) : tf.mul(r, tf.matMul(h, Uc));
    const c = tf.tanh(sum(tf.matMul(x, Wc), recurrent, bc));
    const next = blend(writeGate(form, a, u), c, h);
    h = blend(stateAt(mask, t), next, h);
    states.push(h);
  }
  return tf.stack(states, 1);
}

/** Step t of [B, T, H] as [B, H]; −1 is the last, to which padding has carried the state. */
export function stateAt(states: tf.Tensor, t: number): tf.Tensor {
  // Not tf.unstack: its gradient fails when there is one step only.
  const [B = 0, T = 0, H = 0] = states.shape;
  return tf.reshape(tf.slice(states, [0, (t + T) % T, 0], [B, 1, H]), [B, H]);
}

/** How much of the candidate state is written: g in h' = (1−g)∘h + g∘c. */
function writeGate(form: GruForm, a: tf.Tensor, u: tf.Tensor): tf.Tensor {
  switch (form) {
    case "augru":
    case "augruResetBefore":
      return tf.mul(a, u);
    case "agru":
      return a;
    case "official":
      return tf.sub(1, tf.mul(tf.sub(1, a), u));
    case "keepScaled":
      return tf.sub(1, tf.mul(a, u));
    default:
      return u;
  }
}

/** g∘to + (1−g)∘from. */
function blend(g: tf.Tensor, to: tf.Tensor, from: tf.Tensor): tf.Tensor {
  return tf.add(tf.mul(g, to), tf.mul(tf.sub(1, g), from));
}

function sum(a: tf.Tensor, b: tf.Tensor, c: tf.Tensor): tf.Tensor {
  return tf.add(tf.add(a, b), c);
}

/** The columns of u, r and c. */
function threeGates(block: tf.Tensor): readonly [tf.Tensor, tf.Tensor, tf.Tensor] {
  const [u, r, c] = tf.split(block, 3, block.rank - 1);
  if (u === undefined || r === undefined || c === undefined) {
    throw new TypeError("Cannot split a GRU's block");
  }
  return [u, r, c];
}
