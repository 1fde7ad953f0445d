import * as tf from "@tensorflow/tfjs";
import assert from "node:assert/strict";
import { lateClickLosses, logisticLosses, sampledLosses } from "./losses.ts";
import { type AdagradRows, clipped, rowAdagradStep } from "./optimisers.ts";
import { startTensorflow } from "./tensorflow.ts";
import { assertClose, goldenTest } from "../golden_vectors.ts";

await startTensorflow();

const TOLERANCE = 1e-5;

interface LossCase {
  readonly inputs: {
    readonly z: number[];
    readonly y: number[];
    readonly r?: number[];
    readonly phi?: number[];
  };
  readonly outputs: Record<string, { readonly each: number[]; readonly loss: number }>;
  readonly grads: Record<string, { readonly inputs: { readonly z: number[] } }>;
}

type Losses = (z: tf.Tensor1D, y: tf.Tensor1D, extra: tf.Tensor1D) => tf.Tensor1D;
const LOSSES: Record<string, Losses> = {
  bce: logisticLosses,
  bceExtreme: logisticLosses,
  logOdds: sampledLosses,
  fnw: lateClickLosses,
  late: lateClickLosses,
};

goldenTest<LossCase>(
  "losses in tfjs equal every golden case in value and gradient",
  "losses.json",
  (cases) => {
    for (const [name, losses] of Object.entries(LOSSES)) {
      tf.tidy(() => {
        const { inputs, outputs, grads } = cases[name] ?? assert.fail(name);
        const z = tf.tensor1d(inputs.z), y = tf.tensor1d(inputs.y);
        const extra = tf.tensor1d(inputs.r ?? inputs.phi ?? inputs.z.map(() => 1));
        assertClose(losses(z, y, extra).dataSync(), outputs[name]?.each ?? [], TOLERANCE, `${name}.each`);
        const { value, grad } = tf.valueAndGrad((z) => tf.mean(losses(z as tf.Tensor1D, y, extra)))(z);
        assertClose(value.dataSync(), [outputs[name]?.loss ?? NaN], TOLERANCE, `${name}.loss`);
        assertClose(grad.dataSync(), grads[name]?.inputs.z ?? [], TOLERANCE, `${name} gradient`);
      });
    }
  },
  { claims: (path) => /inputs|each$|loss$/.test(path) && !/metrics|oneLabel/.test(path) },
);

// deno-lint-ignore no-explicit-any -- the cases of this file have different layouts; assertClose checks what is used
type OptimCase = any;
const flat = (value: unknown): number[] =>
  typeof value === "number" ? [value] : Object.values(value as object).flatMap(flat);

goldenTest<OptimCase>("tf.train.adam() equals the golden steps", "optim.json", ({ adam: golden }) => {
  const { lr, beta1, beta2, epsilon } = golden.config;
  const adam = tf.train.adam(lr, beta1, beta2, epsilon);
  const weights = tf.variable(tf.tensor1d(flat(golden.params)));
  golden.inputs.gradients.forEach((gradients: object, i: number) => {
    const gradient = tf.tensor1d(flat(gradients));
    // A loss with exactly this gradient.
    adam.minimize(() => tf.sum(tf.mul(weights, gradient)), false, [weights]);
    assertClose(weights.dataSync(), flat(golden.outputs.adam.steps[i].params), TOLERANCE, `step ${i + 1}`);
    gradient.dispose();
  });
  adam.dispose();
  weights.dispose();
}, { claims: (path) => path.startsWith("cases.adam.") });

goldenTest<OptimCase>("rowAdagradStep() equals the golden steps when ids repeat", "optim.json", (cases) => {
  const { config: { lr, epsilon }, params, inputs, outputs } = cases.adagrad;
  tf.tidy(() => {
    const table = tf.tensor2d(params.table);
    let rows: AdagradRows = { table, accumulators: tf.zeros([table.shape[0]]) };
    inputs.ids.forEach((ids: number[], i: number) => {
      const batch = { ids: tf.tensor1d(ids, "int32"), gradients: tf.tensor2d(inputs.gradients[i]) };
      rows = rowAdagradStep(rows, batch, { learningRate: lr, epsilon });
      const want = outputs.adagrad.steps[i];
      assertClose(rows.table.dataSync(), flat(want.table), TOLERANCE, `table after step ${i + 1}`);
      assertClose(rows.accumulators.dataSync(), want.G, TOLERANCE, `G after step ${i + 1}`);
    });
  });
}, { claims: (path) => path.startsWith("cases.adagrad.") });

goldenTest<OptimCase>("clipped() equals the golden cases", "optim.json", ({ clip: golden }) => {
  for (const [name, blocks] of Object.entries<object>(golden.inputs)) {
    tf.tidy(() => {
      const gradients = Object.values(blocks).map((block) => tf.tensor1d(flat(block)));
      const got = clipped(gradients, golden.config.clipNorm).flatMap((part) => [...part.dataSync()]);
      assertClose(got, flat(golden.outputs[name].clipped), TOLERANCE, name);
    });
  }
}, { claims: (path) => path.startsWith("cases.clip.") && !path.endsWith(".norm") });
