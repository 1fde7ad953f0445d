import { LEARNER_OPTIONS } from "../../src/learner/learner_options.ts";
import { settle } from "../../src/options/option.ts";
import assert from "node:assert/strict";
import { ByteReader } from "../../src/codec/byte_reader.ts";
import { ByteWriter } from "../../src/codec/byte_writer.ts";
import { mulberry32 } from "../../src/draws/random.ts";
import { createHead } from "../../src/features/rows/assembler.ts";
import { DenseWeights } from "../../src/learner/dense_weights.ts";
import { Parameters } from "../../src/nn/kernels/parameters.ts";
import { makeModel, SCHEMA } from "./batches.ts";

function makeWeights(optimiser: "adam" | "adagrad") {
  const { parameters } = makeModel("base");
  const head = createHead(SCHEMA);
  return {
    values: parameters.values,
    head: head.values,
    dense: new DenseWeights(parameters, head, settle(LEARNER_OPTIONS, { optimiser })),
  };
}

const step = ({ dense }: ReturnType<typeof makeWeights>, gradient: number) => {
  dense.clear();
  dense.gradients.fill(gradient);
  dense.headGradients.fill(-gradient);
  return dense.clip(1) && dense.step(1e6);
};

for (const optimiser of ["adam", "adagrad"] as const) {
  Deno.test(`DenseWeights.decode() continues bit for bit with ${optimiser}`, () => {
    const [whole, other] = [makeWeights(optimiser), makeWeights(optimiser)];
    for (const gradient of [0.5, -2, 3]) assert.ok(step(whole, gradient));
    const to = new ByteWriter();
    whole.dense.encode(to);
    other.dense.decode(new ByteReader(to.toBytes()));
    for (const gradient of [1, -0.25]) {
      for (const each of [whole, other]) assert.ok(step(each, gradient));
      assert.deepEqual(other.values, whole.values);
      assert.deepEqual(other.head, whole.head);
    }
  });
}

Deno.test("DenseWeights.clip() bounds the norm of each part separately, and returns false if one is not finite", () => {
  const { dense } = makeWeights("adagrad");
  dense.clear();
  dense.gradients.fill(1);
  dense.headGradients[0] = 0.5;
  assert.equal(dense.clip(1), true);
  assert.ok(Math.abs(Math.hypot(...dense.gradients) - 1) < 1e-6);
  assert.equal(dense.headGradients[0], 0.5, "it is within its own bound");
  for (const broken of [NaN, Infinity]) {
    for (const part of ["gradients", "headGradients"] as const) {
      dense.clear();
      dense[part][0] = broken;
      assert.equal(dense.clip(1), false);
    }
  }
});

Deno.test("DenseWeights.step() returns false when weights of either part are out of bounds or NaN", () => {
  for (const broken of [NaN, Infinity, -11]) {
    for (const part of ["values", "head"] as const) {
      const weights = makeWeights("adagrad");
      assert.equal(weights.dense.step(10), true);
      weights[part][0] = broken;
      assert.equal(weights.dense.step(10), false, `${broken} in ${part}`);
    }
  }
});

/** Batches with 20 % positives until a logit falls below 0 that was learnt from `age` batches with 80 %. */
function batchesToTurn(part: "gradients" | "headGradients", age: number): number {
  const [model, head] = [new Parameters({ w: [1] }), new Parameters({ w: [1] })];
  const dense = new DenseWeights(model, head, settle(LEARNER_OPTIONS, {}));
  const { values } = part === "gradients" ? model : head;
  values[0] = 0;
  const random = mulberry32(5);
  const learn = (rate: number) => {
    const share = 1 / (1 + Math.exp(-values[0]!));
    dense.clear();
    for (let row = 0; row < 16; row++) dense[part][0]! += share - (random() < rate ? 1 : 0);
    dense.step(1e6);
  };
  for (let n = 0; n < age; n++) learn(0.8);
  let batches = 0;
  for (; values[0]! > 0; batches++) learn(0.2);
  return batches;
}

Deno.test("DenseWeights follow a change, however long they have been learning", () => {
  for (const [part, limit] of [["gradients", 2000], ["headGradients", 500]] as const) {
    for (const age of [1000, 10_000, 300_000]) {
      const batches = batchesToTurn(part, age);
      assert.ok(batches <= limit, `${part}: ${batches} batches after ${age}`);
    }
  }
});
