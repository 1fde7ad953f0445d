import assert from "node:assert/strict";
import { createKernels } from "../../../src/nn/kernels/choose.ts";
import { KERNEL_NAMES, type Kernels } from "../../../src/nn/kernels/kernels.ts";
import { createModel } from "../../../src/nn/models/registry.ts";
import { Mimn } from "../../../src/nn/models/mimn/mimn.ts";
import type { MimnConfig } from "../../../src/nn/models/mimn/options.ts";
import { slotHealth } from "../../../src/nn/models/mimn/health.ts";
import { MimnLayout } from "../../../src/nn/models/mimn/state.ts";
import { CONFIGS, impression, randomise, SIZES } from "../../contracts/model_contract.ts";
import { assertClose } from "../../golden_vectors.ts";
import { overKernels, runs } from "../kernels/all_kernels.ts";
import { floats, gradientCheck } from "../kernels/gradient_check.ts";
import { goldenMimnTests } from "./golden_mimn.ts";

const half = () => 0.5;

for (const name of KERNEL_NAMES.filter(runs)) {
  goldenMimnTests(
    `${name}: createModel()`,
    (sizes, config) => createModel("mimn", sizes, config, half, createKernels(name)),
  );
}

/** The options of MIMN under contract. */
function configs(): MimnConfig[] {
  return CONFIGS.flatMap(([name, config]) => name === "mimn" ? [config] : []);
}

function make(config: MimnConfig, seed: number, kernels?: Kernels): Mimn {
  const model = new Mimn(SIZES, config, half, kernels);
  randomise(model, seed);
  return model;
}

/**
 * Zeros the weights behind a stopped gradient: of the shares in the heads and of the slots in the induction
 * unit. With them the loss does not depend on what is stopped, so differences and gradients must agree, those
 * of the zeroed weights too; what is stopped is seen by the golden vectors and by tfjs.
 */
function closeStops(model: Mimn): void {
  const { width, controller } = model.layout;
  model.parameters.block("Wp").fill(0, controller * (4 * width + 2));
  model.parameters.block("miu.W").fill(0, 0, width * 3 * width);
}

overKernels(
  "Mimn.loss() of every option equals central differences, where no gradient is stopped",
  (kernels) => {
    for (const [i, config] of configs().entries()) {
      const model = make(config, 100 + i, kernels);
      closeStops(model);
      const input = impression(SIZES, 4, 2, 10 + i);
      const { e, q, xu, xc, wide } = input, { values } = model.parameters;
      gradientCheck(JSON.stringify(config), { e, q, xu, xc, wide, values }, () => {
        const gradients = new Float32Array(values.length);
        const { loss, z, e, q, xu, xc } = model.loss(input, gradients);
        return [loss, { e, q, xu, xc, wide: z, values: gradients }];
      }, { epsilon: 1 / 4096, tolerance: 1e-2 });
    }
  },
  ["plain", "simd"],
);

Deno.test("Mimn.loss() over a stored state equals central differences in behaviours, candidates and weights", () => {
  const model = make({ hidden: 5, widths: [5], keepPooled: true }, 7);
  closeStops(model);
  const state = model.initState();
  for (let t = 0; t < 5; t++) model.step(state, floats(SIZES.d, t));
  const input = { ...impression(SIZES, 3, 2, 5), state }, { values } = model.parameters;
  gradientCheck("window", { e: input.e, q: input.q, values }, () => {
    const gradients = new Float32Array(values.length);
    const { loss, e, q } = model.loss(input, gradients);
    return [loss, { e, q, values: gradients }];
  }, { epsilon: 1 / 4096, tolerance: 1e-2 });
});

overKernels(
  "Mimn.step() folded over 10,000 behaviours is the batch forward, bit for bit, and stays finite",
  (kernels) => {
    for (const [i, config] of configs().entries()) {
      const model = make(config, 30 + i, kernels);
      const T = 10_000, { d } = SIZES, input = { ...impression(SIZES, T, 3, i), e: floats(T * d, i) };
      const state = model.initState();
      for (let t = 0; t < T; t++) model.step(state, input.e.subarray(t * d, (t + 1) * d));
      assert.ok(state.every(Number.isFinite));
      assert.equal(model.layout.view(state).count[0], T);
      assert.deepEqual(model.score({ ...input, T: 0, e: new Float32Array(0), state }), model.score(input));
    }
  },
);

Deno.test("Mimn has a state of the same size for any history, 1,556 bytes at default widths with one trace", () => {
  const model = new Mimn({ d: 32, user: 0, context: 0 }, { traces: [1] }, half);
  assert.equal(4 * model.stateSize, 1556);
  assert.equal(
    4 * new Mimn({ d: 32, user: 0, context: 0 }, { keepPooled: false, dotHead: false }, half).stateSize,
    1428,
  );
  assert.equal(model.initState().length, model.stateSize);
});

Deno.test("Mimn stays finite with weights of zero and with huge behaviours", () => {
  const zero = new Mimn(SIZES, {}, half);
  zero.parameters.values.fill(0);
  const huge = make({}, 3);
  for (const model of [zero, huge]) {
    const input = impression(SIZES, 5, 2), e = input.e.map((x) => (model === huge ? 1e12 : 1) * x);
    const gradients = new Float32Array(model.parameters.values.length);
    const back = model.loss({ ...input, e }, gradients);
    for (const x of [back.logits, back.e, back.q, gradients]) assert.ok(x.every(Number.isFinite));
  }
});

Deno.test("Mimn pools equal behaviours as a sum over √n, which stops growing at 50 of them", () => {
  const { d } = SIZES, e = floats(d, 1), traces = [1, 0.98, 0.9];
  const model = new Mimn(SIZES, { traces }, half);
  model.parameters.values.fill(0); // what is left of the logit is ⟨p, q⟩, whatever the channels hold
  const input = { ...impression(SIZES, 0, 1), e: new Float32Array(0) };
  const product = e.reduce((sum, x, j) => sum + x * input.q[j]!, 0);
  const state = model.initState();
  for (let n = 1; n <= 2000; n++) {
    model.step(state, e);
    if (![1, 10, 50, 2000].includes(n)) continue;
    const roots = traces.map((trace) => {
      const weight = trace === 1 ? n : (1 - trace ** n) / (1 - trace);
      return Math.sqrt(Math.min(50, weight));
    });
    const want = product * roots.reduce((sum, root) => sum + root, 0) / traces.length;
    model.layout.view(state).channels.fill(1);
    assertClose(model.score({ ...input, state }), [want], 1e-4, `${n} behaviours`);
  }
});

Deno.test("Mimn starts with sharp heads: β is 26", () => {
  const model = new Mimn(SIZES, {}, half), bp = model.parameters.block("bp");
  for (const at of [SIZES.d, 2 * SIZES.d + 1]) {
    assertClose([2 * (1 + Math.log1p(Math.exp(bp[at] ?? NaN)))], [26], 1e-6, "β");
  }
});

Deno.test("Mimn refuses a state of another length", () => {
  const model = new Mimn(SIZES, {}, half), input = impression(SIZES, 1, 1);
  const state = new Float32Array(3);
  assert.throws(() => model.step(state, input.e), TypeError);
  assert.throws(() => model.score({ ...input, state }), TypeError);
  assert.throws(() => model.loss({ ...input, state }, new Float32Array(0)), TypeError);
});

Deno.test("slotHealth() measures the slots of a state without changing it", () => {
  const layout = new MimnLayout({ slots: 3, width: 2, controller: 1, traces: 1 });
  const state = new Float32Array(layout.size);
  const { memory, usage } = layout.view(state);
  assert.deepEqual(slotHealth(state, layout), { cosine: 0, usage: [0, 0, 0], mass: 0 });
  memory.set([1, 0, 3, 0, 0, -2]);
  usage.set([2, 1, 1]);
  const before = state.slice();
  const { cosine, usage: shares, mass } = slotHealth(state, layout);
  assertClose([cosine], [1 / 3], 1e-6, "cosine");
  assert.deepEqual(shares, [0.5, 0.25, 0.25]);
  assert.equal(mass, 4);
  memory.set([1, 1, 2, 2, 3, 3]);
  assertClose([slotHealth(state, layout).cosine], [1], 1e-6, "equal slots");
  memory.set([1, 0, 3, 0, 0, -2]);
  assert.deepEqual(state, before);
});

Deno.test("slotHealth() of a memory under Wg = −4·I shows every slot in use", () => {
  const model = make({ hidden: 5 }, 9);
  const wg = model.parameters.block("Wg").fill(0);
  for (let i = 0; i < 4; i++) wg[5 * i] = -4;
  const state = model.initState();
  for (let t = 0; t < 300; t++) model.step(state, floats(SIZES.d, t));
  const { usage, mass } = slotHealth(state, model.layout);
  assert.ok(usage.every((share) => share > 0.05), String(usage));
  let want = 0;
  for (let t = 0; t < 300; t++) want = 0.999 * want + 1;
  assertClose([mass], [want], 1e-4, "mass");
});
