import assert from "node:assert/strict";
import { mulberry32 } from "../../../src/draws/random.ts";
import { modelSizes } from "../../../src/features/rows/assembler.ts";
import { createKernels } from "../../../src/nn/kernels/choose.ts";
import { PLAIN } from "../../../src/nn/kernels/plain.ts";
import { ServingModel } from "../../../src/serving/serving_model.ts";
import { MemoryLog } from "../../../streams/log/memory_log.ts";
import { impression, modelContract, randomise, SIZES } from "../../contracts/model_contract.ts";
import { batches, makeLearner, makeSamples, SCHEMA, WIDTH } from "../../learner/batches.ts";
import { outcomeOf, replayOn, smallReplay } from "../../replay/harness.ts";
import { syntheticRecords } from "../../sources/synthetic.ts";
import { gradientCheck } from "../kernels/gradient_check.ts";
import { POOL } from "./mean_pooling.ts";

const half = () => 0.5;
const make = () => POOL.create(modelSizes(SCHEMA, WIDTH), {}, mulberry32(0), createKernels());

modelContract(
  "a model that is not in the registry",
  (_name, sizes, config) => POOL.create(sizes, config, half, PLAIN),
  { exact: true, runs: 10, configs: [["pool", {}], ["pool", { scale: 0.5 }]] },
);

Deno.test("a model outside the registry has the gradients of central differences", () => {
  const model = POOL.create(SIZES, {}, half, PLAIN);
  randomise(model, 3);
  const input = impression(SIZES, 3, 2, 10);
  const { e, q, xu, xc, wide } = input, { values } = model.parameters;
  gradientCheck("pool", { e, q, xu, xc, wide, values }, () => {
    const gradients = new Float32Array(values.length);
    const { loss, z, e, q, xu, xc } = model.loss(input, gradients);
    return [loss, { e, q, xu, xc, wide: z, values: gradients }];
  }, { epsilon: 1 / 4096, tolerance: 1e-2 });
});

Deno.test("a model outside the registry is learnt and served like any other", () => {
  const learner = makeLearner(make());
  const losses = batches(makeSamples(800)).map((batch) => learner.learn(batch).loss);
  const mean = (part: readonly number[]) => part.reduce((sum, loss) => sum + loss, 0) / part.length;
  assert.ok(mean(losses.slice(-20)) < mean(losses.slice(0, 10)) - 0.06);
  const serving = new ServingModel(make(), SCHEMA, WIDTH);
  assert.ok(serving.apply(learner.version("full", 1)));
  assert.deepEqual([serving.model, serving.lifelong, serving.stateSize], ["pool", true, 2 * WIDTH + 1]);
  const state = serving.initState();
  serving.step(state, "i1", ["c"], 1);
  assert.deepEqual(serving.inspect(state).map(({ name, values }) => [name, values]), [["pooled", [1]]]);
});

Deno.test("a model outside the registry is replayed, and its users' states cover their whole lives", async () => {
  const records = syntheticRecords({ views: 150, users: 15, seed: 7 });
  const small = smallReplay("base");
  const task = { ...small.task, sequence: { window: 10, hop: 2, recent: 2 } };
  const options = { ...small, task, model: POOL, manifest: "pool" };
  const result = await replayOn(new MemoryLog(), records, options);
  assert.ok(result.learning.version > 1);
  assert.ok([...result.task.users.values()].some(({ anchor }) => anchor !== null));
  const pooled = result.inspections.at(-1)?.panels[0]?.values[0] ?? 0;
  assert.ok(pooled > 10, `${pooled} behaviours in a state on average: more than the window has`);
  const bounded = { ...options, stateBytes: 20_000 };
  assert.deepEqual(outcomeOf(await replayOn(new MemoryLog(), records, bounded)), outcomeOf(result));
});
