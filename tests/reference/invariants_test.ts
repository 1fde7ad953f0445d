/**
 * What must hold for the tfjs models whatever the weights: the invariants of docs/explanation/models.md that
 * `tests/nn/kernels` and `tests/contracts/model_contract.ts` check for the plain kernels.
 *
 * @module
 */

import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs";
import { gruShapes } from "../../src/nn/layers/gru.ts";
import { createModel, type ModelConfigs, type ModelName } from "../../src/nn/models/registry.ts";
import type { Model } from "../../src/nn/models/core/model.ts";
import { Parameters } from "../../src/nn/kernels/parameters.ts";
import type { Batch } from "./batch.ts";
import { baseForward, dienForward, dinForward } from "./forward.ts";
import { gru, stateAt } from "./gru.ts";
import { mimnForward } from "./mimn.ts";
import { referenceModel } from "./reference_model.ts";
import { startTensorflow, type Weights } from "./tensorflow.ts";
import { CONFIGS, impression, randomise, SIZES } from "../contracts/model_contract.ts";
import { assertClose } from "../golden_vectors.ts";
import { floats } from "../nn/kernels/gradient_check.ts";

const half = () => 0.5;

function weightsOf(parameters: Parameters): Weights {
  const blocks = [...parameters.shapes].map(([name, shape]) =>
    [name, tf.tensor(parameters.block(name).slice(), [...shape])] as const
  );
  return Object.fromEntries(blocks);
}

Deno.test("gru() of tfjs keeps the state where a = 0 and is the GRU where a = 1", async () => {
  await startTensorflow();
  const parameters = new Parameters(gruShapes("gru", 3, 5));
  parameters.values.set(floats(parameters.values.length, 1));
  tf.tidy(() => {
    const weights = weightsOf(parameters);
    const x = tf.tensor3d(floats(2 * 6 * 3, 2), [2, 6, 3]), start = tf.tensor2d(floats(10, 3), [2, 5]);
    const mask = tf.ones([2, 6]);
    const last = (states: tf.Tensor) => stateAt(states, -1).dataSync() as Float32Array;
    for (const [form, plain] of [["augru", "gru"], ["augruResetBefore", "gruResetBefore"]] as const) {
      const attend = (attention: tf.Tensor) => last(gru(weights, "gru", form, { x, mask, start, attention }));
      assertClose(attend(tf.zeros([2, 6])), start.dataSync() as Float32Array, 1e-7, `${form}, a = 0`);
      assertClose(attend(tf.ones([2, 6])), last(gru(weights, "gru", plain, { x, mask, start })), 1e-6, form);
    }
  });
});

/** The forward pass of a model over one user whose history is padded with junk that is masked. */
function padded(model: Model, config: ModelConfigs[ModelName], { T, left, right }: {
  readonly T: number;
  readonly left: number;
  readonly right: number;
}): { readonly logits: Float32Array; readonly aux: number } {
  const K = 3, { d, user, context } = SIZES, all = left + T + right;
  const input = impression(SIZES, T, K, 9);
  const within = (real: Float32Array, seed: number) => {
    const values = floats(all * d, seed);
    values.set(real, left * d);
    return tf.tensor3d(values, [1, all, d]);
  };
  return tf.tidy(() => {
    const batch: Batch = {
      e: within(input.e, 31),
      negatives: within(input.negatives, 32),
      mask: tf.tensor2d(Float32Array.from({ length: all }, (_, t) => Number(t >= left && t < left + T)), [
        1,
        all,
      ]),
      q: tf.tensor3d(input.q, [1, K, d]),
      xu: tf.tensor2d(input.xu, [1, user]),
      xc: tf.tensor3d(input.xc, [1, K, context]),
    };
    const forward =
      { base: baseForward, din: dinForward, dien: dienForward, mimn: mimnForward }[model.name as ModelName];
    const { logits, aux } = forward(weightsOf(model.parameters), config as object, batch);
    return { logits: logits.dataSync() as Float32Array, aux: aux.dataSync()[0] ?? NaN };
  });
}

Deno.test("the tfjs models ignore padding: left, right, any amount, any contents", async () => {
  await startTensorflow();
  for (const [i, [name, config]] of CONFIGS.entries()) {
    const model = createModel(name as ModelName, SIZES, config as ModelConfigs[ModelName], half);
    randomise(model, 300 + i);
    const want = padded(model, config, { T: 4, left: 0, right: 0 });
    for (const [left, right] of [[1, 0], [0, 1], [3, 2], [0, 7]] as const) {
      const got = padded(model, config, { T: 4, left, right });
      const label = `${name} ${JSON.stringify(config)} ${left}+${right}`;
      assertClose(got.logits, want.logits, 1e-5, label);
      assertClose([got.aux], [want.aux], 1e-5, `${label} auxiliary loss`);
    }
    // The model without padding has the same history.
    const { logits } = model.loss(
      { ...impression(SIZES, 4, 3, 9), wide: new Float32Array(3) },
      new Float32Array(model.parameters.values.length),
    );
    assertClose(want.logits, logits, 1e-5, `${name} unpadded`);
  }
});

Deno.test("step() of the tfjs DIEN, folded, equals h_T of its batch forward", async () => {
  for (const config of [{ hidden: 5, widths: [4] }, { hidden: 3, widths: [4], inputGain: 2 }]) {
    const model = await referenceModel("dien", SIZES, config, half);
    randomise(model, 7);
    const { d } = SIZES, T = 6, e = floats(T * d, 8), state = model.initState();
    for (let t = 0; t < T; t++) model.step(state, e.slice(t * d, (t + 1) * d));
    const want = tf.tidy(() => {
      const batch = {
        e: tf.tensor3d(e, [1, T, d]),
        mask: tf.ones([1, T]),
        q: tf.zeros([1, 1, d]),
        xu: tf.zeros([1, SIZES.user]),
        xc: tf.zeros([1, 1, SIZES.context]),
      };
      return stateAt(dienForward(weightsOf(model.parameters), config, batch).values.h!, -1).dataSync();
    });
    assert.equal(want.length, config.hidden);
    assertClose(state, want as Float32Array, 1e-6, JSON.stringify(config));
  }
});

Deno.test("the tfjs MIMN reads and writes a mass of one at every step", async () => {
  await startTensorflow();
  const model = createModel("mimn", SIZES, { hidden: 4, widths: [4] }, half);
  randomise(model, 5);
  tf.tidy(() => {
    const T = 7;
    const { values } = mimnForward(weightsOf(model.parameters), { hidden: 4, widths: [4] }, {
      e: tf.tensor3d(floats(T * SIZES.d, 3), [1, T, SIZES.d]),
      mask: tf.ones([1, T]),
      q: tf.zeros([1, 1, SIZES.d]),
      xu: tf.zeros([1, SIZES.user]),
      xc: tf.zeros([1, 1, SIZES.context]),
    });
    for (const name of ["readWeight", "writeWeight"]) {
      const sums = tf.sum(values[name]!, -1).dataSync() as Float32Array;
      assert.equal(sums.length, T, name);
      assertClose(sums, new Float32Array(T).fill(1), 1e-6, name);
    }
  });
});
