import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs";
import { createModel, type ModelConfigs, type ModelName } from "../../src/nn/models/registry.ts";
import { referenceModel } from "./reference_model.ts";
import { CONFIGS, impression, modelContract, randomise, SIZES } from "../contracts/model_contract.ts";
import { assertClose } from "../golden_vectors.ts";

const half = () => 0.5;

modelContract("referenceModel()", (name, sizes, config) => referenceModel(name, sizes, config, half), {
  exact: false,
  runs: 2,
});

Deno.test("createModel() and referenceModel() agree in scores, losses, steps and all gradients", async () => {
  for (const [i, [name, config]] of CONFIGS.entries()) {
    const options = config as ModelConfigs[ModelName];
    const plain = createModel(name, SIZES, options, half);
    const reference = await referenceModel(name as ModelName, SIZES, options, half);
    randomise(plain, 200 + i);
    randomise(reference, 200 + i);
    for (const [T, K] of [[0, 2], [1, 1], [5, 3]] as const) {
      const input = impression(SIZES, T, K, 30 + i);
      const label = `${name} ${JSON.stringify(config)} T=${T}`;
      assertClose(plain.score(input), reference.score(input), 1e-5, label);
      const [mine, theirs] = [plain, reference].map((model) => {
        const gradients = new Float32Array(model.parameters.values.length);
        return { ...model.loss(input, gradients), gradients };
      });
      assert.ok(mine && theirs);
      assertClose([mine.loss, mine.aux], [theirs.loss, theirs.aux], 1e-5, label);
      for (const key of ["logits", "z", "e", "q", "xu", "xc", "negatives", "gradients"] as const) {
        assertClose(mine[key], theirs[key], 1e-4, `${label} ${key}`);
      }
      const [a, b] = [plain.initState(), reference.initState()];
      plain.step(a, input.q.subarray(0, SIZES.d));
      reference.step(b, input.q.subarray(0, SIZES.d));
      assertClose(a, b, 1e-5, `${label} step`);
    }
  }
});

Deno.test("referenceModel() has the same gradients on wasm as on cpu", async () => {
  const results: Float32Array[] = [];
  for (const backend of ["wasm", "cpu"] as const) {
    const model = await referenceModel("dien", SIZES, { hidden: 4 }, half, backend);
    randomise(model, 9);
    const gradients = new Float32Array(model.parameters.values.length);
    model.loss(impression(SIZES, 4, 3), gradients);
    results.push(gradients);
  }
  const [wasm, cpu] = results;
  assertClose(wasm ?? [], cpu ?? [], 1e-5, "gradients");
});

Deno.test("referenceModel() leaks no tensors", async () => {
  const model = await referenceModel("dien", SIZES, { hidden: 4 }, half);
  const run = () => {
    const input = impression(SIZES, 3, 2);
    model.score(input);
    model.step(model.initState(), input.q.slice(0, SIZES.d));
    model.loss(input, new Float32Array(model.parameters.values.length));
    return tf.memory().numTensors;
  };
  assert.equal(run(), run());
});
