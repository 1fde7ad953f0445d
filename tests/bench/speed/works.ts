/**
 * What the speed benchmark measures: pieces of work and their implementations. The first of each work is ours.
 *
 * @module
 */

import * as tf from "@tensorflow/tfjs";
import { BANK_BEHAVIOURS } from "../../../src/bank/bank_tables.ts";
import { BANK_SIZES, BankLearner, type NextItem } from "../../../src/learner/bank/bank_learner.ts";
import { createKernels, resolveKernels } from "../../../src/nn/kernels/choose.ts";
import type { KernelName, Kernels } from "../../../src/nn/kernels/kernels.ts";
import { createModel, type ModelConfigs, type ModelName } from "../../../src/nn/models/registry.ts";
import type { Model, ModelSizes } from "../../../src/nn/models/core/model.ts";
import { PairHead } from "../../../src/nn/models/pair_head/pair_head.ts";
import { Adam } from "../../../src/nn/optimisers/adam.ts";
import { dienForward } from "../../reference/forward.ts";
import { type Backend, startTensorflow } from "../../reference/tensorflow.ts";
import { mulberry32 } from "../../../src/draws/random.ts";
import { impression } from "../../contracts/model_contract.ts";
import { floats } from "../../nn/kernels/gradient_check.ts";
import { histories } from "./histories.ts";

/** One implementation of one piece of work. */
export interface Work {
  /** What is done; equal names are the same work. */
  readonly work: string;
  /** The name of the implementation. */
  readonly by: string;
  /** Pieces per call, such as users of a poll: the figure is per piece. */
  readonly pieces?: number;
  /** Prepares everything and returns what is measured. */
  readonly prepare: () => (() => unknown) | Promise<() => unknown>;
}

const T = 50;
const SERVED: ModelSizes = { d: 32, user: 18, context: 0 };
const TRAINED: ModelSizes = { d: 36, user: 18, context: 0 };
/** The widths that PyTorch trains in rivals/pytorch.py. */
const TRAINED_CONFIG = { hidden: 36, widths: [200, 80], auxiliaryWidths: [100, 50] } as const;
const FAST = resolveKernels("auto");
const OURS: readonly KernelName[] = FAST === "relaxed-simd" ? [FAST, "simd", "plain"] : [FAST, "plain"];

/** Weights as if trained. */
function made<N extends ModelName>(
  name: N,
  sizes: ModelSizes,
  config: ModelConfigs[N],
  by: KernelName,
): Model {
  const model = createModel(name, sizes, config, mulberry32(1), createKernels(by));
  model.parameters.values.set(floats(model.parameters.values.length, 1).map((x) => x / 4));
  return model;
}

/** [m,k]·[k,n], the shape of a step of 128 lanes. */
function product(): Work[] {
  const [m, k, n] = [128, 36, 108], work = `product [${m},${k}]·[${k},${n}]`;
  const ours = (by: KernelName): Work => ({
    work,
    by,
    prepare() {
      const kernels: Kernels = createKernels(by);
      const [x, w, y] = [m * k, k * n, m * n].map((size) => kernels.floats(size).fill(0.1));
      return () => kernels.addXW(y!, 0, x!, 0, w!, 0, m, k, n);
    },
  });
  const tfjs = (backend: Backend): Work => ({
    work,
    by: `tfjs ${backend}`,
    async prepare() {
      await startTensorflow(backend);
      const x = tf.fill([m, k], 0.1), w = tf.fill([k, n], 0.1);
      return () => tf.matMul(x, w).dispose();
    },
  });
  return [...OURS.map(ours), tfjs("cpu"), tfjs("wasm")];
}

/** A training step of DIEN, optimiser included. */
function training(): Work[] {
  const step = (work: string, B: number, K: number, by: KernelName): Work => ({
    work,
    by,
    prepare() {
      const { parameters, loss } = bound(made("dien", TRAINED, TRAINED_CONFIG, by));
      const gradients = parameters.kernels.floats(parameters.values.length);
      const adam = new Adam(gradients.length);
      const batch = Array.from({ length: B }, (_, i) => impression(TRAINED, T, K, i));
      return () => {
        parameters.kernels.clear(gradients);
        for (const input of batch) loss(input, gradients);
        adam.step(parameters.values, gradients);
      };
    },
  });
  const rows = "train dien, 128 rows", shared = "train dien, 32 impressions of 4";
  return [
    ...OURS.map((by) => step(rows, 128, 1, by)),
    { work: rows, by: "tfjs wasm, batched", prepare: () => tensorStep(128) },
    ...OURS.map((by) => step(shared, 32, 4, by)),
  ];
}

function bound(model: Model) {
  return { parameters: model.parameters, loss: model.loss.bind(model) };
}

/** The same step op by op in tfjs, all rows in one batch. */
async function tensorStep(B: number): Promise<() => void> {
  await startTensorflow("wasm");
  const { parameters } = made("dien", TRAINED, TRAINED_CONFIG, "plain");
  const weights: Record<string, tf.Variable> = {};
  for (const [name, shape] of parameters.shapes) {
    weights[name] = tf.variable(tf.tensor(parameters.block(name).slice(), [...shape]));
  }
  const { d, user } = TRAINED;
  const random = (...shape: number[]) => tf.randomUniform(shape, -1, 1, "float32", 1);
  const batch = {
    e: random(B, T, d),
    mask: tf.ones([B, T]),
    q: random(B, 1, d),
    xu: random(B, user),
    xc: tf.zeros([B, 1, 0]),
    negatives: random(B, T, d),
  };
  const labels = tf.ones([B, 1]), adam = tf.train.adam(0.001);
  return () => {
    adam.minimize(() => {
      const { logits, aux } = dienForward(weights, TRAINED_CONFIG, batch);
      return tf.add(tf.losses.sigmoidCrossEntropy(labels, logits), aux) as tf.Scalar;
    });
  };
}

/** Scoring 100 candidates of one request. */
function scoring(): Work[] {
  return (["base", "din", "dien", "mimn"] as const).flatMap((name) =>
    OURS.map((by): Work => ({
      work: `score ${name}, 100 candidates`,
      by,
      prepare() {
        const model = made(name, SERVED, {}, by);
        const state = model.initState();
        const input = impression(SERVED, T, 100);
        // What comes after a lifelong state's anchor is folded for each request.
        const recent = 25, anchored = T - recent;
        for (let t = 0; t < anchored; t++) model.step(state, input.e.slice(32 * t, 32 * t + 32));
        const given = model.capabilities.lifelong
          ? { ...input, T: recent, e: input.e.slice(32 * anchored), state }
          : input;
        return () => model.score(given);
      },
    }))
  );
}

/** Folding a behaviour into a user's state; 500 users in turn, as in a poll. */
function steps(): Work[] {
  return (["dien", "mimn"] as const).flatMap((name) =>
    [1, 500].flatMap((users) =>
      OURS.map((by): Work => ({
        work: `step ${name}, ${users === 1 ? "one user" : `${users} users in turn`}`,
        by,
        pieces: users,
        prepare() {
          const model = made(name, SERVED, {}, by);
          const states = Array.from({ length: users }, () => model.initState());
          const e = floats(SERVED.d, 3);
          return () => {
            for (const state of states) model.step(state, e);
          };
        },
      }))
    )
  );
}

/** A list of 100 candidates with 16 behaviours, and of 32, as the pair head orders it and learns from it. */
function pairHead(): Work[] {
  const sizes = { behaviours: 16, pairs: 12, blend: 22 };
  const list = (K: number) => ({
    H: 16,
    K,
    pairs: floats(K * 16 * 12, 1),
    blend: floats(K * 22, 2),
    scores: floats(K, 3),
  });
  const order = (by: KernelName): Work => ({
    work: "order 100 candidates, pair head",
    by,
    prepare() {
      const head = new PairHead(sizes, mulberry32(1), createKernels(by));
      const input = list(100);
      return () => head.score(input);
    },
  });
  const learn = (K: number) => (by: KernelName): Work => ({
    work: `learn a list of ${K}, pair head`,
    by,
    prepare() {
      const head = new PairHead(sizes, mulberry32(1), createKernels(by));
      const gradients = head.parameters.kernels.floats(head.parameters.values.length);
      const input = list(K);
      return () => head.loss(input, 3, gradients);
    },
  });
  return [order, learn(100), learn(16)].flatMap((work) => OURS.map(work));
}

/** The next item after 20 behaviours, of 4,096 items, as the bank learns it from a batch of 64. */
function bank(): Work[] {
  const together = 64;
  const item = (n: number) => `item ${Math.floor(4096 * (n * 0.618 % 1) ** 3)}`;
  const next = (n: number): NextItem => ({
    before: {
      items: Array.from({ length: BANK_BEHAVIOURS }, (_, t) => item(n + t)),
      strengths: new Float32Array(BANK_BEHAVIOURS).fill(1),
      times: new Float64Array(BANK_BEHAVIOURS).fill(n),
    },
    item: item(n + BANK_BEHAVIOURS),
    time: n,
  });
  return OURS.map((by) => ({
    work: `learn what came next, bank, a batch of ${together}`,
    by,
    pieces: together,
    prepare() {
      const learner = new BankLearner({ ...BANK_SIZES, tableBytes: 1 << 26, seed: 1 }, createKernels(by));
      let n = 0;
      return () => {
        learner.learn(Array.from({ length: together }, () => next(n++)), Infinity);
        learner.takeRows("delta");
      };
    },
  }));
}

/** Works of kernels and models, by section. */
export const SECTIONS: Readonly<Record<string, () => Work[]>> = {
  product,
  training,
  scoring,
  steps,
  histories,
  pairHead,
  bank,
};
