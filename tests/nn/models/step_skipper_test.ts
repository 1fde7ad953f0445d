import assert from "node:assert/strict";
import fc from "fast-check";
import { Gru } from "../../../src/nn/layers/gru.ts";
import type { Kernels } from "../../../src/nn/kernels/kernels.ts";
import { PLAIN } from "../../../src/nn/kernels/plain.ts";
import { createModel } from "../../../src/nn/models/registry.ts";
import type { DienConfig } from "../../../src/nn/models/dien/options.ts";
import type { Model } from "../../../src/nn/models/core/model.ts";
import { spectralBound } from "../../../src/nn/models/dien/step_skipper.ts";
import { impression, randomise, SIZES } from "../../contracts/model_contract.ts";
import { overKernels } from "../kernels/all_kernels.ts";
import { floats } from "../kernels/gradient_check.ts";

const half = () => 0.5;

/** DIEN whose attention is sharper the larger `sharpness` is. */
function make(config: DienConfig, sharpness: number, seed: number, kernels: Kernels = PLAIN): Model {
  const model = createModel("dien", SIZES, { hidden: 4, widths: [6, 5], ...config }, half, kernels);
  randomise(model, seed);
  const weights = model.parameters.block("attention.W");
  for (const [o, value] of weights.entries()) weights[o] = sharpness * value;
  return model;
}

overKernels("score() with skipError is at most that far from the score of all steps", (kernels) => {
  const options = fc.record({
    form: fc.constantFrom("augru" as const, "agru" as const),
    norm: fc.constantFrom("sigmoid" as const, "softmax" as const, "maxnorm" as const),
    evolvedDot: fc.boolean(),
    widths: fc.constantFrom([6, 5], [3], []),
  });
  const errors = fc.constantFrom(1e-3, 0.01, 0.1, 1, 10);
  const sharp = fc.constantFrom(1, 30, 100, 300);
  let moved = 0;
  fc.assert(fc.property(options, errors, sharp, fc.integer({ min: 1, max: 12 }), fc.nat(1000), (...given) => {
    const [config, skipError, sharpness, T, seed] = given;
    const input = impression(SIZES, T, 3, seed);
    const whole = make(config, sharpness, seed, kernels).score(input);
    const skipped = make({ ...config, skipError }, sharpness, seed, kernels).score(input);
    for (const [k, z] of whole.entries()) {
      const error = Math.abs((skipped[k] ?? NaN) - z);
      assert.ok(error <= skipError + 1e-5, `${error} for ${skipError}`);
      if (error > 0) moved++;
    }
  }));
  assert.ok(moved > 0, "no step was left out in any run");
});

Deno.test("score() with a large skipError leaves out every step", () => {
  const input = impression(SIZES, 9, 3);
  const none = make({ skipError: 1e30 }, 1, 5);
  const without = make({}, 1, 5);
  without.parameters.block("mlp.W1").fill(
    0,
    (SIZES.user + 3 * SIZES.d) * 6,
    (SIZES.user + 3 * SIZES.d + 4) * 6,
  );
  assert.deepEqual(none.score(input), without.score(input));
});

Deno.test("loss() and look() know nothing of skipError, and score() follows the weights as they change", () => {
  const input = impression(SIZES, 9, 3);
  const config = { norm: "softmax", skipError: 0.01 } as const;
  const [skipping, whole] = [make(config, 100, 5), make({ norm: "softmax" }, 100, 5)];
  const gradients = () => new Float32Array(whole.parameters.values.length);
  skipping.score(input);
  assert.deepEqual(skipping.loss(input, gradients()), whole.loss(input, gradients()));
  assert.deepEqual(skipping.look?.(input), whole.look?.(input));
  const changed = make(config, 30, 6);
  skipping.parameters.values.set(changed.parameters.values);
  assert.deepEqual(skipping.score(input), changed.score(input));
});

Deno.test("skipError is refused where a weight of 0 does not keep the state", () => {
  for (const form of ["aigru", "augruResetBefore", "official", "keepScaled"] as const) {
    assert.throws(() => make({ form, skipError: 0.1 }, 1, 1), RangeError, form);
  }
  assert.throws(() => make({ norm: "linear", skipError: 0.1 }, 1, 1), RangeError);
});

overKernels("Gru.runWritten() gives the bits of run(), whatever steps have attention 0", (kernels) => {
  const model = make({}, 1, 3, kernels);
  const gru = new Gru(model.parameters, "gru2", "augru");
  fc.assert(fc.property(fc.nat(9), fc.integer({ min: 1, max: 6 }), fc.nat(1000), (T, K, seed) => {
    const xw = floats(T * 12, seed);
    const attention = floats(K * T, seed + 1).map((a) => Math.max(0, a));
    const run = { T, K, xw, attention, keep: false };
    assert.deepEqual(gru.runWritten(run).slice(), gru.run(run).slice());
  }));
});

Deno.test("spectralBound() is at least the largest singular value, and less than 1.4 times it for eight rows", () => {
  fc.assert(fc.property(fc.integer({ min: 1, max: 9 }), fc.nat(1000), (n, seed) => {
    const rows = 8, a = floats(rows * n, seed);
    const bound = spectralBound(a, rows);
    let x = floats(n, seed + 1), grown = 0;
    for (let i = 0; i < 200; i++) {
      const y = Array.from({ length: rows }, (_, r) => x.reduce((sum, v, j) => sum + v * a[r * n + j]!, 0));
      const back = x.map((_, j) => y.reduce((sum, v, r) => sum + v * a[r * n + j]!, 0));
      const length = Math.hypot(...back);
      if (length === 0) return;
      grown = Math.sqrt(length);
      x = back.map((v) => v / length);
    }
    assert.ok(bound >= grown * (1 - 1e-6) && bound <= 1.4 * grown, `${bound} ${grown}`);
  }));
});
