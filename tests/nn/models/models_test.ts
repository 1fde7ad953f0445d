import assert from "node:assert/strict";
import fc from "fast-check";
import { createKernels } from "../../../src/nn/kernels/choose.ts";
import { Gru } from "../../../src/nn/layers/gru.ts";
import { KERNEL_NAMES, type Kernels } from "../../../src/nn/kernels/kernels.ts";
import { PLAIN } from "../../../src/nn/kernels/plain.ts";
import {
  createModel,
  MODEL_NAMES,
  type ModelConfigs,
  type ModelName,
} from "../../../src/nn/models/registry.ts";
import type { Model, ModelSizes } from "../../../src/nn/models/core/model.ts";
import { CONFIGS, impression, modelContract, randomise, SIZES } from "../../contracts/model_contract.ts";
import { overKernels, runs } from "../kernels/all_kernels.ts";
import { floats, gradientCheck } from "../kernels/gradient_check.ts";

const half = () => 0.5;

/** Blocks that start as a multiple of the identity. */
const IDENTITIES: Readonly<Record<string, { factor: number; size: number }>> = {
  "attention.W": { factor: 1, size: 16 },
  "reader.W": { factor: 1, size: 16 },
  "Wg": { factor: -4, size: 4 },
};

for (const kernels of KERNEL_NAMES.filter(runs)) {
  modelContract(
    `${kernels}: createModel()`,
    (name, sizes, config) => createModel(name, sizes, config, half, createKernels(kernels)),
    { exact: true, runs: 15 },
  );
}

function make(name: ModelName, sizes: ModelSizes, config: object, kernels: Kernels): Model {
  return createModel(name, sizes, config as ModelConfigs[ModelName], half, kernels);
}

overKernels(
  "loss() of every model and option equals central differences in every weight and input",
  (kernels) => {
    for (const [i, [name, config]] of CONFIGS.entries()) {
      if (name === "mimn") continue; // It stops gradients, so differences include more: see mimn_test.ts.
      if (kernels !== PLAIN && i % 3 > 0) continue; // Its layers have been checked, in tests/nn/kernels.
      const model = make(name, SIZES, config, kernels);
      randomise(model, 100 + i);
      const input = impression(SIZES, 3, 2, 10 + i);
      const { e, q, xu, xc, wide, negatives } = input;
      const { values } = model.parameters;
      // Row 0 of the negatives is not used; only DIEN uses any.
      const trained = name === "dien" ? { negatives } : {};
      gradientCheck(`${name} ${JSON.stringify(config)}`, { e, q, xu, xc, wide, ...trained, values }, () => {
        const gradients = new Float32Array(values.length);
        const { loss, z, ...back } = model.loss(input, gradients);
        const { e, q, xu, xc, negatives } = back;
        return [loss, { e, q, xu, xc, negatives, wide: z, values: gradients }];
      }, { epsilon: 1 / 4096, tolerance: 1e-2 });
    }
  },
  ["plain", "simd"],
);

overKernels(
  "Dien.step() folded over e_1 … e_T is h_T of the batch forward, bit for bit, for every T",
  (kernels) => {
    fc.assert(fc.property(fc.nat(12), fc.constantFrom(1, 5), fc.nat(1000), (T, inputGain, seed) => {
      const model = createModel("dien", SIZES, { hidden: 6, inputGain }, half, kernels);
      randomise(model, seed);
      const e = floats(T * SIZES.d, seed + 1);
      const state = model.initState();
      for (let t = 0; t < T; t++) model.step(state, e.subarray(t * SIZES.d, (t + 1) * SIZES.d));
      const gru = new Gru(model.parameters, "gru1", "gru");
      const x = e.map((value) => inputGain * value);
      const states = gru.run({ T, K: 1, xw: gru.project(x, T), keep: true });
      assert.deepEqual(state, states.slice(T * 6));
    }));
  },
);

Deno.test("createModel() draws the same weights from the same random numbers, within Glorot's limits", () => {
  const random = () => {
    const numbers = floats(100_000, 7);
    let i = 0;
    return () => (1 + (numbers[i++] ?? NaN)) / 2;
  };
  for (const name of MODEL_NAMES) {
    const sizes = { d: 16, user: 8, context: 4 };
    const config = { hidden: 16 } as ModelConfigs[ModelName];
    const [a, b] = [createModel(name, sizes, config, random()), createModel(name, sizes, config, random())];
    assert.deepEqual(a.parameters.values, b.parameters.values);
    for (const [block, [inputs = 0, outputs]] of a.parameters.shapes) {
      const values = [...a.parameters.block(block)];
      if (block.includes(".alpha")) assert.ok(values.every((x) => x === Math.fround(0.1)), block);
      else if (block === "bp") assert.deepEqual(values.flatMap((x, j) => x === 0 ? [] : [j]), [16, 33]);
      else if (outputs === undefined) assert.ok(values.every((x) => x === 0), block);
      else if (IDENTITIES[block] !== undefined) {
        const { factor, size } = IDENTITIES[block];
        assert.ok(values.every((x, o) => x === (o % (size + 1) === 0 ? factor : 0)), block);
      } else {
        const gates = /^(gru.|controller|miu)\./.test(block);
        const limit = Math.sqrt(6 / (inputs + (gates ? 16 : outputs)));
        const widest = Math.max(...values.map(Math.abs));
        assert.ok(widest <= limit * 1.000001 && widest > 0.7 * limit, `${block} ${widest} ${limit}`);
      }
    }
  }
});

Deno.test("createModel() refuses a name that is not in the registry", () => {
  for (const name of ["dein", "toString"]) {
    const make = () => createModel(name as "din", { d: 2, user: 1, context: 0 }, {}, half);
    assert.throws(
      make,
      new RegExp(`RangeError: Cannot take ${name} as the name of a model: names are base, din`),
    );
  }
});

Deno.test("score() and loss() refuse arrays of the wrong length", () => {
  const model = createModel("base", SIZES, {}, half);
  const input = impression(SIZES, 2, 3);
  const gradients = new Float32Array(model.parameters.values.length);
  for (const name of ["e", "q", "xu", "xc"] as const) {
    assert.throws(() => model.score({ ...input, [name]: new Float32Array(99) }), TypeError, name);
  }
  for (const name of ["wide", "labels", "weights", "negatives"] as const) {
    assert.throws(() => model.loss({ ...input, [name]: new Float32Array(99) }, gradients), TypeError, name);
  }
});
