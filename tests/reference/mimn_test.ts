import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs";
import { createModel } from "../../src/nn/models/registry.ts";
import type { Batch, Forward, MimnTensors } from "./batch.ts";
import { weightedLogisticLoss } from "./layers.ts";
import { mimnForward } from "./mimn.ts";
import { referenceModel } from "./reference_model.ts";
import { startTensorflow } from "./tensorflow.ts";
import { impression, SIZES } from "../contracts/model_contract.ts";
import { assertClose, goldenTest } from "../golden_vectors.ts";
import {
  assertBlocks,
  BACKWARD,
  flat,
  FORWARD,
  type GoldenCase,
  type Nested,
  rows,
  sizesOf,
  type Tree,
  writeBlocks,
} from "../nn/models/golden.ts";
import { goldenMimnTests, MIMN_CASES, MIMN_PARTS, mimnConfig, mimnSizes } from "../nn/models/golden_mimn.ts";

const half = () => 0.5;
/** Autodiff is slow: some corruptions suffice here, as the kernels' tests try them all. */
const FEW = { corruptions: 4 };

goldenMimnTests("referenceModel()", (sizes, config) => referenceModel("mimn", sizes, config, half), FEW);

/** The state before the first behaviour of each user, if the case has one. */
function storedState(golden: GoldenCase): MimnTensors | undefined {
  const { inputs } = golden, { slots, width: d } = mimnSizes(golden);
  const start = inputs.start as unknown as Readonly<Record<string, Nested>> | undefined;
  if (start === undefined) return undefined;
  const B = rows(inputs.e).length;
  const parts = Object.entries(MIMN_PARTS).map(([key, part]) => {
    const values = flat(start[key]);
    const grid = part === "memory" || part === "channels";
    return [part, tf.tensor(values, grid ? [B, slots, d] : [B, values.length / B])] as const;
  });
  return { ...Object.fromEntries(parts), sums: tf.zeros([B, d]) } as unknown as MimnTensors;
}

/** All values of a masked batch under a case's name, and the gradients of its loss. */
function assertForward(golden: GoldenCase, name: string): void {
  const want = golden.outputs[name] as unknown as Tree, grads = golden.grads[name];
  assert.ok(want && grads, name);
  const config = mimnConfig(golden);
  const { parameters } = createModel("mimn", sizesOf(golden), config, half);
  writeBlocks(parameters, golden.params);
  const { inputs } = golden, { d, user, context } = sizesOf(golden);
  const B = rows(inputs.e).length, T = flat(inputs.mask).length / B, K = flat(inputs.y).length / B;
  const tensor = (nested: Nested | undefined, shape: number[]) => tf.tensor(flat(nested), shape);
  const mask = tensor(inputs.mask, [B, T]);
  const state = storedState(golden);
  const blocks = [...parameters.shapes.keys()];
  const starts = [
    tensor(inputs.e, [B, T, d]),
    tensor(inputs.q, [B, K, d]),
    tensor(inputs.xu, [B, user]),
    tensor(inputs.xc, [B, 1, context]),
    ...blocks.map((block) => tensor([...parameters.block(block)], [...parameters.shapes.get(block) ?? []])),
  ];
  const run = (...x: tf.Tensor[]) => {
    const [e, q, xu, xc] = x as [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor];
    const weights = Object.fromEntries(blocks.map((block, i) => [block, x[4 + i] ?? e]));
    const batch: Batch = { e, mask, q, xu, xc: tf.tile(xc, [1, K, 1]) };
    return mimnForward(weights, config, state === undefined ? batch : { ...batch, state });
  };
  const y = tensor(inputs.y, [B, K]), mean = tf.fill([B, K], 1 / (B * K));
  const total = (forward: Forward) => {
    const target = weightedLogisticLoss(forward.logits, y, mean);
    return tf.add(target, tf.mean(forward.regularisation ?? tf.zeros([1]))) as tf.Scalar;
  };
  const forward = run(...starts);
  assertClose(forward.logits.dataSync(), flat(want.logit as Nested), FORWARD, `${name} logits`);
  assertClose(total(forward).dataSync(), flat(want.loss as Nested), FORWARD, `${name} loss`);
  const { states = {}, ...values } = want;
  for (const [key, value] of Object.entries(values)) {
    const got = forward.values[key]?.dataSync();
    if (got !== undefined) assertClose(got, flat(value as Nested), FORWARD, `${name} ${key}`);
  }
  assert.ok(forward.values.reg && want.reg);
  for (const [key, value] of Object.entries(states as Tree)) {
    const got = forward.values[MIMN_PARTS[key] ?? ""]?.dataSync() ?? [];
    assertClose(got, flat(value as Nested), FORWARD, `${name} states of ${key}`);
  }
  // Every weight takes part, with a contribution of zero: tf.grads refuses any that does not, like M0 over a stored
  // state.
  const nothing = (x: tf.Tensor[]) => x.reduce((sum, w) => tf.add(sum, tf.mul(0, tf.sum(w))), tf.scalar(0));
  const got = tf.grads((...x) => tf.add(total(run(...x)), nothing(x)))(starts).map((g) => g.dataSync());
  ["e", "q", "xu", "xc"].forEach((input, i) =>
    assertClose(got[i] ?? [], flat(grads.inputs[input]), BACKWARD, `${name} gradient of ${input}`)
  );
  const gradients = Float32Array.from(got.slice(4).flatMap((block) => [...block]));
  assertBlocks(parameters, gradients, grads.params, name);
}

goldenTest<GoldenCase>(
  "mimnForward() over a masked batch equals every value and gradient",
  "mimn.json",
  async (cases) => {
    await startTensorflow();
    for (const name of MIMN_CASES) {
      const golden = cases[name];
      assert.ok(golden, name);
      tf.tidy(() => assertForward(golden, name));
    }
  },
  {
    ...FEW,
    claims: (path) =>
      !/^cases\.(regOnly|addressing|write|rebalance)|outputs\..*(states|Weight|chosen)/.test(path),
  },
);

Deno.test("referenceModel() of mimn leaks no tensors, with a state or without", async () => {
  const model = await referenceModel("mimn", SIZES, { hidden: 4 }, half);
  const run = () => {
    const input = impression(SIZES, 3, 2), state = model.initState();
    model.step(state, input.e.slice(0, SIZES.d));
    for (const given of [input, { ...input, state }]) {
      model.score(given);
      model.loss(given, new Float32Array(model.parameters.values.length));
    }
    return tf.memory().numTensors;
  };
  assert.equal(run(), run());
});
