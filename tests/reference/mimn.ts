/**
 * MIMN op by op: the formulas of `models/mimn/mimn.ts` and its layers, batched over users with padded histories.
 *
 * @module
 */

import * as tf from "@tensorflow/tfjs";
import { MIMN_OPTIONS, type MimnConfig } from "../../src/nn/models/mimn/options.ts";
import { settle } from "../../src/options/option.ts";
import { normalise } from "./attention.ts";
import { type Batch, type Forward, type MimnTensors, rowsOf } from "./batch.ts";
import { gru, stateAt } from "./gru.ts";
import { dot, mlp, repeat } from "./layers.ts";
import { weight, type Weights } from "./tensorflow.ts";

// B users, T behaviours, K candidates, d vector, m slots, Hc controller

/** What happened at one step. */
interface Step {
  readonly state: MimnTensors;
  /** [B, m] each; `chosen` is 1 for the channels that went on. */
  readonly weights: { readonly read: tf.Tensor; readonly write: tf.Tensor; readonly chosen: tf.Tensor };
}

/** The state of B users without behaviours. */
export function mimnStart(weights: Weights, config: MimnConfig, B: number): MimnTensors {
  const m0 = weight(weights, "M0"), r0 = weight(weights, "r0");
  const [m = 0, d = 0] = m0.shape;
  const each = (x: tf.Tensor) => tf.tile(tf.expandDims(x, 0), [B, ...x.shape.map(() => 1)]);
  const controller = weight(weights, "controller.U").shape[0] ?? 0;
  return {
    memory: each(m0),
    read: each(r0),
    controller: tf.zeros([B, controller]),
    usage: tf.zeros([B, m]),
    added: tf.zeros([B, d]),
    channels: tf.zeros([B, m, d]),
    count: tf.zeros([B, 1]),
    sums: tf.zeros([B, tracesOf(config).length * d]),
  };
}

/** One behaviour e [B, d]; where the mask [B] is 0 the state stays as it was. */
export function mimnStep(
  weights: Weights,
  config: MimnConfig,
  { state, e, mask }: { readonly state: MimnTensors; readonly e: tf.Tensor; readonly mask: tf.Tensor },
): Step {
  const { topK, decay } = settle(MIMN_OPTIONS, config);
  const controller = cell(weights, "controller", tf.concat([e, state.read], 1), state.controller);
  const heads = headsOf(weights, controller, state.usage);
  const read = address(weights, config, heads.readKey, heads.readBeta, state.memory);
  const content = address(weights, config, heads.writeKey, heads.writeBeta, state.memory);
  const rebalanced = tf.mul(content, tf.softmax(tf.matMul(shares(state.usage), weight(weights, "Wg"))));
  const write = tf.div(rebalanced, tf.sum(rebalanced, 1, true));
  const erased = tf.mul(tf.expandDims(write, 2), tf.expandDims(heads.erase, 1));
  const memory = tf.add(
    tf.mul(state.memory, tf.sub(1, erased)),
    tf.mul(tf.expandDims(write, 2), tf.expandDims(heads.add, 1)),
  );
  const [B = 0, m = 0, d = 0] = state.memory.shape;
  const best = tf.topk(stopGradient(read), Math.min(topK, m)).indices;
  const chosen = tf.cast(tf.sum(tf.oneHot(best, m), 1), "float32");
  const rows = tf.concat([stopGradient(state.memory), tf.tile(tf.expandDims(e, 1), [1, m, 1])], 2);
  const moved = cell(
    weights,
    "miu",
    tf.reshape(rows, [B * m, 2 * d]),
    tf.reshape(state.channels, [B * m, d]),
  );
  const next: MimnTensors = {
    memory,
    controller,
    read: look(read, state.memory),
    usage: tf.add(tf.mul(decay, state.usage), write),
    added: tf.add(state.added, heads.add),
    channels: blend(tf.expandDims(chosen, 2), tf.reshape(moved, [B, m, d]), state.channels),
    count: tf.add(state.count, 1),
    sums: tf.concat(
      pooled(config, state).map((sum, i) => tf.add(tf.mul(tracesOf(config)[i] ?? 1, sum), e)),
      1,
    ),
  };
  const carry = (name: keyof MimnTensors) => {
    const rank = state[name].rank;
    return blend(tf.reshape(mask, [B, ...new Array<number>(rank - 1).fill(1)]), next[name], state[name]);
  };
  const masked = (w: tf.Tensor) => tf.mul(w, tf.reshape(mask, [B, 1]));
  return {
    state: {
      memory: carry("memory"),
      read: carry("read"),
      controller: carry("controller"),
      usage: carry("usage"),
      added: carry("added"),
      channels: carry("channels"),
      count: carry("count"),
      sums: carry("sums"),
    },
    weights: { read: masked(read), write: masked(write), chosen: masked(chosen) },
  };
}

/** MIMN, see `models/mimn/mimn.ts`. With `batch.state`, e continues that state; it is a constant. */
export function mimnForward(weights: Weights, config: MimnConfig, batch: Batch): Forward {
  const { e, mask } = batch;
  const [B = 0, T = 0] = mask.shape;
  let state = batch.state ?? mimnStart(weights, config, B);
  const steps: Step[] = [];
  for (let t = 0; t < T; t++) {
    const step = mimnStep(weights, config, { state, e: stateAt(e, t), mask: tf.slice(mask, [0, t], [B, 1]) });
    steps.push(step);
    state = step.state;
  }
  const { logits, values } = mimnScore(weights, config, batch, state);
  const course = Object.fromEntries(
    Object.keys(state).map((
      name,
    ) => [name, tf.stack(steps.map((s) => s.state[name as keyof MimnTensors]), 1)]),
  );
  const weighed = {
    readWeight: tf.stack(steps.map((s) => s.weights.read), 1),
    writeWeight: tf.stack(steps.map((s) => s.weights.write), 1),
    chosen: tf.stack(steps.map((s) => s.weights.chosen), 1),
  };
  const regularisation = tf.mul(settle(MIMN_OPTIONS, config).regularisation, unevenness(state.usage));
  return {
    logits,
    aux: tf.scalar(0),
    regularisation,
    values: { ...course, ...weighed, ...values, reg: regularisation },
  };
}

/** Logits [B, K] of a state. */
export function mimnScore(
  weights: Weights,
  config: MimnConfig,
  batch: Batch,
  state: MimnTensors,
): { readonly logits: tf.Tensor; readonly values: Forward["values"] } {
  const { keepPooled, dotHead, induction } = settle(MIMN_OPTIONS, config);
  const { K, q, xu, xc } = rowsOf(batch);
  const n = tf.maximum(state.count, 1);
  const a = repeat(tf.div(state.added, n), K);
  const traces = pooled(config, state).map((sum, i) => {
    const trace = tracesOf(config)[i] ?? 1;
    const mass = trace === 1 ? n : tf.div(tf.sub(1, tf.pow(trace, state.count)), 1 - trace);
    const weight = tf.maximum(mass, 1);
    return repeat(
      tf.mul(sum, tf.div(tf.sqrt(tf.minimum(weight, 50)), tf.mul(weight, tracesOf(config).length))),
      K,
    );
  });
  const memory = repeat(state.memory, K), channels = repeat(state.channels, K);
  const { readerWeight, rq } = readByKey(weights, config, q, memory);
  const touched = tf.cast(tf.any(tf.notEqual(stopGradient(channels), 0), 2), "float32");
  const projected = tf.matMul(q, weight(weights, "reader.W"), false, true);
  const channelWeight = normalise(
    tf.sum(tf.mul(channels, tf.expandDims(projected, 1)), 2),
    touched,
    "softmax",
  );
  const v = look(channelWeight, channels);
  const kept = keepPooled ? traces.flatMap((p) => [p, tf.mul(q, p)]) : [];
  const [own, product] = induction ? [[v], [tf.mul(q, v)]] : [[], []];
  let z = mlp(weights, "mlp", tf.concat([xu, q, rq, ...own, tf.mul(q, a), ...product, ...kept, xc], 1));
  if (dotHead) { for (const p of traces) z = tf.add(z, dot(p, q)); }
  return { logits: tf.reshape(z, [-1, K]), values: { readerWeight, rq, channelWeight, v } };
}

/** What each pooled history retains per behaviour; sums that the model does without are kept here all the same. */
function tracesOf(config: MimnConfig): readonly number[] {
  return settle(MIMN_OPTIONS, config).traces;
}

/** The sums of a state, one per trace [B, d]. */
function pooled(config: MimnConfig, { sums, added }: MimnTensors): tf.Tensor[] {
  const [B = 0, d = 0] = added.shape;
  return tracesOf(config).map((_, i) => tf.slice(sums, [0, i * d], [B, d]));
}

/** What candidates [B·K, d] read from M of each [B·K, m, d], by their own keys. */
function readByKey(weights: Weights, config: MimnConfig, q: tf.Tensor, memory: tf.Tensor) {
  const key = tf.tanh(tf.add(tf.matMul(q, weight(weights, "reader.Wq")), weight(weights, "reader.bq")));
  const beta = tf.add(1, tf.softplus(weight(weights, "reader.beta")));
  const readerWeight = address(weights, config, key, beta, memory);
  return { readerWeight, rq: look(readerWeight, memory) };
}

/** Keys, sharpness, erase and add of controller states c [N, Hc]. */
function headsOf(weights: Weights, c: tf.Tensor, usage: tf.Tensor) {
  const d = weight(weights, "slotKeys").shape[1] ?? 0;
  const x = tf.concat([c, stopGradient(shares(usage))], 1);
  const sums = tf.add(tf.matMul(x, weight(weights, "Wp")), weight(weights, "bp"));
  const parts = tf.split(tf.clipByValue(sums, -20, 20), [d, 1, d, 1, d, d], 1);
  const [kr, br, kw, bw, erase, add] = parts as [
    tf.Tensor,
    tf.Tensor,
    tf.Tensor,
    tf.Tensor,
    tf.Tensor,
    tf.Tensor,
  ];
  const beta = (x: tf.Tensor) => tf.mul(2, tf.add(1, tf.softplus(x)));
  return {
    readKey: tf.tanh(kr),
    readBeta: beta(br),
    writeKey: tf.tanh(kw),
    writeBeta: beta(bw),
    erase: tf.sigmoid(erase),
    add: tf.tanh(add),
  };
}

/** Weights [N, m] of keys [N, d] over memory [N, m, d] and the slot keys. */
function address(weights: Weights, config: MimnConfig, key: tf.Tensor, beta: tf.Tensor, memory: tf.Tensor) {
  const { slotKeyWeight } = settle(MIMN_OPTIONS, config);
  const k = tf.expandDims(direction(key), 1);
  const slotKeys = tf.expandDims(direction(weight(weights, "slotKeys")), 0);
  const slot = tf.sum(tf.mul(k, slotKeys), 2);
  const content = tf.sum(tf.mul(k, direction(memory)), 2);
  const mixed = tf.add(tf.mul(slotKeyWeight, slot), tf.mul(1 - slotKeyWeight, content));
  return tf.softmax(tf.mul(beta, mixed));
}

/** v/|v| over the last axis; zeros, without gradient, where |v| < 1e-6. */
function direction(v: tf.Tensor): tf.Tensor {
  const square = tf.sum(tf.square(v), -1, true);
  const some = tf.greaterEqual(stopGradient(square), 1e-12);
  const length = tf.sqrt(tf.where(some, square, tf.onesLike(square)));
  return tf.mul(tf.div(v, length), tf.cast(some, "float32"));
}

/** Σ w_i M_i: [N, d] of w [N, m] and M [N, m, d]. */
function look(w: tf.Tensor, memory: tf.Tensor): tf.Tensor {
  return tf.sum(tf.mul(tf.expandDims(w, 2), memory), 1);
}

/** g/max(1, Σg). */
function shares(usage: tf.Tensor): tf.Tensor {
  return tf.div(usage, tf.maximum(tf.sum(usage, 1, true), 1));
}

/** Σ_i (g_i/Σg − 1/m)² of each user [B]; 0 before any write. */
function unevenness(usage: tf.Tensor): tf.Tensor {
  const mass = tf.sum(usage, 1, true);
  const some = tf.greater(stopGradient(mass), 0);
  const share = tf.div(usage, tf.where(some, mass, tf.onesLike(mass)));
  const gap = tf.sub(share, 1 / (usage.shape[1] ?? 1));
  return tf.mul(tf.sum(tf.square(gap), 1), tf.cast(tf.squeeze(some, [1]), "float32"));
}

/** One step of the GRU under `prefix`: x [N, n], h [N, H]. */
function cell(weights: Weights, prefix: string, x: tf.Tensor, h: tf.Tensor): tf.Tensor {
  const steps = { x: tf.expandDims(x, 1), mask: tf.ones([x.shape[0] ?? 0, 1]), start: h };
  return stateAt(gru(weights, prefix, "gru", steps), 0);
}

/** g∘to + (1−g)∘from. */
function blend(g: tf.Tensor, to: tf.Tensor, from: tf.Tensor): tf.Tensor {
  return tf.add(tf.mul(g, to), tf.mul(tf.sub(1, g), from));
}

/** x as a constant: a new tensor whose origin is not on the tape of tfjs. */
function stopGradient(x: tf.Tensor): tf.Tensor {
  return tf.tensor(x.dataSync(), x.shape);
}
