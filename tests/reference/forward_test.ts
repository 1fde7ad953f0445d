/**
 * The tfjs models over whole padded batches, with masks: every value, intermediate value and gradient of the golden
 * vectors.
 *
 * @module
 */

import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs";
import { createModel, type ModelConfigs, type ModelName } from "../../src/nn/models/registry.ts";
import type { Batch, Forward } from "./batch.ts";
import { baseForward, dienForward, dinForward } from "./forward.ts";
import { mimnForward } from "./mimn.ts";
import { weightedLogisticLoss } from "./layers.ts";
import { startTensorflow, type Weights } from "./tensorflow.ts";
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
  writeBlocks,
} from "../nn/models/golden.ts";
import {
  baseConfig,
  dienConfig,
  dienVariants,
  dinConfig,
  NORMS,
  POOLINGS,
  UNUSED,
} from "../nn/models/golden_models.ts";

/** Autodiff is slow: some corruptions suffice here, as the kernels' tests try them all. */
const FEW = { corruptions: 15 };
const FORWARD_OF: Record<ModelName, (weights: Weights, config: object, batch: Batch) => Forward> = {
  base: baseForward,
  din: dinForward,
  dien: dienForward,
  mimn: mimnForward,
};

interface Case {
  readonly model: ModelName;
  readonly config: object;
  readonly golden: GoldenCase;
  readonly variant: string;
  readonly what: string;
}

async function assertForward({ model, config, golden, variant, what }: Case): Promise<void> {
  await startTensorflow();
  const sizes = sizesOf(golden);
  const want = golden.outputs[variant], grads = golden.grads[variant];
  assert.ok(want && grads, what);
  const { parameters } = createModel(model, sizes, config as ModelConfigs[ModelName], () => 0.5);
  writeBlocks(parameters, golden.params);
  const { inputs } = golden;
  const B = rows(inputs.e).length, K = flat(inputs.y).length / B;
  const tensor = (nested: Nested | undefined, shape: number[]) => tf.tensor(flat(nested), shape);
  const T = flat(inputs.mask).length / B;
  const history = [B, T, sizes.d];
  const names = ["e", "q", "xu", "xc", ...("aux" in want ? ["negative"] : [])];
  const blocks = [...parameters.shapes.keys()];
  tf.tidy(() => {
    const mask = tensor(inputs.mask, [B, T]), y = tensor(inputs.y, [B, K]);
    const mean = tf.fill([B, K], 1 / (B * K));
    const starts = [
      tensor(inputs.e, history),
      tensor(inputs.q, [B, K, sizes.d]),
      tensor(inputs.xu, [B, sizes.user]),
      tensor(inputs.xc, [B, 1, sizes.context]),
      ...("aux" in want ? [tensor(inputs.negative, history)] : []),
      ...blocks.map((name) => tensor([...parameters.block(name)], [...parameters.shapes.get(name) ?? []])),
    ];
    const run = (...x: tf.Tensor[]) => {
      const [e, q, xu, xc] = x.slice(0, 4) as [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor];
      const negatives = "aux" in want ? { negatives: x[4] ?? e } : {};
      const weights = Object.fromEntries(blocks.map((name, i) => [name, x[names.length + i] ?? e]));
      const batch = { e, mask, q, xu, xc: tf.tile(xc, [1, K, 1]), ...negatives };
      return FORWARD_OF[model](weights, config, batch);
    };
    const total = (forward: Forward) => {
      const target = weightedLogisticLoss(forward.logits, y, mean);
      return "aux" in want ? tf.add(target, tf.mul(forward.aux, Number(inputs.alpha))) : target;
    };
    const forward = run(...starts);
    assertClose(forward.logits.dataSync(), flat(want.logit), FORWARD, `${what} logits`);
    assertClose(total(forward).dataSync(), flat(want.loss), FORWARD, `${what} loss`);
    if ("aux" in want) assertClose(forward.aux.dataSync(), flat(want.aux), FORWARD, `${what} aux`);
    for (const [name, value] of Object.entries(forward.values)) {
      if (want[name] !== undefined) {
        assertClose(value.dataSync(), flat(want[name]), FORWARD, `${what} ${name}`);
      }
    }
    const got = tf.grads((...x) => total(run(...x)))(starts).map((gradient) => gradient.dataSync());
    names.forEach((name, i) =>
      assertClose(got[i] ?? [], flat(grads.inputs[name]), BACKWARD, `${what} gradient of ${name}`)
    );
    const gradients = Float32Array.from(got.slice(names.length).flatMap((values) => [...values]));
    assertBlocks(parameters, gradients, grads.params, what);
  });
}

goldenTest<GoldenCase>(
  "baseForward() over a masked batch equals every value and gradient",
  "base.json",
  async ({ main }) => {
    assert.ok(main);
    for (const pooling of POOLINGS) {
      const config = baseConfig(main, pooling);
      await assertForward({ model: "base", config, golden: main, variant: pooling, what: pooling });
    }
  },
  FEW,
);

goldenTest<GoldenCase>(
  "dinForward() over a masked batch equals every value and gradient",
  "din.json",
  async (cases) => {
    for (const key of ["model", "candidates"]) {
      const golden = cases[key] ?? assert.fail(key);
      for (const norm of NORMS) {
        const config = dinConfig(golden, norm);
        await assertForward({ model: "din", config, golden, variant: norm, what: `${key} ${norm}` });
      }
    }
  },
  { ...FEW, claims: (path) => path.startsWith("cases.") },
);

goldenTest<GoldenCase>(
  "dienForward() over a masked batch equals every value and gradient",
  "dien.json",
  async (cases) => {
    for (const { golden, variant, what } of dienVariants(cases)) {
      const config = dienConfig(golden, variant);
      await assertForward({ model: "dien", config, golden, variant, what });
    }
  },
  { ...FEW, claims: (path) => !UNUSED.test(path) },
);
